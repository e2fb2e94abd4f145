namespace Slm.Engine.Kernels.Assembled;

/// <summary>Formats with one scale for 32 columns: weight = scale · (code - offset) + minimum.</summary>
internal sealed class RunAssembler : VnniAssembler
{
    private const int Low = 16, High = 17, Scale = 18, Minimum = 19, Factor = 20, MinimumFactor = 21, Fifth = 22, Scratch = 23;
    private const int Nibbles = 24, Bit = 25, Table = 26, MinusOne = 27;
    private readonly RunFormat _format;

    /// <param name="format">The format.</param>
    /// <param name="tokens">1, 2, 4 or 8.</param>
    public RunAssembler(RunFormat format, int tokens)
        : base(tokens, tokens == 8 ? 1 : tokens == 4 ? 2 : 4) => _format = format;

    /// <inheritdoc/>
    protected override int HeaderBytes => _format.Nested ? 64 : 0;

    /// <inheritdoc/>
    protected override int GroupBytes => CodesAt + (((_format.Bits * 4) + (_format.FifthBit ? 4 : 0)) * VnniCall.Rows);

    /// <summary>Scales and minimums come before the codes.</summary>
    private int CodesAt => (_format.Nested ? 2 : _format.HasMinimum ? 4 : 2) * VnniCall.Rows;

    /// <inheritdoc/>
    protected override void Constants()
    {
        Constant(Nibbles, 0x0f0f0f0f);
        Constant(Bit, _format.Bits == 8 ? 0x80808080 : 0x10101010);
        if (_format.Nested)
            Constant(MinusOne, BitConverter.SingleToUInt32Bits(-1));
        if (_format.Table is { } table)
            Constant(Table, table);
    }

    /// <inheritdoc/>
    protected override void Header()
    {
        Asm.LoadHalves(Factor, Panel(0));
        Asm.LoadHalves(MinimumFactor, Panel(32));
        Asm.MultiplyFloats(MinimumFactor, MinimumFactor, MinusOne);
    }

    /// <inheritdoc/>
    protected override void Group()
    {
        for (var token = 0; token < Tokens; token++)
            Clear(token);
        if (_format.FifthBit)
            Asm.LoadInts(Fifth, Panel(CodesAt + (16 * VnniCall.Rows)));
        for (var vector = 0; vector < 4; vector++)
        {
            if (_format.Bits == 8)
            {
                Asm.Xor(Low, Bit, Panel(CodesAt + (vector * 64)));
                Asm.Xor(High, Bit, Panel(CodesAt + ((vector + 4) * 64)));
            }
            else
            {
                Unpack(CodesAt + (vector * 64), vector);
            }

            for (var token = 0; token < Tokens; token++)
                Asm.AddProducts(Sum(token, vector), Low, X(token) + (4 * vector));
            for (var token = 0; token < Tokens; token++)
                Asm.AddProducts(Sum(token, vector + 4), High, X(token) + (16 + (4 * vector)));
        }

        Scales();
        for (var token = 0; token < Tokens; token++)
            Finish(token);
    }

    /// <summary>Sums start where the offset of the codes takes them.</summary>
    private void Clear(int token)
    {
        var first = Sum(token, 0);
        if (_format.Offset == 0)
            Zero(first);
        else
            Asm.BroadcastInt(first, S(token) + VnniCall.MinusEightSumsAt);
        if (_format.Offset > 8)
            Asm.ShiftIntsLeft(first, first, _format.Offset == 16 ? 1 : 4);
        for (var i = 1; i < SumsEach; i++)
            Zero(Sum(token, i));
    }

    /// <summary>4-bit codes of groups <paramref name="vector"/> and vector + 4, with their fifth bits.</summary>
    private void Unpack(int at, int vector)
    {
        Asm.LoadInts(High, Panel(at));
        Asm.And(Low, High, Nibbles);
        Asm.ShiftWordsRight(High, High, 4);
        Asm.And(High, High, Nibbles);
        if (_format.Table is not null)
        {
            Asm.ShuffleBytes(Low, Table, Low);
            Asm.ShuffleBytes(High, Table, High);
        }

        if (!_format.FifthBit)
            return;
        // Bit g of a byte belongs to group g; it goes to bit 4.
        Asm.ShiftWordsLeft(Scratch, Fifth, 4 - vector);
        Asm.And(Scratch, Scratch, Bit);
        Asm.Or(Low, Low, Scratch);
        if (vector == 0)
            Asm.And(Scratch, Fifth, Bit);
        else
            Asm.ShiftWordsRight(Scratch, Fifth, vector);
        if (vector > 0)
            Asm.And(Scratch, Scratch, Bit);
        Asm.Or(High, High, Scratch);
    }

    private void Scales()
    {
        if (!_format.Nested)
        {
            Asm.LoadHalves(Scale, Panel(0));
            if (_format.HasMinimum)
                Asm.LoadHalves(Minimum, Panel(32));
            return;
        }

        Asm.LoadBytesAsInts(Scale, Panel(0));
        Asm.IntsToFloats(Scale, Scale);
        Asm.MultiplyFloats(Scale, Scale, Factor);
        Asm.LoadBytesAsInts(Minimum, Panel(16));
        Asm.IntsToFloats(Minimum, Minimum);
        Asm.MultiplyFloats(Minimum, Minimum, MinimumFactor);
    }

    private void Finish(int token)
    {
        for (var step = 1; step < SumsEach; step *= 2)
        {
            for (var i = 0; i + step < SumsEach; i += 2 * step)
                Asm.AddInts(Sum(token, i), Sum(token, i), Sum(token, i + step));
        }

        Asm.IntsToFloats(Sum(token, 0), Sum(token, 0));
        Asm.MultiplyFloats(Scratch, Scale, S(token));
        Asm.MultiplyAdd(Total(token), Sum(token, 0), Scratch);
        if (_format.HasMinimum)
            Asm.MultiplyAdd(Total(token), Minimum, S(token) + VnniCall.ScaledSumAt);
    }
}
