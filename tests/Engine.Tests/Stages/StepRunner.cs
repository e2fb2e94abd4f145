using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Models;

namespace Slm.Engine.Tests.Stages;

/// <summary>Feeds sequences to a pipeline and collects the logits of every position.</summary>
internal static class StepRunner
{
    public static readonly string[] KernelSets = [.. KernelSet.Available.Select(set => set.Name)];

    public static KernelSet Kernels(string? name) => name is null ? KernelSet.Best : KernelSet.Choose(name);

    public static LocalPipeline Load(ModelFile file, string? kernels = null, int stages = 1, int threads = 2) =>
        LocalPipeline.Load(file, new LocalPipelineOptions
        {
            Stages = stages,
            Threads = threads,
            KvCacheBytes = 32 << 20,
            Kernels = Kernels(kernels),
        });

    /// <summary>Logits [tokens, vocab] of one sequence whose prompt is cut into chunks.</summary>
    public static float[] Logits(LocalPipeline pipeline, ReadOnlySpan<int> tokens, int[] blocks, int chunk, StepOutput output = StepOutput.Logits, int[]? encoder = null)
    {
        var batch = new StepBatch();
        var all = new List<float>();
        if (encoder is { Length: > 0 })
            Encode(pipeline, encoder, blocks);
        for (var start = 0; start < tokens.Length; start += chunk)
        {
            var count = Math.Min(chunk, tokens.Length - start);
            batch.Clear();
            batch.Add(tokens.Slice(start, count), start, blocks, count, stateSlot: 0, encoderTokens: encoder?.Length ?? 0);
            all.AddRange(Forward(pipeline, batch, output).Span);
        }

        return [.. all];
    }

    /// <summary>The encoder's step; its input takes the first of the blocks.</summary>
    public static void Encode(LocalPipeline pipeline, int[] encoder, int[] blocks)
    {
        var batch = new StepBatch { Encodes = true };
        batch.Add(encoder, 0, blocks, 0);
        Assert.Equal(0, Forward(pipeline, batch).Length);
    }

    /// <summary>One step; local pipelines complete at once.</summary>
    public static ReadOnlyMemory<float> Forward(LocalPipeline pipeline, StepBatch batch, StepOutput output = StepOutput.Logits)
    {
        var step = pipeline.ForwardAsync(batch, output, CancellationToken.None);
        return step.IsCompletedSuccessfully ? step.Result : throw new InvalidOperationException("A local step did not complete at once.");
    }

    public static int ArgMax(ReadOnlySpan<float> row)
    {
        var best = 0;
        for (var i = 1; i < row.Length; i++)
        {
            if (row[i] > row[best])
                best = i;
        }

        return best;
    }
}
