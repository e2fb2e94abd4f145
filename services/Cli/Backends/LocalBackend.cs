using Slm.Runtime;

namespace Slm.Cli.Backends;

/// <summary>A model loaded into this process.</summary>
internal sealed class LocalBackend(TextModel model) : IModelBackend
{
    public string Name => model.Name;

    public static LocalBackend Open(string name, int? threads, int? context, int? stages, string? draft) => new(TextModel.Open(
        ModelArgument.ResolveGguf(name),
        new TextModelOptions
        {
            Threads = threads,
            ContextLength = context,
            Stages = stages ?? 1,
            DraftModel = draft is null ? null : ModelArgument.ResolveGguf(draft, "--draft-model"),
        }));

    public void RequireChat()
    {
        if (model.ChatTemplate is null)
            throw new ChatTemplateMissingException(model.Name);
    }

    public IAsyncEnumerable<TextChunk> GenerateAsync(TextRequest request, CancellationToken cancellationToken) =>
        model.GenerateAsync(request, cancellationToken);

    public ValueTask DisposeAsync() => model.DisposeAsync();
}
