using Slm.Engine.Kernels;

namespace Slm.Engine.Execution;

/// <summary>Names what the numbers depend on, besides model file and request.</summary>
public static class Numerics
{
    /// <summary>Raised whenever a kernel's order of reduction changes.</summary>
    private const int Version = 2;

    /// <summary>Arithmetic of the kernels, such as "fma-a8b32-2": processes with the same one compute the same bits.</summary>
    public static string Arithmetic => $"{KernelSet.Best.Numerics}-a8b32-{Version}";

    /// <summary>The instructions in use, which do not change the bits of the same arithmetic.</summary>
    public static string Kernels => KernelSet.Best.Name;

    /// <summary>Arithmetic of the kernels, activation format of quantized products, KV storage, rounding of the residual stream: such as "fma-a8b32-kvq16-2" or "fma-a8b32-kvq16-2-r16".</summary>
    public static string Fingerprint(KvType kvType, bool roundedResidual) => Describe(KernelSet.Best, kvType) + (roundedResidual ? "-r16" : "");

    internal static string Describe(KernelSet kernels, KvType kvType) => $"{kernels.Numerics}-a8b32-kv{kvType.ToString().ToLowerInvariant()}-{Version}";
}
