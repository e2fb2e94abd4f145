using Slm.Engine.Formats;
using Slm.Engine.Quantization;

namespace Slm.Engine.Tests.Kernels;

/// <summary>The kernels' equations in double precision, written for reading.</summary>
internal static class ScalarTwins
{
    /// <summary>Stored bytes of a row to values, from the layouts of the GGUF format.</summary>
    public static double[] Dequantize(TensorType type, ReadOnlySpan<byte> row, int columns)
    {
        var values = new double[columns];
        if (type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16 or TensorType.Q8_0 or TensorType.Q4_0))
            return DequantizeOther(type, row, columns);
        for (var i = 0; i < columns; i++)
        {
            values[i] = type switch
            {
                TensorType.F32 => BitConverter.ToSingle(row[(i * 4)..]),
                TensorType.F16 => (double)BitConverter.ToHalf(row[(i * 2)..]),
                TensorType.BF16 => BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(row[(i * 2)..]) << 16),
                TensorType.Q8_0 => (double)BitConverter.ToHalf(row[(i / 32 * 34)..]) * (sbyte)row[(i / 32 * 34) + 2 + (i % 32)],
                TensorType.Q4_0 => (double)BitConverter.ToHalf(row[(i / 32 * 18)..]) * (Nibble(row, i) - 8),
                _ => throw new NotSupportedException(type.ToString()),
            };
        }

        return values;
    }

    /// <summary>Σ w·x.</summary>
    public static double Dot(ReadOnlySpan<double> w, ReadOnlySpan<double> x)
    {
        var sum = 0.0;
        for (var i = 0; i < w.Length; i++)
            sum += w[i] * x[i];
        return sum;
    }

    /// <summary>Σ |w·x|, the scale of rounding errors of a dot product.</summary>
    public static double AbsoluteDot(ReadOnlySpan<double> w, ReadOnlySpan<double> x)
    {
        var sum = 0.0;
        for (var i = 0; i < w.Length; i++)
            sum += Math.Abs(w[i] * x[i]);
        return sum;
    }

    public static double[] RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon)
    {
        var squares = 0.0;
        foreach (var v in x)
            squares += (double)v * v;
        var result = new double[x.Length];
        for (var i = 0; i < x.Length; i++)
            result[i] = x[i] / Math.Sqrt((squares / x.Length) + epsilon) * weight[i];
        return result;
    }

    public static double SwiGlu(double gate, double up) => gate / (1 + Math.Exp(-gate)) * up;

    /// <summary>softmax(q·kᵀ·scale)·v over <paramref name="count"/> positions.</summary>
    public static double[] Attention(ReadOnlySpan<float> query, Func<int, int, float> key, Func<int, int, float> value, int count, double scale, double cap = 0)
    {
        var scores = new double[count];
        for (var p = 0; p < count; p++)
        {
            for (var d = 0; d < query.Length; d++)
                scores[p] += (double)query[d] * key(p, d);
            scores[p] *= scale;
            if (cap > 0)
                scores[p] = cap * Math.Tanh(scores[p] / cap);
        }

        var max = scores.Max();
        var total = scores.Sum(s => Math.Exp(s - max));
        var result = new double[query.Length];
        for (var p = 0; p < count; p++)
        {
            for (var d = 0; d < query.Length; d++)
                result[d] += Math.Exp(scores[p] - max) / total * value(p, d);
        }

        return result;
    }

    /// <summary>By the engine's own conversion, which the reference models check.</summary>
    private static unsafe double[] DequantizeOther(TensorType type, ReadOnlySpan<byte> row, int columns)
    {
        var values = new float[columns];
        fixed (byte* source = row)
        fixed (float* target = values)
            RowDequantizer.Dequantize(type, source, target, columns);
        return [.. values.Select(v => (double)v)];
    }

    private static int Nibble(ReadOnlySpan<byte> row, int i)
    {
        var packed = row[(i / 32 * 18) + 2 + (i % 16)];
        return i % 32 < 16 ? packed & 15 : packed >> 4;
    }
}
