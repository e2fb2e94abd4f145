using System.Runtime.InteropServices;
using Slm.Engine.Models;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Experts;

/// <summary>Mixtures of experts, and what they compute where all experts are in memory: what any other way must give bit for bit.</summary>
public static class ExpertModels
{
    /// <summary>Reference models of each architecture and type.</summary>
    public static readonly string[] Names = ["llama-moe-f16", "qwen3moe-f32", "qwen3moe-q8_0", "smallthinker-f32", "smallthinker-softmax-f16"];

    /// <summary>KV blocks for a sequence, in no order.</summary>
    public static readonly int[] Blocks = [5, 0, 9];

    /// <summary>Each model with each set of kernels.</summary>
    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var model in Names)
            {
                foreach (var kernels in StepRunner.KernelSets)
                    cases.Add(model, kernels);
            }

            return cases;
        }
    }

    /// <summary>Tokens, and their logits by one thread, token by token.</summary>
    internal static async Task<(int[] Tokens, float[] Logits)> ResidentAsync(ModelFile file, string? kernels, int length)
    {
        var random = new Random(7);
        int[] tokens = [.. Enumerable.Range(0, length).Select(_ => random.Next(file.Config.VocabSize))];
        await using var pipeline = StepRunner.Load(file, kernels, threads: 1);
        return (tokens, StepRunner.Logits(pipeline, tokens, [1, 2, 3], 1));
    }

    /// <summary>Fails unless both have the same bits.</summary>
    internal static void Same(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.True(MemoryMarshal.AsBytes(expected).SequenceEqual(MemoryMarshal.AsBytes(actual)));
        Assert.True(float.IsFinite(actual[^1]));
    }
}
