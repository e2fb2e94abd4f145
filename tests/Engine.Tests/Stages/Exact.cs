namespace Slm.Engine.Tests.Stages;

/// <summary>What models are made of, in double precision and straight loops: rows are arrays, a text is an array of rows.</summary>
internal static class Exact
{
    /// <summary>W·x + b for every row; W [outputs, inputs].</summary>
    public static double[][] Product(double[][] x, float[] weights, float[]? bias = null)
    {
        var inputs = x[0].Length;
        var outputs = weights.Length / inputs;
        return Each(x, row =>
        {
            var y = new double[outputs];
            for (var o = 0; o < outputs; o++)
            {
                var sum = bias is null ? 0.0 : bias[o];
                for (var i = 0; i < inputs; i++)
                    sum += (double)weights[(o * inputs) + i] * row[i];
                y[o] = sum;
            }

            return y;
        });
    }

    public static double[][] Each(double[][] x, Func<double[], double[]> row) => Array.ConvertAll(x, r => row(r));

    public static double[][] Add(double[][] x, double[][] y) => [.. x.Zip(y, (a, b) => a.Zip(b, (p, q) => p + q).ToArray())];

    public static double[][] RmsNorm(double[][] x, float[] weights, double epsilon) => Each(x, row =>
    {
        var mean = row.Sum(v => v * v) / row.Length;
        return [.. row.Select((v, i) => v / Math.Sqrt(mean + epsilon) * weights[i])];
    });

    public static double[][] LayerNorm(double[][] x, float[] weights, float[] bias, double epsilon) => Each(x, row =>
    {
        var mean = row.Sum() / row.Length;
        var variance = row.Sum(v => (v - mean) * (v - mean)) / row.Length;
        return [.. row.Select((v, i) => ((v - mean) / Math.Sqrt(variance + epsilon) * weights[i]) + bias[i])];
    });

    /// <summary>Heads of softmax(scale · q·k + bias)·v over the keys that a query sees.</summary>
    /// <param name="bias">Head, query, key; minus infinity where the key is not seen.</param>
    public static double[][] Attend(double[][] queries, double[][] keys, double[][] values, int heads, double scale, Func<int, int, int, double> bias)
    {
        var (size, valueSize) = (queries[0].Length / heads, values[0].Length / heads);
        var result = new double[queries.Length][];
        for (var q = 0; q < queries.Length; q++)
        {
            result[q] = new double[heads * valueSize];
            for (var h = 0; h < heads; h++)
            {
                var scores = new double[keys.Length];
                for (var k = 0; k < keys.Length; k++)
                {
                    var dot = 0.0;
                    for (var d = 0; d < size; d++)
                        dot += queries[q][(h * size) + d] * keys[k][(h * size) + d];
                    scores[k] = (scale * dot) + bias(h, q, k);
                }

                var top = scores.Max();
                var sum = scores.Sum(s => Math.Exp(s - top));
                for (var k = 0; k < keys.Length; k++)
                {
                    for (var d = 0; d < valueSize; d++)
                        result[q][(h * valueSize) + d] += Math.Exp(scores[k] - top) / sum * values[k][(h * valueSize) + d];
                }
            }
        }

        return result;
    }

    /// <summary>Rotates halves of each head: pairs (i, i + size/2).</summary>
    public static double[][] Rotate(double[][] x, int heads, double theta)
    {
        var size = x[0].Length / heads;
        var turned = Array.ConvertAll(x, row => (double[])row.Clone());
        for (var p = 0; p < x.Length; p++)
        {
            for (var h = 0; h < heads; h++)
            {
                for (var i = 0; i < size / 2; i++)
                {
                    var angle = p * Math.Pow(theta, -2.0 * i / size);
                    var (a, b) = ((h * size) + i, (h * size) + i + (size / 2));
                    turned[p][a] = (x[p][a] * Math.Cos(angle)) - (x[p][b] * Math.Sin(angle));
                    turned[p][b] = (x[p][a] * Math.Sin(angle)) + (x[p][b] * Math.Cos(angle));
                }
            }
        }

        return turned;
    }

    /// <summary>x · Φ(x), Φ from the Taylor series of erf, or for large arguments its continued fraction.</summary>
    public static double Gelu(double x)
    {
        var z = Math.Abs(x) / Math.Sqrt(2);
        double above;
        if (z < 3)
        {
            double term = z, sum = z;
            for (var n = 1; n < 200; n++)
            {
                term *= -z * z / n;
                sum += term / ((2 * n) + 1);
            }

            above = 0.5 * (1 - (2 / Math.Sqrt(Math.PI) * sum));
        }
        else
        {
            var fraction = z;
            for (var n = 100; n >= 1; n--)
                fraction = z + (n / 2.0 / fraction);
            above = 0.5 * Math.Exp(-z * z) / Math.Sqrt(Math.PI) / fraction;
        }

        return x < 0 ? x * above : x * (1 - above);
    }

    public static double TanhGelu(double x) => x / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x))));

    public static double Silu(double x) => x / (1 + Math.Exp(-x));

    /// <summary>Largest difference; the shapes must be the same.</summary>
    public static double Distance(double[][] expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Sum(r => r.Length), actual.Length);
        var worst = 0.0;
        for (int p = 0, at = 0; p < expected.Length; p++)
        {
            foreach (var value in expected[p])
                worst = Math.Max(worst, Math.Abs(value - actual[at++]));
        }

        return worst;
    }
}
