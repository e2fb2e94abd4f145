namespace Slm.Engine.Kernels.Assembled;

/// <summary>Formats with an integer scale for 16 columns: weight = d · scale · (code - offset) - m · minimum.</summary>
internal sealed class GroupedAssembler : VnniAssembler
{
    private const int Low = 16, High = 17, First = 18, Second = 19, Offsets = 20, Factor = 21, MinimumFactor = 22, Scratch = 23;
    private const int Codes = 24, Mask = 25, HighBits = 26, HighMask = 27, Words = 28, MinusOne = 29, OtherBits = 30;
    private readonly GroupedFormat _format;

    /// <param name="format">The format.</param>
    /// <param name="tokens">1, 2 or 4: a token has a sum for each of its scales.</param>
    public GroupedAssembler(GroupedFormat format, int tokens)
        : base(tokens, tokens == 4 ? 2 : 4) => _format = format;

    /// <inheritdoc/>
    protected override int HeaderBytes => (_format.HasMinimum ? 4 : 2) * VnniCall.Rows;

    /// <inheritdoc/>
    protected override int GroupBytes => HighAt + ((_format.Bits == 6 ? 8 : _format.Bits == 3 ? 4 : 0) * VnniCall.Rows);

    private int HighAt => CodesAt + ((_format.Bits == 6 ? 16 : 8) * VnniCall.Rows);

    private static int CodesAt => 2 * VnniCall.Rows;

    /// <inheritdoc/>
    protected override void Constants()
    {
        Constant(Mask, _format.Bits == 6 ? 0x0f0f0f0fu : 0x03030303u);
        Constant(HighMask, _format.Bits == 6 ? 0x30303030u : 0x04040404u);
        Constant(Words, 0x000f000f);
        Constant(MinusOne, BitConverter.SingleToUInt32Bits(-1));
    }

    /// <inheritdoc/>
    protected override void Header()
    {
        Asm.LoadHalves(Factor, Panel(0));
        if (!_format.HasMinimum)
            return;
        Asm.LoadHalves(MinimumFactor, Panel(32));
        Asm.MultiplyFloats(MinimumFactor, MinimumFactor, MinusOne);
    }

    /// <inheritdoc/>
    protected override void Group()
    {
        for (var token = 0; token < Tokens; token++)
        {
            for (var i = 0; i < SumsEach; i++)
                Zero(Sum(token, i));
        }

        if (_format.Bits != 2)
            Asm.LoadInts(HighBits, Panel(HighAt));
        if (_format.Bits == 6)
            Asm.LoadInts(OtherBits, Panel(HighAt + 64));
        for (var vector = 0; vector < 4; vector++)
        {
            Unpack(vector);
            for (var token = 0; token < Tokens; token++)
                Asm.AddProducts(SumOf(token, vector), Low, X(token) + (4 * vector));
            for (var token = 0; token < Tokens; token++)
                Asm.AddProducts(SumOf(token, vector + 4), High, X(token) + (16 + (4 * vector)));
        }

        Scales();
        for (var token = 0; token < Tokens; token++)
            Finish(token);
    }

    /// <summary>The first half of a token's sums belongs to the first scale.</summary>
    private int SumOf(int token, int group) => Sum(token, (group / 4 * (SumsEach / 2)) + (group % (SumsEach / 2)));

    /// <summary>Codes of groups <paramref name="vector"/> and vector + 4.</summary>
    private void Unpack(int vector)
    {
        if (_format.Bits == 6)
        {
            Asm.LoadInts(High, Panel(CodesAt + (vector * 64)));
            Asm.And(Low, High, Mask);
            Asm.ShiftWordsRight(High, High, 4);
            Asm.And(High, High, Mask);
            Move(HighBits, 4 - (2 * vector), Low);
            Move(OtherBits, 4 - (2 * vector), High);
            return;
        }

        if (vector == 0)
        {
            Asm.LoadInts(Codes, Panel(CodesAt));
            Asm.LoadInts(OtherBits, Panel(CodesAt + 64));
            Asm.And(Low, Codes, Mask);
            Asm.And(High, OtherBits, Mask);
        }
        else
        {
            Asm.ShiftWordsRight(Low, Codes, 2 * vector);
            Asm.And(Low, Low, Mask);
            Asm.ShiftWordsRight(High, OtherBits, 2 * vector);
            Asm.And(High, High, Mask);
        }

        if (_format.Bits == 2)
            return;
        Move(HighBits, 2 - vector, Low);
        Move(HighBits, -2 - vector, High);
    }

    /// <summary>Adds high bits to codes, from where they lie to where they belong.</summary>
    private void Move(int bits, int left, int codes)
    {
        if (left > 0)
            Asm.ShiftWordsLeft(Scratch, bits, left);
        else if (left < 0)
            Asm.ShiftWordsRight(Scratch, bits, -left);
        Asm.And(Scratch, left == 0 ? bits : Scratch, HighMask);
        Asm.Or(codes, codes, Scratch);
    }

    /// <summary>Both scales of each row as 32-bit integers, and 16-bit pairs that meet the sums of the activations.</summary>
    private void Scales()
    {
        Asm.LoadBytesAsWords(Scratch, Panel(0));
        if (_format.HasMinimum)
        {
            Asm.ShiftWordsRight(Offsets, Scratch, 4);
            Asm.And(Offsets, Offsets, Words);
            Asm.And(Scratch, Scratch, Words);
        }
        else
        {
            Asm.ShiftWordsLeft(Offsets, Scratch, _format.Bits == 6 ? 5 : 2);
            Zero(Second);
            Asm.SubtractWords(Offsets, Second, Offsets);
        }

        Asm.ShiftIntsLeft(First, Scratch, 16);
        Asm.ShiftIntsRight(First, First, 16);
        Asm.ShiftIntsRight(Second, Scratch, 16);
    }

    private void Finish(int token)
    {
        var half = SumsEach / 2;
        for (var i = 0; half == 2 && i < 4; i += 2)
            Asm.AddInts(Sum(token, i), Sum(token, i), Sum(token, i + 1));
        var sum = Sum(token, 0);
        var other = Sum(token, half);
        Asm.MultiplyInts(sum, sum, First);
        Asm.MultiplyInts(other, other, Second);
        Asm.AddInts(sum, sum, other);
        Asm.BroadcastInt(Scratch, S(token) + VnniCall.FirstSumAt);
        Asm.MultiplyWords(Scratch, Scratch, Offsets);
        if (!_format.HasMinimum)
            Asm.AddInts(sum, sum, Scratch);
        Asm.IntsToFloats(sum, sum);
        Asm.MultiplyFloats(other, Factor, S(token));
        Asm.MultiplyAdd(Total(token), sum, other);
        if (!_format.HasMinimum)
            return;
        Asm.IntsToFloats(Scratch, Scratch);
        Asm.MultiplyFloats(other, MinimumFactor, S(token));
        Asm.MultiplyAdd(Total(token), Scratch, other);
    }
}
