using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Engine.Planning;

/// <summary>What a model costs, layer by layer. Bytes of weights are those the products read, which are also those in memory.</summary>
public sealed record ModelShape
{
    /// <summary>Name of the model.</summary>
    public required string Name { get; init; }

    /// <summary>The layers, in order.</summary>
    public required IReadOnlyList<LayerShape> Layers { get; init; }

    /// <summary>Bytes of the embedding, in the first stage, as the file has it.</summary>
    public required long EmbeddingBytes { get; init; }

    /// <summary>Bytes that the embedding reads for a token: a row.</summary>
    public required long EmbeddingRowBytes { get; init; }

    /// <summary>Bytes of the head, in the last stage, as the product reads it.</summary>
    public required long HeadBytes { get; init; }

    /// <summary>Bytes of the head's tensors as the file has them.</summary>
    public required long HeadStoredBytes { get; init; }

    /// <summary>Bytes of memory that embedding and head share where a stage has both.</summary>
    public long TiedBytes { get; init; }

    /// <summary>Bytes of the tensors of the file that embedding and head share.</summary>
    public long TiedStoredBytes { get; init; }

    /// <summary>Multiply-adds of a row of logits.</summary>
    public required double HeadMultiplyAdds { get; init; }

    /// <summary>Whether most weights are floats, whose products are slower than those of quantized weights.</summary>
    public bool HasFloatWeights { get; init; }

    /// <summary>Bytes of small tensors that every stage reads, such as factors of rotations.</summary>
    public long CommonBytes { get; init; }

    /// <summary>Elements of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Elements of a row of logits; 0 for a model that has none.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Positions of the longest sequence.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Bytes that a stage takes for each token of its largest step: residual stream, heads, feed-forward, visits of experts.</summary>
    public required long ScratchBytesPerToken { get; init; }

    /// <summary>What models have in common that cost the same: their layers' number and sizes. It tells them apart and says nothing else.</summary>
    public string Kind => FormattableString.Invariant(
        $"{Layers.Count} layers of {HiddenSize}: {Layers.Sum(layer => layer.DenseBytes)} bytes, {Layers.Sum(layer => layer.ExpertsUsed)} x {Layers.Max(layer => layer.ExpertBytes)} of experts, {HeadBytes} of the head");

    /// <summary>All layers.</summary>
    public LayerRange AllLayers => new(0, Layers.Count);

    /// <summary>Bytes of keys and values of a position over all layers.</summary>
    public long KvBytesPerPosition => KvBytes(AllLayers);

    /// <summary>Reads the shape from a model's metadata and tensor list; weights are not read.</summary>
    /// <param name="file">The model.</param>
    /// <param name="kvType">What keys and values are kept as; by default what suits the model.</param>
    public static ModelShape Of(ModelFile file, KvType? kvType = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        return ShapeReader.Read(file, kvType ?? file.KvType);
    }

    /// <summary>Bytes of weights that a stage of these layers has in memory, experts included.</summary>
    public long WeightBytes(LayerRange range) =>
        Ends(range, EmbeddingBytes, HeadBytes, TiedBytes) + Sum(range, layer => layer.WeightBytes);

    /// <summary>Bytes of the tensors that a stage of these layers reads from the file: what a stage reports as its weights.</summary>
    public long StoredBytes(LayerRange range) =>
        Ends(range, EmbeddingBytes, HeadStoredBytes, TiedStoredBytes) + Sum(range, layer => layer.StoredBytes);

    /// <summary>Bytes of the experts of these layers.</summary>
    public long ExpertsBytes(LayerRange range) => Sum(range, layer => layer.ExpertsBytes);

    /// <summary>Bytes of keys and values of a position over these layers.</summary>
    public long KvBytes(LayerRange range) => Sum(range, layer => layer.KvBytesPerPosition);

    /// <summary>Bytes of recurrent state of a sequence over these layers.</summary>
    public long StateBytes(LayerRange range) => Sum(range, layer => layer.StateBytes);

    private long Ends(LayerRange range, long embedding, long head, long tied)
    {
        var (first, last) = (range.First == 0, range.End == Layers.Count);
        return CommonBytes + (first ? embedding : 0) + (last ? head : 0) - (first && last ? tied : 0);
    }

    private long Sum(LayerRange range, Func<LayerShape, long> bytes)
    {
        var sum = 0L;
        for (var layer = range.First; layer < range.End; layer++)
            sum += bytes(Layers[layer]);
        return sum;
    }
}
