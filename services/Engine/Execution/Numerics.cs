using Slm.Engine.Kernels;

namespace Slm.Engine.Execution;

/// <summary>Names what the numbers depend on, besides model file and request.</summary>
public static class Numerics
{
    /// <summary>Arithmetic of the kernels, activation format of quantized products, KV storage: such as "fma-a8b32-kvq16-2".</summary>
    /// <remarks>The last number is raised whenever a kernel's order of reduction changes.</remarks>
    public static string Fingerprint(KvType kvType) => Describe(KernelSet.Best, kvType);

    internal static string Describe(KernelSet kernels, KvType kvType) => $"{kernels.Numerics}-a8b32-kv{kvType.ToString().ToLowerInvariant()}-2";
}
