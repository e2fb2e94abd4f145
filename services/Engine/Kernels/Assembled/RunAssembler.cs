using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Slm.Engine.Kernels.Assembled;

/// <summary>Formats with one scale for 32 columns: weight = scale · (code - offset) + minimum.</summary>
internal sealed class RunAssembler : VnniAssembler
{
    private static readonly AssemblerRegisterZMM Low = zmm16, High = zmm17, Scale = zmm18, Minimum = zmm19, Factor = zmm20, MinimumFactor = zmm21, Fifth = zmm22, Scratch = zmm23;
    private static readonly AssemblerRegisterZMM Nibbles = zmm24, Bit = zmm25, Table = zmm26, MinusOne = zmm27;
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
        Asm.vcvtph2ps(Factor, __ymmword_ptr[rax]);
        Asm.vcvtph2ps(MinimumFactor, __ymmword_ptr[rax + 32]);
        Asm.vmulps(MinimumFactor, MinimumFactor, MinusOne);
    }

    /// <inheritdoc/>
    protected override void Group()
    {
        for (var token = 0; token < Tokens; token++)
            Clear(token);
        if (_format.FifthBit)
            Asm.vmovdqu32(Fifth, __zmmword_ptr[rax + (CodesAt + (16 * VnniCall.Rows))]);
        for (var vector = 0; vector < 4; vector++)
        {
            if (_format.Bits == 8)
            {
                Asm.vpxord(Low, Bit, __zmmword_ptr[rax + (CodesAt + (vector * 64))]);
                Asm.vpxord(High, Bit, __zmmword_ptr[rax + (CodesAt + ((vector + 4) * 64))]);
            }
            else
            {
                Unpack(CodesAt + (vector * 64), vector);
            }

            for (var token = 0; token < Tokens; token++)
                Asm.vpdpbusd(Sum(token, vector), Low, __dword_bcst[X(token) + (4 * vector)]);
            for (var token = 0; token < Tokens; token++)
                Asm.vpdpbusd(Sum(token, vector + 4), High, __dword_bcst[X(token) + (16 + (4 * vector))]);
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
            Asm.vpbroadcastd(first, __dword_ptr[S(token) + VnniCall.MinusEightSumsAt]);
        if (_format.Offset > 8)
            Asm.vpslld(first, first, (byte)(_format.Offset == 16 ? 1 : 4));
        for (var i = 1; i < SumsEach; i++)
            Zero(Sum(token, i));
    }

    /// <summary>4-bit codes of groups <paramref name="vector"/> and vector + 4, with their fifth bits.</summary>
    private void Unpack(int at, int vector)
    {
        Asm.vmovdqu32(High, __zmmword_ptr[rax + at]);
        Asm.vpandd(Low, High, Nibbles);
        Asm.vpsrlw(High, High, 4);
        Asm.vpandd(High, High, Nibbles);
        if (_format.Table is not null)
        {
            Asm.vpshufb(Low, Table, Low);
            Asm.vpshufb(High, Table, High);
        }

        if (!_format.FifthBit)
            return;
        // Bit g of a byte belongs to group g; it goes to bit 4.
        Asm.vpsllw(Scratch, Fifth, (byte)(4 - vector));
        Asm.vpandd(Scratch, Scratch, Bit);
        Asm.vpord(Low, Low, Scratch);
        if (vector == 0)
            Asm.vpandd(Scratch, Fifth, Bit);
        else
            Asm.vpsrlw(Scratch, Fifth, (byte)vector);
        if (vector > 0)
            Asm.vpandd(Scratch, Scratch, Bit);
        Asm.vpord(High, High, Scratch);
    }

    private void Scales()
    {
        if (!_format.Nested)
        {
            Asm.vcvtph2ps(Scale, __ymmword_ptr[rax]);
            if (_format.HasMinimum)
                Asm.vcvtph2ps(Minimum, __ymmword_ptr[rax + 32]);
            return;
        }

        Asm.vpmovzxbd(Scale, __xmmword_ptr[rax]);
        Asm.vcvtdq2ps(Scale, Scale);
        Asm.vmulps(Scale, Scale, Factor);
        Asm.vpmovzxbd(Minimum, __xmmword_ptr[rax + 16]);
        Asm.vcvtdq2ps(Minimum, Minimum);
        Asm.vmulps(Minimum, Minimum, MinimumFactor);
    }

    private void Finish(int token)
    {
        for (var step = 1; step < SumsEach; step *= 2)
        {
            for (var i = 0; i + step < SumsEach; i += 2 * step)
                Asm.vpaddd(Sum(token, i), Sum(token, i), Sum(token, i + step));
        }

        Asm.vcvtdq2ps(Sum(token, 0), Sum(token, 0));
        Asm.vmulps(Scratch, Scale, __dword_bcst[S(token)]);
        Asm.vfmadd231ps(Total(token), Sum(token, 0), Scratch);
        if (_format.HasMinimum)
            Asm.vfmadd231ps(Total(token), Minimum, __dword_bcst[S(token) + VnniCall.ScaledSumAt]);
    }
}
