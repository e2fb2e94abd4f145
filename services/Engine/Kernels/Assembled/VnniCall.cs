using System.Runtime.InteropServices;
using Slm.Engine.Quantization;

namespace Slm.Engine.Kernels.Assembled;

/// <summary>What an assembled kernel is to compute: one panel with some tokens. Its offsets are known to <see cref="VnniAssembler"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct VnniCall
{
    /// <summary>Rows of a panel.</summary>
    public const int Rows = 16;

    /// <summary>Offset of <see cref="ActivationScale.ScaledSum"/>.</summary>
    public const int ScaledSumAt = 4;

    /// <summary>Offset of <see cref="ActivationScale.FirstSum"/>, which the sum of the last 16 follows.</summary>
    public const int FirstSumAt = 8;

    /// <summary>Offset of <see cref="ActivationScale.MinusEightSums"/>.</summary>
    public const int MinusEightSumsAt = 12;

    /// <summary>The panel.</summary>
    public byte* Weights;

    /// <summary>Quantized activations of the first token.</summary>
    public sbyte* X;

    /// <summary>Bytes from token to token.</summary>
    public nint XStride;

    /// <summary>Their scales.</summary>
    public ActivationScale* Scales;

    /// <summary>Bytes from token to token.</summary>
    public nint ScaleStride;

    /// <summary>Runs of 32 columns; of nested formats runs of 256.</summary>
    public nint Blocks;

    /// <summary>Results [tokens, 16].</summary>
    public float* Sums;
}
