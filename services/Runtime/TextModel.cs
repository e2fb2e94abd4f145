using System.Runtime.CompilerServices;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Tokenization;
using Slm.Tokenization.Templates;

namespace Slm.Runtime;

/// <summary>
/// A model that takes and gives text: tokenizer and chat template before, and streaming text after, a
/// <see cref="Scheduler"/> over a pipeline in this process or behind grains. Thread-safe; any number of requests at a time.
/// </summary>
public sealed partial class TextModel : IAsyncDisposable
{
    private readonly IPipeline _pipeline;
    private readonly Scheduler _scheduler;
    private readonly IPipeline? _draft;
    private readonly IReadOnlyList<IDisposable> _owned;
    private readonly PoolingKind _pooling;
    private readonly Task<string> _fingerprint;
    private readonly Func<string, float, LoraAdapter>? _openAdapter;
    private readonly ConstraintCache _constraints;

    /// <summary>Serves a pipeline. Disposing this disposes the pipeline and then the file.</summary>
    /// <param name="parts">What the model is made of.</param>
    /// <param name="options">Limits.</param>
    public TextModel(TextModelParts parts, TextModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(options);
        Name = options.Name ?? parts.Name;
        Tokenizer = parts.Tokenizer;
        ChatTemplate = parts.ChatTemplate;
        _pipeline = parts.Pipeline;
        _pooling = parts.Pooling;
        _draft = parts.Draft;
        _owned = parts.Owned;
        _openAdapter = parts.OpenAdapter;
        _constraints = new ConstraintCache(Tokenizer, _pipeline.Config.VocabSize);
        _scheduler = new Scheduler(
            _pipeline,
            options.Scheduler with { Model = Name, ContextLength = options.ContextLength ?? options.Scheduler.ContextLength },
            options.Time,
            _draft);

        // Hashing a large file takes seconds: it runs beside the first request, which needs the result at its end.
        _fingerprint = Task.Run(parts.Fingerprint);
    }

    /// <summary>Name in metrics and messages.</summary>
    public string Name { get; }

    /// <summary>The model's tokenizer.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>The model's chat template, if its file has one.</summary>
    public ChatTemplate? ChatTemplate { get; }

    /// <summary>Hyper-parameters.</summary>
    public ModelConfig Config => _pipeline.Config;

    /// <summary>Most tokens of prompt and answer.</summary>
    public int ContextLength => _scheduler.ContextLength;

    /// <summary>What the scheduler is doing and has done.</summary>
    public SchedulerStats Stats => _scheduler.Stats;

    /// <summary>Names model and numerics: the same fingerprint, request and seed give the same tokens. Waits until the file is hashed.</summary>
    public string SystemFingerprint => _fingerprint.GetAwaiter().GetResult();

    /// <summary>The adapters that requests can choose, by name.</summary>
    public IReadOnlyList<AdapterInfo> Adapters => _scheduler.Adapters;

    /// <summary>The fingerprint of answers with an adapter.</summary>
    public string FingerprintOf(AdapterInfo adapter) => FingerprintWith(adapter, SystemFingerprint);

    /// <summary>Makes an adapter one that requests can choose; see <see cref="Scheduler.LoadAdapterAsync"/>.</summary>
    /// <param name="name">What requests call it.</param>
    /// <param name="path">A GGUF file or PEFT folder.</param>
    /// <param name="strength">Factor on top of the file's own scale.</param>
    /// <param name="cancellationToken">Ends the copying of its matrices.</param>
    /// <exception cref="AdapterFormatException">It is malformed, not supported, or for another model.</exception>
    /// <exception cref="AdapterLimitException">As many are loaded as the model takes.</exception>
    public async Task<AdapterInfo> LoadAdapterAsync(string name, string path, float strength, CancellationToken cancellationToken)
    {
        if (_openAdapter is null)
            throw new AdapterLimitException(0, []);
        using var adapter = _openAdapter(path, strength);
        return await _scheduler.LoadAdapterAsync(name, adapter, cancellationToken);
    }

    /// <summary>Takes an adapter from requests to come, waits for those that use it to end, and frees its memory.</summary>
    /// <exception cref="AdapterNotFoundException">There is none of that name.</exception>
    public Task UnloadAdapterAsync(string name) => _scheduler.UnloadAdapterAsync(name);

    /// <summary>The prompt as the model gets it.</summary>
    /// <remarks>
    /// A text gets BOS if the model wants it, never EOS: it is to be continued. An encoder-decoder's encoder reads it instead,
    /// so there it gets both. A chat template's rendering names special
    /// tokens itself, so they are read from it, and BOS is added only if the model wants it and the template has not
    /// written it.
    /// </remarks>
    /// <exception cref="ChatTemplateMissingException">Messages, but the model has no chat template.</exception>
    /// <exception cref="TemplateException">The template refused the messages.</exception>
    public EncodedPrompt Encode(TextPrompt prompt)
    {
        switch (prompt)
        {
            case TextPrompt.Text text:
                return new EncodedPrompt(text.Value, EncodeText(text.Value, text.AddSpecialTokens));
            case TextPrompt.Tokens tokens:
                RequireIds(tokens.Ids);
                return new EncodedPrompt(Tokenizer.Decode([.. tokens.Ids]), [.. tokens.Ids]);
            case TextPrompt.Chat chat:
                var rendered = Render(chat);
                var ids = Tokenizer.Encode(rendered, addSpecialTokens: false, parseSpecialTokens: true).Ids;
                if (Tokenizer.Special is { AddsBos: true, Bos: { } bos } && (ids.Length == 0 || ids[0] != bos))
                    ids = [bos, .. ids];
                return new EncodedPrompt(rendered, ids);
            default:
                throw new ArgumentException("A prompt must be a text, token ids or messages.", nameof(prompt));
        }
    }

    /// <summary>Streams the answer. The last chunk has <see cref="TextChunk.Finish"/> and <see cref="TextChunk.Usage"/>.</summary>
    /// <remarks>The exceptions are those of <see cref="Encode"/> and of <see cref="Scheduler.GenerateAsync"/>; bad requests throw at once.</remarks>
    public IAsyncEnumerable<TextChunk> GenerateAsync(TextRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Validate(Config.VocabSize);
        var encoder = Config.Encoder;
        if (encoder is not null && request is { Echo: true, Sampling.LogProbs: true, EncoderTokens: null })
            throw new ModelTaskException($"'{Name}' is an encoder-decoder: its encoder reads the prompt, whose tokens have no probabilities. Leave either echo or log-probabilities out.");
        var prompt = Encode(request.Prompt);
        int[]? input = request.EncoderTokens is { } given ? [.. given] : encoder is not null ? prompt.Ids : null;
        var generation = new GenerationRequest
        {
            Prompt = encoder is not null && request.EncoderTokens is null ? [encoder.StartToken] : prompt.Ids,
            EncoderInput = input,
            Sampling = request.Sampling,
            EndTokens = Tokenizer.Special.EndTokens,
            EchoPromptLogProbs = request.Echo,
            Terms = request.Terms,
            Adapter = request.Adapter,
            Speculation = request.Speculation,
            Draft = [.. request.DraftTokens],
            Resume = [.. request.ResumeTokens],
            Constraint = request.Constraint is { } constraint ? _constraints.Get(constraint, !request.SkipSpecialTokens) : null,
        };
        var answer = new AnswerText(Tokenizer, request.Stop, request.SkipSpecialTokens, request.IncludeStopInOutput);
        if (generation.Resume.Length == 0)
            return StreamAsync(request, prompt, answer, null, generation.IsEnd, _scheduler.GenerateAsync(generation, cancellationToken), cancellationToken);

        // Checks the tokens before they are made text of.
        var events = _scheduler.GenerateAsync(generation, cancellationToken);
        var resumed = new ResumedAnswer(answer, request, token => !request.IncludeStopInOutput && generation.IsEnd(token));

        // With a stop string there is nothing to generate.
        if (resumed.StopMatch is not null)
            events = _scheduler.GenerateAsync(generation with { Resume = generation.Resume[..resumed.Taken], Sampling = request.Sampling with { MaxTokens = resumed.Taken } }, cancellationToken);
        return StreamAsync(request, prompt, answer, resumed, generation.IsEnd, events, cancellationToken);
    }

    /// <summary>Log-probabilities of a continuation, from the unmodified distribution.</summary>
    /// <param name="context">Text or ids; an empty one stands for the token that starts a text (BOS, else EOS).</param>
    /// <param name="continuation">Text or ids, at least one token.</param>
    /// <param name="topLogProbs">How many of the most probable tokens to report per position, 0 to 20.</param>
    /// <param name="cancellationToken">Ends the computation.</param>
    /// <remarks>
    /// Two texts are encoded as one, because that is how the model has seen such text, and cut where the context's own
    /// tokens end. Where the context's tokens do not begin the whole's (a token would span the boundary), context and
    /// continuation are encoded apart, so that exactly the continuation is scored. Of an encoder-decoder the encoder reads the
    /// context, and the decoder is asked for the continuation from its beginning.
    /// </remarks>
    public Task<TextScore> ScoreAsync(
        TextPrompt context, TextPrompt continuation, int topLogProbs = 0, CancellationToken cancellationToken = default) =>
        ScoreAsync(context, continuation, topLogProbs, RequestTerms.Default, null, cancellationToken);

    /// <inheritdoc cref="ScoreAsync(TextPrompt, TextPrompt, int, CancellationToken)"/>
    /// <param name="terms">How it shares the model with other requests.</param>
    /// <param name="adapter">Name of a loaded adapter; null: none.</param>
    public async Task<TextScore> ScoreAsync(
        TextPrompt context, TextPrompt continuation, int topLogProbs, RequestTerms terms, string? adapter, CancellationToken cancellationToken)
    {
        if (Config.Encoder is { } encoder)
        {
            var input = Encode(context).Ids;
            var answer = continuation is TextPrompt.Text text ? EncodeText(text.Value, addSpecialTokens: false) : Encode(continuation).Ids;
            var decoded = await _scheduler.ScoreAsync([encoder.StartToken], answer, input, topLogProbs, terms, adapter, cancellationToken);
            return new TextScore(Tokenizer.Describe(decoded.Tokens), decoded.SumLogProb, decoded.IsGreedy, input.Length);
        }

        var (first, second) = Split(context, continuation);
        if (first.Length == 0)
            first = [StartToken()];
        var score = await _scheduler.ScoreAsync(first, second, topLogProbs, terms, adapter, cancellationToken);
        return new TextScore(Tokenizer.Describe(score.Tokens), score.SumLogProb, score.IsGreedy, first.Length);
    }

    /// <summary>One vector per text, computed together.</summary>
    /// <param name="inputs">Texts or ids. A text gets the special tokens the model wants, BOS and EOS.</param>
    /// <param name="pooling">Null: the model's own choice, mean where it names none.</param>
    /// <param name="normalize">Scale each vector to unit length.</param>
    /// <param name="dimensions">Keep only the first dimensions, before normalizing.</param>
    /// <param name="cancellationToken">Ends the computation.</param>
    public Task<TextEmbeddings> EmbedAsync(
        IReadOnlyList<TextPrompt> inputs, PoolingKind? pooling = null, bool normalize = true, int? dimensions = null, CancellationToken cancellationToken = default) =>
        EmbedAsync(inputs, pooling, normalize, dimensions, RequestTerms.Default, null, cancellationToken);

    /// <inheritdoc cref="EmbedAsync(IReadOnlyList{TextPrompt}, PoolingKind?, bool, int?, CancellationToken)"/>
    /// <param name="terms">How it shares the model with other requests.</param>
    /// <param name="adapter">Name of a loaded adapter; null: none.</param>
    public async Task<TextEmbeddings> EmbedAsync(
        IReadOnlyList<TextPrompt> inputs, PoolingKind? pooling, bool normalize, int? dimensions, RequestTerms terms, string? adapter, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        if (dimensions is < 1 || dimensions > Config.HiddenSize)
            throw new SamplingOptionException("dimensions", dimensions, $"in 1 to {Config.HiddenSize}");
        var ids = new int[inputs.Count][];
        for (var i = 0; i < ids.Length; i++)
        {
            ids[i] = inputs[i] is TextPrompt.Text text
                ? Tokenizer.Encode(text.Value, text.AddSpecialTokens).Ids
                : Encode(inputs[i]).Ids;
        }

        // A few at a time, so that a long list neither fills the queue nor waits for each text's own step.
        var vectors = new float[ids.Length][];
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = cancellationToken };
        await Parallel.ForAsync(0, ids.Length, parallel, async (i, token) =>
            vectors[i] = Shape(await _scheduler.EmbedAsync(ids[i], pooling ?? _pooling, terms, adapter, token), dimensions, normalize));
        return new TextEmbeddings(vectors, ids.Sum(t => t.Length));
    }

    /// <summary>Lets running requests end (see <see cref="SchedulerOptions.DrainTimeout"/>), then frees pipeline and file.</summary>
    public async ValueTask DisposeAsync()
    {
        await _scheduler.DisposeAsync();
        await _pipeline.DisposeAsync();
        if (_draft is not null)
            await _draft.DisposeAsync();
        await _fingerprint.ContinueWith(static _ => { }, TaskScheduler.Default);
        foreach (var owned in _owned)
            owned.Dispose();
    }

    private async IAsyncEnumerable<TextChunk> StreamAsync(
        TextRequest request, EncodedPrompt prompt, AnswerText answer, ResumedAnswer? resumed, Func<int, bool> isEnd, IAsyncEnumerable<GenerationEvent> events,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var logProbs = request.Sampling.LogProbs;
        if (request.Echo && !logProbs && resumed is null)
            yield return new TextChunk { Text = prompt.Text, TokenIds = prompt.Ids, IsPrompt = true };
        if (resumed is { Text.Length: > 0 })
            yield return new TextChunk { Text = resumed.Text };
        var completion = resumed?.Taken ?? 0;
        await foreach (var item in events.WithCancellation(cancellationToken))
        {
            if (item.Prompt is not null)
                yield return new TextChunk { Text = prompt.Text, TokenIds = prompt.Ids, LogProbs = Tokenizer.Describe(item.Prompt), IsPrompt = true };
            var part = new AnswerPart("", [], resumed?.StopMatch);
            if (item.Token is { } token)
            {
                completion++;
                part = answer.Append(token, silent: item.Finish == FinishKind.Stop && isEnd(token.TokenId) && !request.IncludeStopInOutput);
            }

            if (item.Finish is not null && part.StopMatch is null)
            {
                var end = answer.End();
                part = new AnswerPart(part.Text + end.Text, [.. part.Tokens, .. end.Tokens], end.StopMatch);
            }

            part = resumed?.Rest(part) ?? part;
            var finish = part.StopMatch is null ? item.Finish : FinishKind.Stop;
            if (finish is null && part.Text.Length == 0 && part.Tokens.Count == 0)
                continue;
            yield return new TextChunk
            {
                Text = part.Text,
                TokenIds = [.. part.Tokens.Select(t => t.TokenId)],
                LogProbs = logProbs ? Tokenizer.Describe(part.Tokens) : [],
                Finish = finish,
                StopMatch = part.StopMatch,
                Usage = finish is null ? null : Usage(prompt.Ids.Length + (request.EncoderTokens?.Count ?? 0), completion, item.Timings, FingerprintWith(item.Timings.Adapter, await _fingerprint)),
            };
            if (finish is not null)
                yield break;
        }
    }

    private static string FingerprintWith(AdapterInfo? adapter, string model) => adapter is null ? model : FingerprintOf($"{model}|{adapter.Identity}");

    private static TextUsage Usage(int prompt, int completion, GenerationTimings timings, string fingerprint) => new(
        prompt, completion, timings.ReusedPromptTokens, timings.Seed,
        timings.Queue.TotalMilliseconds, timings.Prefill.TotalMilliseconds, timings.Decode.TotalMilliseconds, fingerprint,
        timings.DraftedTokens, timings.AcceptedTokens);

    private string Render(TextPrompt.Chat chat)
    {
        if (ChatTemplate is null)
            throw new ChatTemplateMissingException(Name);
        return ChatTemplate.RenderConversation(new ChatTemplateInput
        {
            Messages = chat.Turns,
            AddGenerationPrompt = chat.AddGenerationPrompt,
            Tools = chat.Tools,
            Variables = chat.Variables,
            BosToken = Tokenizer.Info.BosText,
            EosToken = Tokenizer.Info.EosText,
        });
    }

    private int[] EncodeText(string text, bool addSpecialTokens)
    {
        var ids = Tokenizer.Encode(text, addSpecialTokens).Ids;
        return addSpecialTokens && Config.Encoder is null && Tokenizer.Special is { AddsEos: true, Eos: { } eos } && ids.Length > 0 && ids[^1] == eos ? ids[..^1] : ids;
    }

    private (int[] Context, int[] Continuation) Split(TextPrompt context, TextPrompt continuation)
    {
        var first = Encode(context).Ids;
        if (continuation is not TextPrompt.Text text)
            return (first, Encode(continuation).Ids);
        if (context is TextPrompt.Text given)
        {
            var whole = EncodeText(given.Value + text.Value, given.AddSpecialTokens);
            if (whole.Length > first.Length && whole.AsSpan().StartsWith(first))
                return (first, whole[first.Length..]);
        }

        return (first, EncodeText(text.Value, addSpecialTokens: false));
    }

    private int StartToken() => Tokenizer.Special.Bos ?? Tokenizer.Special.Eos
        ?? throw new ArgumentException($"The context is empty, and the tokenizer of {Name} has neither BOS nor EOS to stand for it.");

    private void RequireIds(IReadOnlyList<int> ids)
    {
        for (var i = 0; i < ids.Count; i++)
        {
            if ((uint)ids[i] >= (uint)Config.VocabSize)
                throw new ArgumentException($"Token {ids[i]} at position {i} of the prompt is outside the vocabulary of {Config.VocabSize}.");
        }
    }

    private static float[] Shape(float[] vector, int? dimensions, bool normalize)
    {
        var shaped = dimensions is { } count ? vector[..count] : vector;
        if (!normalize)
            return shaped;
        var length = Math.Sqrt(shaped.Sum(v => (double)v * v));
        return length == 0 ? shaped : Array.ConvertAll(shaped, v => (float)(v / length));
    }
}
