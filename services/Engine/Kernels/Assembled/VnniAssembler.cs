using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Slm.Engine.Kernels.Assembled;

/// <summary>
/// Writes the kernel of one panel format for some tokens with AVX-512 VNNI, for which .NET has no intrinsics: one instruction
/// for 64 products of codes and activations. Sums of products are exact integers, so the bits are those of the other kernels.
/// </summary>
/// <remarks>
/// System V calling convention, the only argument points to a <see cref="VnniCall"/>. rax walks the panel, rdx the activations,
/// rsi their scales. zmm0-7 integer sums, zmm8-15 results, zmm16 and above codes, scales and constants.
/// </remarks>
internal abstract class VnniAssembler
{
    /// <summary>Bytes of an <see cref="Quantization.ActivationScale"/>.</summary>
    private const int ScaleBytes = 16;

    private static readonly AssemblerRegisterZMM[] Sums = [zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7];
    private static readonly AssemblerRegisterZMM[] Totals = [zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15];

    /// <param name="tokens">1, 2, 4 or 8.</param>
    /// <param name="sumsEach">Integer sums of a token.</param>
    protected VnniAssembler(int tokens, int sumsEach)
    {
        Tokens = tokens;
        SumsEach = sumsEach;
    }

    /// <summary>Instructions so far.</summary>
    protected Assembler Asm { get; } = new(64);

    /// <summary>Tokens of a call.</summary>
    protected int Tokens { get; }

    /// <summary>Integer sums of a token: enough in all to hide the latency of one.</summary>
    protected int SumsEach { get; }

    /// <summary>Bytes of a header before 256 columns; 0 without one.</summary>
    protected abstract int HeaderBytes { get; }

    /// <summary>Bytes of 32 columns.</summary>
    protected abstract int GroupBytes { get; }

    /// <summary>The kernel's machine code.</summary>
    public byte[] Assemble()
    {
        Write();
        using var stream = new MemoryStream();
        Asm.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    /// <summary>Fills the registers that hold constants.</summary>
    protected abstract void Constants();

    /// <summary>Reads the header at rax.</summary>
    protected abstract void Header();

    /// <summary>32 columns at rax, rdx and rsi.</summary>
    protected abstract void Group();

    /// <summary>One of a token's integer sums.</summary>
    protected AssemblerRegisterZMM Sum(int token, int index) => Sums[(token * SumsEach) + (index % SumsEach)];

    /// <summary>A token's result.</summary>
    protected static AssemblerRegisterZMM Total(int token) => Totals[token];

    /// <summary>A token's activations.</summary>
    protected static AssemblerMemoryOperand X(int token) => At(rdx, r8, r9, r10, r11, token);

    /// <summary>A token's <see cref="Quantization.ActivationScale"/>.</summary>
    protected static AssemblerMemoryOperand S(int token) => At(rsi, rbx, rbp, r12, r13, token);

    /// <summary>Repeats 32 bits.</summary>
    protected void Constant(AssemblerRegisterZMM register, uint value)
    {
        Asm.mov(r14d, value);
        Asm.vpbroadcastd(register, r14d);
    }

    /// <summary>Repeats 16 bytes.</summary>
    protected void Constant(AssemblerRegisterZMM register, byte[] table)
    {
        for (var part = 1; part >= 0; part--)
        {
            Asm.mov(r14, BitConverter.ToUInt64(table, part * 8));
            Asm.push(r14);
        }

        Asm.vbroadcasti32x4(register, __xmmword_ptr[rsp]);
        Asm.add(rsp, 16);
    }

    protected void Zero(AssemblerRegisterZMM register) => Asm.vpxord(register, register, register);

    private void Write()
    {
        Begin();
        var again = Asm.CreateLabel();
        Asm.Label(ref again);
        if (HeaderBytes > 0)
        {
            Header();
            Asm.add(rax, HeaderBytes);
            Asm.mov(r15, 8);
            var inner = Asm.CreateLabel();
            Asm.Label(ref inner);
            Step();
            Asm.dec(r15);
            Asm.jnz(inner);
        }
        else
        {
            Step();
        }

        Asm.dec(rcx);
        Asm.jnz(again);
        End();
    }

    private void Step()
    {
        Group();
        Asm.add(rax, GroupBytes);
        Asm.add(rdx, 32);
        Asm.add(rsi, ScaleBytes);
    }

    private void Begin()
    {
        foreach (var register in new[] { rbx, rbp, r12, r13, r14, r15 })
            Asm.push(register);
        Asm.mov(rax, __[rdi]);
        Asm.mov(rdx, __[rdi + 8]);
        Asm.mov(r8, __[rdi + 16]);
        Asm.mov(rsi, __[rdi + 24]);
        Asm.mov(rbx, __[rdi + 32]);
        Asm.mov(rcx, __[rdi + 40]);
        if (Tokens > 1)
        {
            Multiples(r8, r9, r10, r11);
            Multiples(rbx, rbp, r12, r13);
        }

        for (var token = 0; token < Tokens; token++)
            Zero(Total(token));
        Constants();
    }

    /// <summary>3, 5 and 7 times a stride: with the factors 1, 2 and 4 of addresses they reach eight tokens.</summary>
    private void Multiples(AssemblerRegister64 stride, AssemblerRegister64 three, AssemblerRegister64 five, AssemblerRegister64 seven)
    {
        Asm.lea(three, __[stride + (stride * 2)]);
        Asm.lea(five, __[stride + (stride * 4)]);
        Asm.lea(seven, __[three + (stride * 4)]);
    }

    private void End()
    {
        Asm.mov(r14, __[rdi + 48]);
        for (var token = 0; token < Tokens; token++)
            Asm.vmovups(__zmmword_ptr[r14 + (token * 64)], Total(token));
        Asm.vzeroupper();
        foreach (var register in new[] { r15, r14, r13, r12, rbp, rbx })
            Asm.pop(register);
        Asm.ret();
    }

    private static AssemblerMemoryOperand At(
        AssemblerRegister64 first, AssemblerRegister64 one, AssemblerRegister64 three, AssemblerRegister64 five, AssemblerRegister64 seven, int token) => token switch
        {
            0 => first + 0,
            1 => first + one,
            2 => first + (one * 2),
            3 => first + three,
            4 => first + (one * 4),
            5 => first + five,
            6 => first + (three * 2),
            _ => first + seven,
        };
}
