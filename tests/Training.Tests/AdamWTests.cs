using Slm.Training.Kernels;
using Slm.Training.Model;
using Slm.Training.Optimization;

namespace Slm.Training.Tests;

public sealed unsafe class AdamWTests
{
    private static readonly ModelShape Shape = new()
    {
        VocabSize = 16,
        HiddenSize = 32,
        LayerCount = 1,
        HeadCount = 1,
        KeyValueHeadCount = 1,
        FeedForwardSize = 32,
        ContextLength = 16,
    };

    [Theory]
    [InlineData(1e9)]
    [InlineData(0.5)]
    public void Steps_equal_the_definition_in_double_precision(double maxNorm)
    {
        var options = new AdamWOptions { Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8, WeightDecay = 0.1, MaxGradientNorm = maxNorm };
        var layout = new ParameterLayout(Shape);
        using var weights = new WeightSet<SingleStorage>(layout);
        using GradientSlot<SingleStorage> one = new(layout), two = new(layout);
        layout.Initialize(weights.Values, 1);
        var optimizer = new AdamW<SingleStorage>(layout, options);

        var n = layout.Length;
        var w = weights.Values.ToArray().Select(v => (double)v).ToArray();
        double[] m = new double[n], v = new double[n];
        var random = new Random(9);
        for (var step = 1; step <= 3; step++)
        {
            var g = Fill(layout, random, one, two);
            var norm = Math.Sqrt(g.Sum(x => x * x));
            var rate = 0.01 / step;
            var reported = optimizer.Step(weights, [one, two], step, rate, threads: 2);
            Assert.Equal(norm, reported, 1e-4 * norm);
            foreach (var p in layout.All)
                for (var i = p.Offset; i < p.Offset + p.Length; i++)
                {
                    var clipped = g[i] * Math.Min(1, maxNorm / norm);
                    m[i] = 0.9 * m[i] + 0.1 * clipped;
                    v[i] = 0.95 * v[i] + 0.05 * clipped * clipped;
                    var update = m[i] / (1 - Math.Pow(0.9, step)) / (Math.Sqrt(v[i] / (1 - Math.Pow(0.95, step))) + 1e-8);
                    w[i] -= rate * (update + (p.IsMatrix ? 0.1 * w[i] : 0));
                }

            for (var i = 0; i < n; i++)
                Assert.Equal(w[i], weights.Values[i], 2e-5);
        }
    }

    [Fact]
    public void A_gradient_that_is_not_finite_changes_nothing()
    {
        var layout = new ParameterLayout(Shape);
        using var weights = new WeightSet<SingleStorage>(layout);
        using var slot = new GradientSlot<SingleStorage>(layout);
        layout.Initialize(weights.Values, 1);
        var before = weights.Values.ToArray();
        ((float*)slot.Matrices)[5] = float.NaN;
        Assert.True(double.IsNaN(new AdamW<SingleStorage>(layout, new AdamWOptions()).Step(weights, [slot], 1, 0.1, 1)));
        Assert.Equal(before, weights.Values.ToArray());
    }

    /// <summary>Fills both slots with random gradients and gives their sum.</summary>
    private static double[] Fill(ParameterLayout layout, Random random, params GradientSlot<SingleStorage>[] slots)
    {
        var sum = new double[layout.Length];
        float Next(int at)
        {
            var value = (float)(random.NextDouble() - 0.5);
            sum[at] += value;
            return value;
        }

        foreach (var slot in slots)
            foreach (var p in layout.All)
                for (var i = 0; i < p.Length; i++)
                {
                    if (!p.IsMatrix)
                        slot.Vector(p)[i] = Next(p.Offset + i);
                    else
                        ((float*)slot.Matrices)[p.Offset + i] = Next(p.Offset + i);
                    if (p == layout.Embedding)
                        slot.InputEmbedding[i] = Next(p.Offset + i);
                }

        return sum;
    }
}
