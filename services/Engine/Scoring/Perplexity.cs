using Slm.Engine.Execution;

namespace Slm.Engine.Scoring;

/// <summary>How perplexity is measured.</summary>
public sealed record PerplexityOptions
{
    /// <summary>Tokens of a chunk; a text that is shorter is one chunk.</summary>
    public int ChunkTokens { get; init; } = 512;

    /// <summary>Takes the place of every chunk's first token; null for models that want no such token.</summary>
    public int? BeginToken { get; init; }

    /// <summary>Slot of an adapter that the pipeline holds; 0: none.</summary>
    public int Adapter { get; init; }

    /// <summary>Chunks to read; all by default.</summary>
    public int MaxChunks { get; init; } = int.MaxValue;
}

/// <summary>A perplexity and what it is made of.</summary>
/// <param name="Perplexity">exp of the mean negative log-likelihood.</param>
/// <param name="StandardError">Its standard error, from the spread of the tokens' log-likelihoods.</param>
/// <param name="MeanNegativeLogLikelihood">In nats per token.</param>
/// <param name="Tokens">Tokens that were predicted.</param>
/// <param name="Chunks">Chunks that were read.</param>
/// <param name="ChunkTokens">Tokens of a chunk.</param>
public sealed record PerplexityResult(double Perplexity, double StandardError, double MeanNegativeLogLikelihood, long Tokens, int Chunks, int ChunkTokens);

/// <summary>
/// Perplexity of a text: its tokens are cut into chunks of C, a rest is left out; every chunk is read on its own, and of each
/// the tokens from position ⌊C/2⌋ + 1 on are predicted from those before: exp(-mean ln p(token | chunk before it)). This is
/// the definition of llama.cpp's perplexity tool, so numbers for the same C can be compared.
/// </summary>
public static class Perplexity
{
    private const long LogitBytes = 64L << 20;

    /// <summary>Measures; the pipeline's KV blocks are used from the first on.</summary>
    /// <param name="pipeline">The model; no one else may use it meanwhile.</param>
    /// <param name="tokens">At least 3 tokens.</param>
    /// <param name="options">Chunks.</param>
    /// <param name="progress">Told the chunks that are done, of all.</param>
    /// <param name="cancellationToken">Ends the work between steps.</param>
    /// <exception cref="ArgumentException">There are too few tokens.</exception>
    public static async Task<PerplexityResult> MeasureAsync(
        IPipeline pipeline, int[] tokens, PerplexityOptions options, IProgress<(int Done, int All)>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ChunkTokens, 3);
        if (tokens.Length < 3)
            throw new ArgumentException($"The text has {tokens.Length} tokens; perplexity needs at least 3.", nameof(tokens));
        var length = ChunkLength(pipeline, tokens.Length, options.ChunkTokens);
        var chunks = Math.Min(tokens.Length / length, options.MaxChunks);
        var (sum, squares, count) = (0.0, 0.0, 0L);
        for (var chunk = 0; chunk < chunks; chunk++)
        {
            var ids = tokens.AsSpan(chunk * length, length).ToArray();
            if (options.BeginToken is { } begin)
                ids[0] = begin;
            await ForEachLogitsAsync(pipeline, ids, length / 2, options.Adapter, (position, logits) =>
            {
                var loss = NegativeLogLikelihood(logits, ids[position + 1]);
                sum += loss;
                squares += loss * loss;
                count++;
            }, cancellationToken).ConfigureAwait(false);
            progress?.Report((chunk + 1, chunks));
        }

        var mean = sum / count;
        var variance = count > 1 ? Math.Max(0, (squares / count) - (mean * mean)) / (count - 1) : 0;
        return new PerplexityResult(Math.Exp(mean), Math.Exp(mean) * Math.Sqrt(variance), mean, count, chunks, length);
    }

    /// <summary>Tokens of a chunk of this text.</summary>
    private static int ChunkLength(IPipeline pipeline, int tokens, int wanted) =>
        (int)Math.Min(Math.Min(wanted, pipeline.Config.ContextLength), Math.Min(tokens, (long)pipeline.BlockCount * pipeline.BlockSize));

    /// <summary>Runs a chunk and shows the logits after each position from <paramref name="first"/> to the last but one.</summary>
    private static async Task ForEachLogitsAsync(IPipeline pipeline, int[] ids, int first, int adapter, LogitsVisitor visit, CancellationToken cancellationToken)
    {
        var vocab = pipeline.Config.VocabSize;
        var step = (int)Math.Clamp(LogitBytes / sizeof(float) / vocab, 1, pipeline.MaxStepTokens);
        var blocks = Enumerable.Range(0, (ids.Length + pipeline.BlockSize - 1) / pipeline.BlockSize).ToArray();
        var slot = pipeline.StateSlots > 0 ? 0 : -1;
        var batch = new StepBatch();
        for (var start = 0; start < ids.Length; start += step)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = Math.Min(step, ids.Length - start);
            var wanted = Math.Clamp(start + count - first, 0, count);
            batch.Clear();
            batch.Add(ids.AsSpan(start, count), start, blocks.AsSpan(0, (start + count + pipeline.BlockSize - 1) / pipeline.BlockSize), wanted, slot, adapter);
            var rows = await pipeline.ForwardAsync(batch, StepOutput.Logits, cancellationToken).ConfigureAwait(false);
            for (var row = 0; row < wanted; row++)
            {
                var position = start + count - wanted + row;
                if (position < ids.Length - 1)
                    visit(position, rows.Span.Slice(row * vocab, vocab));
            }
        }
    }

    private delegate void LogitsVisitor(int position, ReadOnlySpan<float> logits);

    /// <summary>ln Σ exp(z) - z of the token, in double precision.</summary>
    private static double NegativeLogLikelihood(ReadOnlySpan<float> logits, int token)
    {
        var max = float.NegativeInfinity;
        foreach (var logit in logits)
            max = MathF.Max(max, logit);
        var total = 0.0;
        foreach (var logit in logits)
            total += Math.Exp((double)logit - max);
        return Math.Log(total) + max - logits[token];
    }
}
