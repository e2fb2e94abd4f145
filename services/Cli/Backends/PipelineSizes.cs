using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Cli.Backends;

/// <summary>A pipeline whose KV cache holds exactly the sequences of one command.</summary>
internal static class PipelineSizes
{
    /// <param name="config">The model.</param>
    /// <param name="lengths">Tokens of each sequence.</param>
    /// <param name="threads">Threads, or null for one per processor.</param>
    /// <param name="stages">Stages, or null for one.</param>
    /// <param name="kvType">What keys and values are kept as, or null for what suits the model.</param>
    public static LocalPipelineOptions For(ModelConfig config, IReadOnlyList<int> lengths, int? threads, int? stages, KvType? kvType)
    {
        if (stages > config.LayerCount)
            throw new CliException($"--stages: {stages} is more than the model's {config.LayerCount} layers. Give at most that.");
        var options = new LocalPipelineOptions { Threads = threads ?? Environment.ProcessorCount, Stages = stages ?? 1 };
        var blocks = lengths.Sum(length => (long)BlocksOf(length, options.BlockSize));
        return options with { KvPositions = blocks * options.BlockSize, KvType = kvType, StateSlots = Math.Max(1, lengths.Count) };
    }

    public static int BlocksOf(int tokens, int blockSize) => (tokens + blockSize - 1) / blockSize;
}
