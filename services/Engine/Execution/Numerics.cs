using Slm.Engine.Kernels;

namespace Slm.Engine.Execution;

/// <summary>Names what the numbers depend on, besides model file and request.</summary>
public static class Numerics
{
    /// <summary>Kernel set, activation format of quantized products, KV storage: such as "avx2-a8b32-kvf32-1".</summary>
    /// <remarks>The last number is raised whenever a kernel's order of reduction changes.</remarks>
    public static string Fingerprint { get; } = Describe(KernelSet.Best);

    internal static string Describe(KernelSet kernels) => $"{kernels.Name}-a8b32-kvf32-1";
}
