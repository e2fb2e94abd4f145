using Slm.Training.Data;
using Slm.Training.Kernels;
using Slm.Training.Model;
using Slm.Training.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace Slm.Training.Tests;

public sealed class GradientTests
{
    private static readonly ModelShape Small = new()
    {
        VocabSize = 48,
        HiddenSize = 128,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        FeedForwardSize = 96,
        ContextLength = 80,
    };

    [Fact]
    public void Loss_and_gradient_of_packed_documents_equal_automatic_differentiation_of_each_document_alone()
    {
        var (loss, gradient) = Compute<SingleStorage>();
        var (expectedLoss, expected) = Expected();
        Assert.Equal(expectedLoss, loss, 1e-5 * expectedLoss);
        AssertClose(expected, gradient, 2e-5);
    }

    [Fact]
    public void Brain_float_gradient_points_where_the_exact_one_does()
    {
        var (loss, gradient) = Compute<BrainStorage>();
        var (expectedLoss, expected) = Expected();
        Assert.Equal(expectedLoss, loss, 5e-3 * expectedLoss);
        AssertClose(expected, gradient, 3e-2);
    }

    [Fact]
    public void Logits_of_a_document_are_the_same_alone_and_packed_behind_others()
    {
        var layout = new ParameterLayout(Small);
        using var weights = new WeightSet<SingleStorage>(layout);
        layout.Initialize(weights.Values, 5);
        weights.Refresh();
        using var worker = new GradientWorker<SingleStorage>(layout, 192);
        var batch = Batch();
        var packed = worker.Logits(batch, weights);
        foreach (var segment in batch.Segments)
        {
            var tokens = new int[192];
            batch.Tokens.AsSpan(segment.Start, segment.Length).CopyTo(tokens);
            var alone = worker.Logits(new PackedBatch(tokens, new int[192], [new Segment(0, segment.Length)]), weights);
            for (var i = 0; i < segment.Length * Small.VocabSize; i++)
                Assert.Equal(alone[i], packed[segment.Start * Small.VocabSize + i], 1e-5f);
        }
    }

    private static PackedBatch Batch()
    {
        var random = new Random(3);
        var tokens = new int[192];
        var targets = new int[192];
        Array.Fill(targets, -1);
        Segment[] segments = [new(0, 1), new(1, 67), new(68, 33), new(101, 80)];
        foreach (var segment in segments)
            for (var i = segment.Start; i < segment.Start + segment.Length; i++)
                (tokens[i], targets[i]) = (random.Next(48), i % 7 == 0 ? -1 : random.Next(48));
        return new PackedBatch(tokens, targets, segments);
    }

    private static unsafe (double Loss, double[] Gradient) Compute<T>()
        where T : struct, IStorage
    {
        var layout = new ParameterLayout(Small);
        using var weights = new WeightSet<T>(layout);
        layout.Initialize(weights.Values, 5);
        weights.Refresh();
        using var worker = new GradientWorker<T>(layout, 192);
        using var slot = new GradientSlot<T>(layout);
        var batch = Batch();
        var weight = 1f / batch.TargetCount;
        worker.Run(batch, weights, slot, weight);
        var loss = worker.Run(batch, weights, slot, weight) * weight;
        var gradient = new double[layout.Length];
        foreach (var p in layout.All)
            for (var i = 0; i < p.Length; i++)
                gradient[p.Offset + i] = p.IsMatrix ? T.Get(slot.Matrices, p.Offset + i) : slot.Vector(p)[i];
        for (var i = 0; i < layout.Embedding.Length; i++)
            gradient[i] += slot.InputEmbedding[i];
        return (loss, gradient);
    }

    private static (double Loss, double[] Gradient) Expected()
    {
        using var scope = NewDisposeScope();
        var layout = new ParameterLayout(Small);
        var flat = new float[layout.Length];
        layout.Initialize(flat, 5);
        var model = new ReferenceModel(layout, flat);
        var batch = Batch();
        var total = tensor(0.0);
        foreach (var segment in batch.Segments)
        {
            var logits = model.Logits(batch.Tokens[segment.Start..(segment.Start + segment.Length)]);
            var targets = tensor([.. batch.Targets[segment.Start..(segment.Start + segment.Length)].Select(t => (long)t)]);
            total = total + nn.functional.cross_entropy(logits, targets, ignore_index: -1, reduction: nn.Reduction.Sum);
        }

        var mean = total / batch.TargetCount;
        mean.backward();
        return (mean.item<double>(), model.Gradient());
    }

    /// <summary>Compares each weight's gradient by the norm of the difference.</summary>
    private static void AssertClose(double[] expected, double[] actual, double tolerance)
    {
        foreach (var p in new ParameterLayout(Small).All)
        {
            double difference = 0, norm = 0;
            for (var i = p.Offset; i < p.Offset + p.Length; i++)
            {
                difference += (expected[i] - actual[i]) * (expected[i] - actual[i]);
                norm += expected[i] * expected[i];
            }

            Assert.True(Math.Sqrt(difference / norm) < tolerance, $"{p.Name}: relative difference {Math.Sqrt(difference / norm)}");
        }
    }
}
