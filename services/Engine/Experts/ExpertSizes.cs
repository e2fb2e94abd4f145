using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Kernels.Panels;
using Slm.Engine.Models;

namespace Slm.Engine.Experts;

/// <summary>What the experts of a model take, to choose the memory for them.</summary>
public sealed record ExpertSizes
{
    /// <summary>Layers that have experts.</summary>
    public required int Layers { get; init; }

    /// <summary>Experts of a layer.</summary>
    public required int Count { get; init; }

    /// <summary>Experts that a token visits in a layer.</summary>
    public required int Used { get; init; }

    /// <summary>Memory of one expert, the largest of the model's.</summary>
    public required long ExpertBytes { get; init; }

    /// <summary>Memory beside the experts, through which they are read.</summary>
    public required long StagingBytes { get; init; }

    /// <summary>The least memory that works, for a stage.</summary>
    public long LeastBytes => checked((Used * ExpertBytes) + StagingBytes);

    /// <summary>How experts are read from the model's file, in words.</summary>
    public required string Reading { get; init; }

    /// <summary>Experts that stay in memory within a budget, of a whole model in one stage.</summary>
    public long SlotsOf(long memory) => memory < LeastBytes ? 0 : Math.Min((long)Layers * Count, (memory - StagingBytes) / ExpertBytes);

    /// <summary>Reads the sizes from a model's tensors; null if it has no experts.</summary>
    public static ExpertSizes? Of(ModelFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (file.Config.Experts is not { } experts)
            return null;
        var (layers, largest, read) = (0, 0L, 0L);
        for (var layer = 0; layer < file.Config.LayerCount; layer++)
        {
            var bytes = 0L;
            foreach (var name in new[] { "gate", "up", "down" })
            {
                if (!file.Source.TryGetTensor($"blk.{layer}.ffn_{name}_exps.weight", out var tensor) || tensor.Shape.Count < 2)
                    continue;
                var rows = (tensor.Shape[1] + KernelSet.Best.PanelRows - 1) / KernelSet.Best.PanelRows * KernelSet.Best.PanelRows;
                var working = PanelLayout.Of(tensor.Type) is { } layout ? layout.RowBytes(tensor.Columns) * rows : TensorTypes.RowBytes(tensor.Type, tensor.Columns) * tensor.Shape[1];
                bytes += (working + 63) & ~63L;
                read = Math.Max(read, TensorTypes.RowBytes(tensor.Type, tensor.Columns) * tensor.Shape[1]);
            }

            layers += bytes > 0 ? 1 : 0;
            largest = Math.Max(largest, bytes);
        }

        if (layers == 0)
            return null;
        using var opened = DirectFile.Open(file.Source.Path);
        return new ExpertSizes
        {
            Reading = opened.Mode,
            Layers = layers,
            Count = experts.Count,
            Used = experts.UsedCount,
            ExpertBytes = largest,
            StagingBytes = ExpertCache.ReaderCount * DirectFile.StagingBytes(read),
        };
    }
}
