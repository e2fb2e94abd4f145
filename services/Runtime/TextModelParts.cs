using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Scheduling;
using Slm.Tokenization;
using Slm.Tokenization.Templates;

namespace Slm.Runtime;

/// <summary>What a <see cref="TextModel"/> is made of.</summary>
public sealed record TextModelParts
{
    /// <summary>The model's name.</summary>
    public required string Name { get; init; }

    /// <summary>Its tokenizer.</summary>
    public required ITokenizer Tokenizer { get; init; }

    /// <summary>Its chat template, if it has one.</summary>
    public ChatTemplate? ChatTemplate { get; init; }

    /// <summary>What computes.</summary>
    public required IPipeline Pipeline { get; init; }

    /// <summary>Proposes tokens; its vocabulary is that of <see cref="Pipeline"/>. Disposed with it.</summary>
    public IPipeline? Draft { get; init; }

    /// <summary>Computes the fingerprint of model and numerics; called once, on another thread.</summary>
    public required Func<string> Fingerprint { get; init; }

    /// <summary>Opens an adapter, a file or folder, with a strength; null where the model takes none.</summary>
    public Func<string, float, LoraAdapter>? OpenAdapter { get; init; }

    /// <summary>How embeddings are pooled where the request does not say.</summary>
    public PoolingKind Pooling { get; init; } = PoolingKind.Mean;

    /// <summary>Disposed after the pipelines, in this order: the model files, and threads they share.</summary>
    public IReadOnlyList<IDisposable> Owned { get; init; } = [];
}
