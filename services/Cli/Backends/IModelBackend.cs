using Slm.Runtime;

namespace Slm.Cli.Backends;

/// <summary>A model to generate with: in this process, or of a running platform.</summary>
internal interface IModelBackend : IAsyncDisposable
{
    string Name { get; }

    /// <summary>Throws if the model cannot take messages, where that is known beforehand.</summary>
    void RequireChat();

    /// <summary>Streams the answer; see <see cref="TextModel.GenerateAsync"/>.</summary>
    IAsyncEnumerable<TextChunk> GenerateAsync(TextRequest request, CancellationToken cancellationToken);
}
