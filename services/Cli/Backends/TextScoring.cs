using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Scheduling;
using Slm.Engine.Scoring;
using Slm.Tokenization;

namespace Slm.Cli.Backends;

/// <summary>Reads a text file with a model, chunk by chunk, as <see cref="Perplexity"/> defines it.</summary>
internal static class TextScoring
{
    /// <summary>Tokens of a chunk unless the user says otherwise.</summary>
    public const int DefaultChunk = 512;

    /// <param name="file">The model.</param>
    /// <param name="textPath">A UTF-8 text.</param>
    /// <param name="chunk">Tokens of a chunk, or null for the default.</param>
    /// <param name="maxChunks">Chunks to read, or null for all.</param>
    /// <param name="threads">Threads, or null for one per processor.</param>
    /// <param name="kvType">What keys and values are kept as, or null for what suits the model.</param>
    /// <param name="adapter">Changes the model; null: none.</param>
    /// <param name="observer">Sees the inputs of products.</param>
    /// <param name="progress">Told the chunks that are done.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static async Task<PerplexityResult> RunAsync(
        ModelFile file, string textPath, int? chunk, int? maxChunks, int? threads, KvType? kvType, AdapterArgument? adapter, IInputObserver? observer, IProgress<(int Done, int All)>? progress, CancellationToken cancellationToken)
    {
        ModelTaskException.RequireDecoder(file.Config);
        var tokenizer = TokenizerLoader.FromGguf(file.Source.Metadata);
        var text = await File.ReadAllTextAsync(textPath, cancellationToken);
        var ids = tokenizer.Encode(text, addSpecialTokens: false).Ids;
        if (tokenizer.Special is { AddsBos: true, Bos: { } bos })
            ids = [bos, .. ids];
        if (ids.Length < 3)
            throw new CliException($"--text: '{textPath}' has {ids.Length} tokens; at least 3 are needed.");
        var config = file.Config;
        if (chunk > config.ContextLength)
            throw new CliException($"--chunk: {chunk} tokens are more than the context of {config.ContextLength}. Give fewer.");
        var length = Math.Min(Math.Min(chunk ?? DefaultChunk, config.ContextLength), ids.Length);
        await using var pipeline = LocalPipeline.Load(file, PipelineSizes.For(config, [length], threads, null, kvType) with { Observer = observer });
        var options = new PerplexityOptions
        {
            ChunkTokens = length,
            BeginToken = tokenizer.Special.AddsBos ? tokenizer.Special.Bos : null,
            MaxChunks = maxChunks ?? int.MaxValue,
            Adapter = adapter is null ? 0 : 1,
        };
        if (adapter is not null)
        {
            using var opened = adapter.Open(file);
            await pipeline.LoadAdapterAsync(options.Adapter, opened, cancellationToken);
        }

        return await Perplexity.MeasureAsync(pipeline, ids, options, progress, cancellationToken);
    }
}
