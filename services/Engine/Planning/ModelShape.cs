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

    /// <summary>Bytes of the embedding, in the first stage.</summary>
    public required long EmbeddingBytes { get; init; }

    /// <summary>Bytes that the embedding reads for a token: a row.</summary>
    public required long EmbeddingRowBytes { get; init; }

    /// <summary>Bytes of the head, in the last stage, as the product reads it.</summary>
    public required long HeadBytes { get; init; }

    /// <summary>Bytes of the head's tensors as the file has them.</summary>
    public required long HeadStoredBytes { get; init; }

    /// <summary>Bytes of the tensors that embedding and head share; a stage that has both has them once in the file.</summary>
    public required long TiedStoredBytes { get; init; }

    /// <summary>Multiply-adds of a row of logits.</summary>
    public required double HeadMultiplyAdds { get; init; }

    /// <summary>Bytes of small tensors that every stage reads, such as factors of rotations.</summary>
    public required long CommonBytes { get; init; }

    /// <summary>Elements of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Elements of a row of logits.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Positions of the longest sequence.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Elements of the activations of a token inside a step, which a stage makes room for.</summary>
    public required long ScratchBytesPerToken { get; init; }

    /// <summary>All layers.</summary>
    public LayerRange AllLayers => new(0, Layers.Count);

    /// <summary>Reads the shape from a model's metadata and tensor list; weights are not read.</summary>
    /// <param name="file">The model.</param>
    /// <param name="kvType">What keys and values are kept as; by default what suits the model.</param>
    public static ModelShape Of(ModelFile file, KvType? kvType = null) => ShapeReader.Read(file, kvType ?? file.KvType);
}
