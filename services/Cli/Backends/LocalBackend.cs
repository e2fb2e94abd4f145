using Slm.Runtime;

namespace Slm.Cli.Backends;

/// <summary>A model loaded into this process.</summary>
internal sealed class LocalBackend(TextModel model, string? adapter) : IModelBackend
{
    private const string AdapterName = "adapter";

    public string Name => model.Name;

    public static async Task<LocalBackend> OpenAsync(string name, int? threads, int? context, int? stages, string? draft, string? adapter, long? expertMemory)
    {
        var chosen = AdapterArgument.Local(adapter);
        var model = TextModel.Open(
        ModelArgument.ResolveGguf(name),
        new TextModelOptions
        {
            Threads = threads,
            ContextLength = context,
            Stages = stages ?? 1,
            ExpertMemory = expertMemory,
            DraftModel = draft is null ? null : ModelArgument.ResolveGguf(draft, "--draft-model"),
        });
        try
        {
            if (chosen is not null)
                await model.LoadAdapterAsync(AdapterName, chosen.Path, chosen.Strength, CancellationToken.None);
            return new LocalBackend(model, chosen is null ? null : AdapterName);
        }
        catch
        {
            await model.DisposeAsync();
            throw;
        }
    }

    public void RequireChat()
    {
        if (model.ChatTemplate is null)
            throw new ChatTemplateMissingException(model.Name);
    }

    public IAsyncEnumerable<TextChunk> GenerateAsync(TextRequest request, CancellationToken cancellationToken) =>
        model.GenerateAsync(request with { Adapter = adapter }, cancellationToken);

    public ValueTask DisposeAsync() => model.DisposeAsync();
}
