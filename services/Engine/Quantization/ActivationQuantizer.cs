using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Quantization;

/// <summary>
/// Activations as int8 in blocks of 32 with one F32 scale each: q = round(x · 127 / max|x|), ties to even, scale = max|x| / 127.
/// </summary>
internal static unsafe class ActivationQuantizer
{
    /// <summary>Elements that share a scale.</summary>
    public const int BlockSize = 32;

    /// <summary>Quantizes one row.</summary>
    /// <param name="source">[count] values.</param>
    /// <param name="target">[count] quantized values, -127 to 127.</param>
    /// <param name="scales">[count / 32] scales and sums.</param>
    /// <param name="count">A multiple of 32.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Quantize(float* source, sbyte* target, ActivationScale* scales, int count)
    {
        for (var i = 0; i < count; i += BlockSize)
        {
            var x0 = Vector256.Load(source + i);
            var x1 = Vector256.Load(source + i + 8);
            var x2 = Vector256.Load(source + i + 16);
            var x3 = Vector256.Load(source + i + 24);
            var max8 = Vector256.Max(
                Vector256.Max(Vector256.Abs(x0), Vector256.Abs(x1)), Vector256.Max(Vector256.Abs(x2), Vector256.Abs(x3)));
            var max4 = Vector128.Max(max8.GetLower(), max8.GetUpper());
            var max = MathF.Max(MathF.Max(max4.GetElement(0), max4.GetElement(1)), MathF.Max(max4.GetElement(2), max4.GetElement(3)));
            var inverse = Vector256.Create(max > 0 ? 127f / max : 0f);
            var low = Vector256.Narrow(Round(x0 * inverse), Round(x1 * inverse));
            var high = Vector256.Narrow(Round(x2 * inverse), Round(x3 * inverse));
            Vector256.Narrow(low, high).Store(target + i);
            var (first, last) = (Vector256.Sum(low), Vector256.Sum(high));
            scales[i / BlockSize] = new ActivationScale { Scale = max / 127f, ScaledSum = max / 127f * (first + last), FirstSum = first, LastSum = last, MinusEightSums = -8 * (first + last) };
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Round(Vector256<float> x) => Vector256.ConvertToInt32(Vector256.Round(x));
}
