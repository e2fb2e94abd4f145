using System.Globalization;
using Slm.Engine.Architectures;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Models;

namespace Slm.Engine.Fetching;

/// <summary>What of a model's weights is needed in one place: a stage, with some of its experts or all, or experts alone.</summary>
public sealed record WeightSelection
{
    /// <summary>The layers. The first one's stage needs the embedding as well, the last one's the head.</summary>
    public required LayerRange Layers { get; init; }

    /// <summary>Experts of every mixture layer; null: all of them.</summary>
    public IReadOnlyList<int>? Experts { get; init; }

    /// <summary>The experts and nothing else of the layers.</summary>
    public bool OnlyExperts { get; init; }

    /// <summary>The byte ranges of a GGUF file that hold the selection: its head, then tensors in the order of the file, none touching the next.</summary>
    /// <remarks>They are found by having the architecture ask for its tensors without reading them, so they are what a stage reads.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">A layer or expert does not exist.</exception>
    /// <exception cref="NotSupportedException">The model is a folder.</exception>
    public IReadOnlyList<ByteRange> RangesIn(ModelFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (file.Source is not GgufFile source)
            throw new NotSupportedException($"{file.Name}: ranges of weights are known for GGUF files only, and this is a folder of safetensors. Write one file with 'slm quantize', or have the whole folder on every machine.");
        return ByteRange.Merge(ReadsOf(file).Select(read => new ByteRange(source.Position(read.Tensor) + read.Offset, read.Bytes)).Prepend(new ByteRange(0, source.HeadBytes)));
    }

    /// <summary>The parts of tensors in the selection.</summary>
    internal IReadOnlyList<WeightRead> ReadsOf(ModelFile file)
    {
        var config = file.Config;
        if (Layers.First < 0 || Layers.Count < 1 || Layers.End > config.LayerCount)
            throw new ArgumentOutOfRangeException(nameof(file), string.Create(CultureInfo.InvariantCulture, $"Layers {Layers} are not in {file.Name}, which has {config.LayerCount}."));
        foreach (var expert in Experts ?? [])
        {
            if (expert < 0 || expert >= (config.Experts?.Count ?? 0))
                throw new ArgumentOutOfRangeException(nameof(file), string.Create(CultureInfo.InvariantCulture, $"Expert {expert} is not in {file.Name}, which has {config.Experts?.Count ?? 0}."));
        }

        var reads = new WeightReads();
        var weights = new ModelWeights(file, KernelSet.Best, reads: reads);
        var architecture = ArchitectureCatalog.Get(config.Architecture);
        if (Layers.First == 0)
            architecture.Embedding(weights);
        for (var layer = Layers.First; layer < Layers.End; layer++)
            architecture.Layer(weights, layer, layer - Layers.First);
        architecture.Positions(weights);
        if (Layers.End == config.LayerCount)
            architecture.Head(weights);
        return [.. reads.All.Where(read => read.Expert is { } expert ? Experts is null || Experts.Contains(expert) : !OnlyExperts)];
    }
}
