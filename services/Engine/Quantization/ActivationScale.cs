using System.Runtime.InteropServices;

namespace Slm.Engine.Quantization;

/// <summary>What goes with 32 quantized activations: their scale and the sums that products with offset codes need.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ActivationScale
{
    /// <summary>Value of one step.</summary>
    public float Scale;

    /// <summary>Scale times the sum of all 32.</summary>
    public float ScaledSum;

    /// <summary>Sum of the first 16.</summary>
    public short FirstSum;

    /// <summary>Sum of the last 16.</summary>
    public short LastSum;

    /// <summary>-8 times the sum of all 32.</summary>
    public int MinusEightSums;
}
