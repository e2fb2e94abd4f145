using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Slm.Engine.Kernels.Assembled;

/// <summary>Whether this processor and this system run assembled kernels, and the kernels.</summary>
internal static unsafe class VnniKernels
{
    private const int VnniBit = 1 << 11;

    /// <summary>AVX-512 with VNNI on a 64-bit Linux that lets a process write code.</summary>
    public static bool IsSupported { get; } = Check();

    /// <summary>A kernel that can be called.</summary>
    /// <param name="assembler">Writes it.</param>
    /// <param name="ahead">It brings weights near.</param>
    /// <exception cref="NotSupportedException">It does not run here.</exception>
    public static delegate* unmanaged[Cdecl, SuppressGCTransition]<VnniCall*, void> Place(VnniAssembler assembler, bool ahead = false)
    {
        var code = IsSupported ? CodePage.TryPlace(assembler.Assemble(ahead)) : null;
        if (code == null)
            throw new NotSupportedException("Kernels with AVX-512 VNNI do not run on this machine.");
        return (delegate* unmanaged[Cdecl, SuppressGCTransition]<VnniCall*, void>)code;
    }

    private static bool Check()
    {
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess || !Avx512BW.IsSupported || !Avx512F.IsSupported)
            return false;
        if ((X86Base.CpuId(7, 0).Ecx & VnniBit) == 0)
            return false;

        // Systems that are locked down forbid executable memory: one instruction shows it.
        return CodePage.TryPlace([0xc3]) != null;
    }
}

/// <summary>The assembled kernels of one format, made when first used.</summary>
internal static unsafe class VnniKernels<TFormat>
    where TFormat : struct, IVnniFormat
{
    /// <summary>For one token.</summary>
    public static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<VnniCall*, void> One = VnniKernels.Place(TFormat.Assembler(1));

    /// <summary>For two.</summary>
    public static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<VnniCall*, void> Two = VnniKernels.Place(TFormat.Assembler(2));

    /// <summary>For four.</summary>
    public static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<VnniCall*, void> Four = VnniKernels.Place(TFormat.Assembler(4));

    /// <summary>For the first four that meet a panel: it is still in memory.</summary>
    public static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<VnniCall*, void> FirstFour = VnniKernels.Place(TFormat.Assembler(4), ahead: true);

    /// <summary>For the first eight; four's where there is none.</summary>
    public static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<VnniCall*, void> FirstEight = TFormat.MostTokens == 8 ? VnniKernels.Place(TFormat.Assembler(8), ahead: true) : FirstFour;

    /// <summary>For eight; four's where there is none.</summary>
    public static readonly delegate* unmanaged[Cdecl, SuppressGCTransition]<VnniCall*, void> Eight = TFormat.MostTokens == 8 ? VnniKernels.Place(TFormat.Assembler(8)) : Four;
}
