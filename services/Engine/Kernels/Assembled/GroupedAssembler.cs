using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Slm.Engine.Kernels.Assembled;

/// <summary>Formats with an integer scale for 16 columns: weight = d · scale · (code - offset) - m · minimum.</summary>
internal sealed class GroupedAssembler : VnniAssembler
{
    private static readonly AssemblerRegisterZMM Low = zmm16, High = zmm17, First = zmm18, Second = zmm19, Offsets = zmm20, Factor = zmm21, MinimumFactor = zmm22, Scratch = zmm23;
    private static readonly AssemblerRegisterZMM Codes = zmm24, Mask = zmm25, HighBits = zmm26, HighMask = zmm27, Words = zmm28, MinusOne = zmm29, OtherBits = zmm30;
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
        Asm.vcvtph2ps(Factor, __ymmword_ptr[rax]);
        if (!_format.HasMinimum)
            return;
        Asm.vcvtph2ps(MinimumFactor, __ymmword_ptr[rax + 32]);
        Asm.vmulps(MinimumFactor, MinimumFactor, MinusOne);
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
            Asm.vmovdqu32(HighBits, __zmmword_ptr[rax + HighAt]);
        if (_format.Bits == 6)
            Asm.vmovdqu32(OtherBits, __zmmword_ptr[rax + (HighAt + 64)]);
        for (var vector = 0; vector < 4; vector++)
        {
            Unpack(vector);
            for (var token = 0; token < Tokens; token++)
                Asm.vpdpbusd(SumOf(token, vector), Low, __dword_bcst[X(token) + (4 * vector)]);
            for (var token = 0; token < Tokens; token++)
                Asm.vpdpbusd(SumOf(token, vector + 4), High, __dword_bcst[X(token) + (16 + (4 * vector))]);
        }

        Scales();
        for (var token = 0; token < Tokens; token++)
            Finish(token);
    }

    /// <summary>The first half of a token's sums belongs to the first scale.</summary>
    private AssemblerRegisterZMM SumOf(int token, int group) => Sum(token, (group / 4 * (SumsEach / 2)) + (group % (SumsEach / 2)));

    /// <summary>Codes of groups <paramref name="vector"/> and vector + 4.</summary>
    private void Unpack(int vector)
    {
        if (_format.Bits == 6)
        {
            Asm.vmovdqu32(High, __zmmword_ptr[rax + (CodesAt + (vector * 64))]);
            Asm.vpandd(Low, High, Mask);
            Asm.vpsrlw(High, High, 4);
            Asm.vpandd(High, High, Mask);
            Move(HighBits, 4 - (2 * vector), Low);
            Move(OtherBits, 4 - (2 * vector), High);
            return;
        }

        if (vector == 0)
        {
            Asm.vmovdqu32(Codes, __zmmword_ptr[rax + CodesAt]);
            Asm.vmovdqu32(OtherBits, __zmmword_ptr[rax + (CodesAt + 64)]);
            Asm.vpandd(Low, Codes, Mask);
            Asm.vpandd(High, OtherBits, Mask);
        }
        else
        {
            Asm.vpsrlw(Low, Codes, (byte)(2 * vector));
            Asm.vpandd(Low, Low, Mask);
            Asm.vpsrlw(High, OtherBits, (byte)(2 * vector));
            Asm.vpandd(High, High, Mask);
        }

        if (_format.Bits == 2)
            return;
        Move(HighBits, 2 - vector, Low);
        Move(HighBits, -2 - vector, High);
    }

    /// <summary>Adds high bits to codes, from where they lie to where they belong.</summary>
    private void Move(AssemblerRegisterZMM bits, int left, AssemblerRegisterZMM codes)
    {
        if (left > 0)
            Asm.vpsllw(Scratch, bits, (byte)left);
        else if (left < 0)
            Asm.vpsrlw(Scratch, bits, (byte)-left);
        Asm.vpandd(Scratch, left == 0 ? bits : Scratch, HighMask);
        Asm.vpord(codes, codes, Scratch);
    }

    /// <summary>Both scales of each row as 32-bit integers, and 16-bit pairs that meet the sums of the activations.</summary>
    private void Scales()
    {
        Asm.vpmovsxbw(Scratch, __ymmword_ptr[rax]);
        if (_format.HasMinimum)
        {
            Asm.vpsrlw(Offsets, Scratch, 4);
            Asm.vpandd(Offsets, Offsets, Words);
            Asm.vpandd(Scratch, Scratch, Words);
        }
        else
        {
            Asm.vpsllw(Offsets, Scratch, (byte)(_format.Bits == 6 ? 5 : 2));
            Zero(Second);
            Asm.vpsubw(Offsets, Second, Offsets);
        }

        Asm.vpslld(First, Scratch, 16);
        Asm.vpsrad(First, First, 16);
        Asm.vpsrad(Second, Scratch, 16);
    }

    private void Finish(int token)
    {
        var half = SumsEach / 2;
        for (var i = 0; half == 2 && i < 4; i += 2)
            Asm.vpaddd(Sum(token, i), Sum(token, i), Sum(token, i + 1));
        var sum = Sum(token, 0);
        var other = Sum(token, half);
        Asm.vpmulld(sum, sum, First);
        Asm.vpmulld(other, other, Second);
        Asm.vpaddd(sum, sum, other);
        Asm.vpbroadcastd(Scratch, __dword_ptr[S(token) + VnniCall.FirstSumAt]);
        Asm.vpmaddwd(Scratch, Scratch, Offsets);
        if (!_format.HasMinimum)
            Asm.vpaddd(sum, sum, Scratch);
        Asm.vcvtdq2ps(sum, sum);
        Asm.vmulps(other, Factor, __dword_bcst[S(token)]);
        Asm.vfmadd231ps(Total(token), sum, other);
        if (!_format.HasMinimum)
            return;
        Asm.vcvtdq2ps(Scratch, Scratch);
        Asm.vmulps(other, MinimumFactor, __dword_bcst[S(token)]);
        Asm.vfmadd231ps(Total(token), Scratch, other);
    }
}
