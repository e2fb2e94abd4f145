using Slm.Engine.Architectures;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Planning;
using Slm.Engine.Threading;

namespace Slm.Engine.Tests.Planning;

/// <summary>Shapes are read from names; stages, which take the tensors, say what is right.</summary>
public sealed class ModelShapeTests
{
    public static TheoryData<string> Models => [.. ReferenceModels.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void Stored_bytes_of_every_range_are_those_that_a_stage_reports(string model)
    {
        using var file = ModelFile.Open(ReferenceModels.Path(model));
        using var workers = new WorkerPool(1);
        var shape = ModelShape.Of(file);
        Assert.Equal(file.Config.LayerCount, shape.Layers.Count);
        for (var first = 0; first < shape.Layers.Count; first++)
        {
            for (var end = first + 1; end <= shape.Layers.Count; end++)
            {
                using var stage = Stage.Load(file, new LayerRange(first, end), new StageOptions { BlockCount = 1, StateSlots = 1, MaxStepTokens = 1 }, workers);

                // The two stacks' biases by position, of which a stage may take one alone.
                var tolerance = file.Config.Encoder is not null && stage.Range != shape.AllLayers ? shape.CommonBytes : 0;
                Assert.InRange(shape.StoredBytes(stage.Range) - stage.WeightBytes, 0, tolerance);
                Assert.Equal(stage.KvBytesPerToken, shape.KvBytes(stage.Range));
                Assert.Equal(stage.StateBytes, shape.StateBytes(stage.Range));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Working_bytes_and_multiply_adds_of_a_layer_are_those_of_its_matrices(string model)
    {
        using var file = ModelFile.Open(ReferenceModels.Path(model));
        var shape = ModelShape.Of(file);
        var architecture = ArchitectureCatalog.Get(file.Config.Architecture);
        for (var layer = 0; layer < shape.Layers.Count; layer++)
        {
            var weights = new ModelWeights(file, KernelSet.Best);
            architecture.Layer(weights, layer, 0);
            var of = shape.Layers[layer];

            // The rest are vectors and convolutions, at most 16-bit floats that become 32-bit ones.
            var vectors = weights.Bytes - weights.Matrices.Sum(matrix => matrix.StoredBytes);
            Assert.InRange(of.WeightBytes - weights.Matrices.Sum(matrix => matrix.WorkingBytes), 0, 2 * vectors);
            var products = weights.Matrices.Sum(matrix => (double)matrix.Rows * matrix.Columns);
            Assert.InRange(of.DenseMultiplyAdds + (of.ExpertCount * of.ExpertMultiplyAdds) - products, 0, vectors);
        }
    }

    [Theory]
    [InlineData("llama-q4_0")]
    [InlineData("llama-tied-f16")]
    [InlineData("qwen3moe-q8_0")]
    public void The_head_is_that_of_the_architecture(string model)
    {
        using var file = ModelFile.Open(ReferenceModels.Path(model));
        var shape = ModelShape.Of(file);
        var weights = new ModelWeights(file, KernelSet.Best);
        ArchitectureCatalog.Get(file.Config.Architecture).Head(weights);
        Assert.Equal(weights.Matrices.Sum(matrix => matrix.WorkingBytes) + (4 * file.Config.HiddenSize), shape.HeadBytes);
        Assert.Equal((double)file.Config.HiddenSize * file.Config.VocabSize, shape.HeadMultiplyAdds);
    }

    [Fact]
    public void Experts_are_counted_apart()
    {
        using var file = ModelFile.Open(ReferenceModels.Path("qwen3moe-f32"));
        var shape = ModelShape.Of(file);
        var experts = file.Config.Experts!;
        Assert.All(shape.Layers, layer =>
        {
            Assert.Equal(experts.Count, layer.ExpertCount);
            Assert.Equal(experts.UsedCount, layer.ExpertsUsed);
            Assert.Equal(3L * 4 * file.Config.HiddenSize * experts.FeedForwardSize, layer.ExpertBytes);
            Assert.Equal(3.0 * file.Config.HiddenSize * experts.FeedForwardSize, layer.ExpertMultiplyAdds);
        });
    }

    [Fact]
    public void Layers_with_a_window_see_no_more()
    {
        using var file = ModelFile.Open(ReferenceModels.Path("gemma3-f32"));
        var layers = ModelShape.Of(file).Layers;
        Assert.Equal(file.Config.Window, layers[0].Window);
        Assert.Equal(file.Config.Window, layers[0].Seen(1e6));
        for (var layer = 0; layer < layers.Count; layer++)
            Assert.Equal(layer % 6 == 5 ? 0 : file.Config.Window, layers[layer].Window);
    }
}
