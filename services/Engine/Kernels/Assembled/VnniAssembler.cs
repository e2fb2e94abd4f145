using Slm.Engine.Kernels.Panels;

namespace Slm.Engine.Kernels.Assembled;

/// <summary>
/// Writes the kernel of one panel format for some tokens with AVX-512 VNNI, for which .NET has no intrinsics: one instruction
/// for 64 products of codes and activations. Sums of products are exact integers, so the bits are those of the other kernels.
/// </summary>
/// <remarks>
/// System V calling convention, the only argument points to a <see cref="VnniCall"/>. rax walks the panel, rdx the activations,
/// rsi their scales. Wide registers 0-7 hold integer sums, 8-15 results, 16 and above codes, scales and constants.
/// </remarks>
internal abstract class VnniAssembler
{
    /// <summary>Bytes of an <see cref="Quantization.ActivationScale"/>.</summary>
    private const int ScaleBytes = 16;

    /// <summary>Registers that a caller finds as they were.</summary>
    private static readonly Gpr[] Kept = [Gpr.Rbx, Gpr.Rbp, Gpr.R12, Gpr.R13, Gpr.R14, Gpr.R15];

    private static readonly int[] Sums = [0, 1, 2, 3, 4, 5, 6, 7];
    private static readonly int[] Totals = [8, 9, 10, 11, 12, 13, 14, 15];
    private bool _ahead;

    /// <param name="tokens">1, 2, 4 or 8.</param>
    /// <param name="sumsEach">Integer sums of a token.</param>
    protected VnniAssembler(int tokens, int sumsEach)
    {
        Tokens = tokens;
        SumsEach = sumsEach;
    }

    /// <summary>Instructions so far.</summary>
    protected MachineCode Asm { get; } = new();

    /// <summary>Tokens of a call.</summary>
    protected int Tokens { get; }

    /// <summary>Integer sums of a token: enough in all to hide the latency of one.</summary>
    protected int SumsEach { get; }

    /// <summary>Bytes of a header before 256 columns; 0 without one.</summary>
    protected abstract int HeaderBytes { get; }

    /// <summary>Bytes of 32 columns.</summary>
    protected abstract int GroupBytes { get; }

    /// <summary>The kernel's machine code.</summary>
    /// <param name="ahead">It brings weights near, see <see cref="WeightsAhead"/>.</param>
    public byte[] Assemble(bool ahead)
    {
        _ahead = ahead;
        Write();
        return Asm.ToArray();
    }

    /// <summary>Fills the registers that hold constants.</summary>
    protected abstract void Constants();

    /// <summary>Reads the header at rax.</summary>
    protected abstract void Header();

    /// <summary>32 columns at rax, rdx and rsi.</summary>
    protected abstract void Group();

    /// <summary>One of a token's integer sums.</summary>
    protected int Sum(int token, int index) => Sums[(token * SumsEach) + (index % SumsEach)];

    /// <summary>A token's result.</summary>
    protected static int Total(int token) => Totals[token];

    /// <summary>A token's activations.</summary>
    protected static Address X(int token) => At(Gpr.Rdx, Gpr.R8, Gpr.R9, Gpr.R10, Gpr.R11, token);

    /// <summary>A token's <see cref="Quantization.ActivationScale"/>.</summary>
    protected static Address S(int token) => At(Gpr.Rsi, Gpr.Rbx, Gpr.Rbp, Gpr.R12, Gpr.R13, token);

    /// <summary>Bytes of the panel.</summary>
    protected static Address Panel(int offset) => new(Gpr.Rax, Displacement: offset);

    /// <summary>Repeats 32 bits.</summary>
    protected void Constant(int register, uint value)
    {
        Asm.Set(Gpr.R14, value);
        Asm.BroadcastInt(register, Gpr.R14);
    }

    /// <summary>Repeats 16 bytes.</summary>
    protected void Constant(int register, byte[] table)
    {
        for (var part = 1; part >= 0; part--)
        {
            Asm.Set(Gpr.R14, BitConverter.ToUInt64(table, part * 8));
            Asm.Push(Gpr.R14);
        }

        Asm.BroadcastQuarter(register, new Address(Gpr.Rsp));
        Asm.Add(Gpr.Rsp, 16);
    }

    protected void Zero(int register) => Asm.Xor(register, register, register);

    private void Write()
    {
        Begin();
        var again = Asm.Position;
        if (HeaderBytes > 0)
        {
            Header();
            Asm.Add(Gpr.Rax, HeaderBytes);
            Asm.Set(Gpr.R15, 8);
            var inner = Asm.Position;
            Step();
            Asm.Decrement(Gpr.R15);
            Asm.JumpIfNotZero(inner);
        }
        else
        {
            Step();
        }

        Asm.Decrement(Gpr.Rcx);
        Asm.JumpIfNotZero(again);
        End();
    }

    private void Step()
    {
        for (var at = 0; _ahead && at < GroupBytes; at += WeightsAhead.Line)
            Asm.Prefetch(Panel(WeightsAhead.Bytes + at));
        Group();
        Asm.Add(Gpr.Rax, GroupBytes);
        Asm.Add(Gpr.Rdx, 32);
        Asm.Add(Gpr.Rsi, ScaleBytes);
    }

    private void Begin()
    {
        foreach (var register in Kept)
            Asm.Push(register);
        Gpr[] arguments = [Gpr.Rax, Gpr.Rdx, Gpr.R8, Gpr.Rsi, Gpr.Rbx, Gpr.Rcx];
        for (var i = 0; i < arguments.Length; i++)
            Asm.Load(arguments[i], new Address(Gpr.Rdi, Displacement: 8 * i));
        if (Tokens > 1)
        {
            Multiples(Gpr.R8, Gpr.R9, Gpr.R10, Gpr.R11);
            Multiples(Gpr.Rbx, Gpr.Rbp, Gpr.R12, Gpr.R13);
        }

        for (var token = 0; token < Tokens; token++)
            Zero(Total(token));
        Constants();
    }

    /// <summary>3, 5 and 7 times a stride: with the factors 1, 2 and 4 of addresses they reach eight tokens.</summary>
    private void Multiples(Gpr stride, Gpr three, Gpr five, Gpr seven)
    {
        Asm.Set(three, new Address(stride, stride, 2));
        Asm.Set(five, new Address(stride, stride, 4));
        Asm.Set(seven, new Address(three, stride, 4));
    }

    private void End()
    {
        Asm.Load(Gpr.R14, new Address(Gpr.Rdi, Displacement: 48));
        for (var token = 0; token < Tokens; token++)
            Asm.StoreFloats(new Address(Gpr.R14, Displacement: token * 64), Total(token));
        Asm.ZeroUpper();
        foreach (var register in Kept.Reverse())
            Asm.Pop(register);
        Asm.Return();
    }

    private static Address At(Gpr first, Gpr one, Gpr three, Gpr five, Gpr seven, int token) => token switch
    {
        0 => new Address(first),
        1 => new Address(first, one),
        2 => new Address(first, one, 2),
        3 => new Address(first, three),
        4 => new Address(first, one, 4),
        5 => new Address(first, five),
        6 => new Address(first, three, 2),
        _ => new Address(first, seven),
    };
}
