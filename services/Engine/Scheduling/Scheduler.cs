using System.Runtime.CompilerServices;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Sampling;
using Slm.Engine.Speculation;

namespace Slm.Engine.Scheduling;

/// <summary>
/// Continuous batching over one pipeline. A thread of its own repeats: take new requests, drop cancelled ones, plan a ragged
/// batch (<see cref="StepPlan"/>), run it, sample, publish. Tokens are shared evenly between clients; a client's requests are
/// served in order. When the KV blocks run out, the newest sequence of the least urgent priority gives its blocks up and is
/// computed again later from its prompt and answer so far; its output does not change, because the choice of a token is a function of tokens, options, seed and position.
/// A consumer that is slower than the model pauses only its own sequence. Without work the thread sleeps.
/// Of a pipeline that takes several steps at a time it keeps as many in flight, of different sequences, and takes their
/// results in order. Where the pipeline loses a part it is made whole again, and what was lost is computed again: answers go on.
/// </summary>
public sealed partial class Scheduler : IAsyncDisposable
{
    private readonly IPipeline _pipeline;
    private readonly SchedulerOptions _options;
    private readonly TimeProvider _time;
    private readonly BlockManager _blocks;
    private readonly DraftModel? _drafts;
    private readonly AdapterPool _adapters;
    private readonly StepPlan _plan;
    private readonly TokenSampler _sampler = new();
    private readonly KeyValuePair<string, object?> _tag;
    private readonly Lock _gate = new();
    private readonly Queue<Sequence> _inbox = [];
    private readonly AutoResetEvent _wake = new(false);
    private readonly CancellationTokenSource _abort = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<StepPart> _planned = [];
    private readonly Queue<(StepPart Part, Task<ReadOnlyMemory<float>> Step)> _flights = [];
    private readonly Action _signal;
    private long _arrivals, _generated, _prompt, _steps, _completed, _cancelled, _failed, _expired;
    private int _inSystem;
    private long _drafted, _accepted;
    private int _deadlines;
    private long _demand;
    private double _meanRequestSeconds = 1;
    private bool _stopping;
    private volatile bool _aborted;

    /// <summary>Starts the loop. The pipeline stays the caller's to dispose, after this.</summary>
    /// <param name="pipeline">Runs the steps; nobody else may.</param>
    /// <param name="options">Limits.</param>
    /// <param name="time">For timings and the drain time-out.</param>
    /// <param name="draft">Proposes tokens for <see cref="SpeculationKind.Draft"/>; the caller's to dispose like the other, and nobody else's to run.</param>
    /// <exception cref="ArgumentException">The draft model has another vocabulary, or is missing where the options want it.</exception>
    public Scheduler(IPipeline pipeline, SchedulerOptions options, TimeProvider time, IPipeline? draft = null)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        options.Validate();
        _pipeline = pipeline;
        _options = options;
        _time = time;
        if (draft is not null && draft.Config.VocabSize != pipeline.Config.VocabSize)
            throw new ArgumentException($"The draft model has a vocabulary of {draft.Config.VocabSize}; the model's has {pipeline.Config.VocabSize}.", nameof(draft));
        if (draft is null && options.Speculation == SpeculationKind.Draft)
            throw new ArgumentException("Speculation with a draft model needs one.", nameof(draft));
        if (draft is { StateSlots: > 0 })
            throw new ArgumentException($"The draft model has recurrent layers ({draft.Config.Architecture}), whose state cannot be taken back when a proposal is wrong.", nameof(draft));
        if (draft is not null && (pipeline.Config.ReadsWholeTexts || draft.Config.ReadsWholeTexts))
            throw new ArgumentException($"A draft model proposes tokens for models without an encoder only; these are '{pipeline.Config.Architecture}' and '{draft.Config.Architecture}'.", nameof(draft));
        _drafts = draft is null ? null : new DraftModel(draft, options.ChunkTokens);
        _adapters = new AdapterPool(pipeline);
        _blocks = new BlockManager(pipeline.BlockCount, pipeline.BlockSize);
        var capacity = (int)Math.Min(int.MaxValue, (long)pipeline.BlockCount * pipeline.BlockSize);
        ContextLength = Math.Min(options.ContextLength ?? pipeline.Config.ContextLength, capacity);
        _plan = new StepPlan(pipeline, options, _blocks) { Preempted = ReleaseDraft };
        _signal = Wake;
        if (!pipeline.Config.IsCausal)
            ContextLength = Math.Min(ContextLength, _plan.MaxTokens);
        _tag = EngineMetrics.Register(this, options.Model);
        new Thread(Loop) { IsBackground = true, Name = $"slm scheduler {options.Model}" }.Start();
    }

    /// <summary>Most tokens of prompt and answer together: the least of the model's, the configured, and what the KV cache holds.</summary>
    public int ContextLength { get; }

    /// <summary>Slots of recurrent state in use, those of them that are kept for others, and blocks of the draft model in use; exact while nothing runs.</summary>
    internal (int States, int Kept, int DraftBlocks) Held => (_plan.States.Used, _plan.States.Kept, _drafts?.BlocksUsed ?? 0);

    /// <summary>What it is doing and has done; may be a step old.</summary>
    public SchedulerStats Stats
    {
        get
        {
            int waiting;
            lock (_gate)
                waiting = _inbox.Count + _plan.WaitingCount;
            return new SchedulerStats(
                _plan.RunningCount, waiting, _blocks.Used, _blocks.Idle, _blocks.Total,
                Interlocked.Read(ref _generated), Interlocked.Read(ref _prompt), _plan.PromptTokens, _plan.ReusedTokens,
                Interlocked.Read(ref _drafted), Interlocked.Read(ref _accepted), Interlocked.Read(ref _steps), Interlocked.Read(ref _completed),
                Interlocked.Read(ref _cancelled), Interlocked.Read(ref _failed), Interlocked.Read(ref _expired), _plan.Preemptions,
                Interlocked.Read(ref _recoveries));
        }
    }

    /// <summary>
    /// Continues a prompt. The request is queued at the first MoveNextAsync; ending the enumeration, or cancelling it, frees
    /// its KV blocks before the next step. Cancelled by the token it counts as cancelled, else as completed: a consumer may
    /// have enough, as after a stop string.
    /// </summary>
    /// <exception cref="SamplingOptionException">A sampling value is out of range.</exception>
    /// <exception cref="ContextLengthExceededException">The prompt leaves no room for an answer.</exception>
    /// <exception cref="ArgumentException">The prompt or the encoder's input is empty, or holds an id outside the vocabulary.</exception>
    /// <exception cref="AdapterNotFoundException">The request names an adapter that is not loaded.</exception>
    /// <exception cref="ModelTaskException">The model is an encoder, which has no next token.</exception>
    /// <exception cref="CapacityExceededException">Too many requests wait, or need too much memory (at the first MoveNextAsync).</exception>
    /// <exception cref="DeadlineExceededException">The request's time is up (while enumerating).</exception>
    /// <exception cref="PipelineFailedException">A step failed (while enumerating).</exception>
    /// <exception cref="PipelineUnavailableException">A part of the pipeline is gone for good (while enumerating).</exception>
    /// <exception cref="SchedulerStoppedException">The scheduler was shut down.</exception>
    public IAsyncEnumerable<GenerationEvent> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        request.Sampling.Validate(_pipeline.Config.VocabSize);
        request.Terms.Validate();
        RequireTask(generates: true);
        var input = RequireInput(request.EncoderInput);
        RequireTokens(request.Prompt, request.Sampling.MaxTokens == 0 ? 0 : 1, LimitBehind(input));
        RequireResumable(request, LimitBehind(input));
        if (request.Speculation == SpeculationKind.Draft && _drafts is null)
            throw new SamplingOptionException("speculation", "draft", "none or ngram: the model was loaded without a draft model");
        foreach (var token in request.Draft)
        {
            if ((uint)token >= (uint)_pipeline.Config.VocabSize)
                throw new SamplingOptionException("draft_token_ids", token, $"of ids of 0 to {_pipeline.Config.VocabSize - 1}");
        }

        _adapters.Require(request.Adapter);
        return EnumerateAsync(request, input, cancellationToken);
    }

    /// <summary>Log-probabilities of a continuation, from the unmodified distribution.</summary>
    /// <param name="context">At least one token.</param>
    /// <param name="continuation">At least one token.</param>
    /// <param name="topLogProbs">How many of the most probable tokens to report per position, 0 to 20.</param>
    /// <param name="cancellationToken">Frees its KV blocks before the next step.</param>
    /// <exception cref="ContextLengthExceededException">Both together exceed the context.</exception>
    public Task<ScoreResult> ScoreAsync(int[] context, int[] continuation, int topLogProbs, CancellationToken cancellationToken = default) =>
        ScoreAsync(context, continuation, topLogProbs, RequestTerms.Default, null, cancellationToken);

    /// <inheritdoc cref="ScoreAsync(int[], int[], int, CancellationToken)"/>
    /// <param name="terms">How it shares the model with other requests.</param>
    /// <param name="adapter">Name of a loaded adapter; null: none.</param>
    public Task<ScoreResult> ScoreAsync(int[] context, int[] continuation, int topLogProbs, RequestTerms terms, string? adapter, CancellationToken cancellationToken) =>
        ScoreAsync(context, continuation, null, topLogProbs, terms, adapter, cancellationToken);

    /// <inheritdoc cref="ScoreAsync(int[], int[], int, RequestTerms, string?, CancellationToken)"/>
    /// <param name="encoderInput">See <see cref="GenerationRequest.EncoderInput"/>.</param>
    public async Task<ScoreResult> ScoreAsync(
        int[] context, int[] continuation, int[]? encoderInput, int topLogProbs, RequestTerms terms, string? adapter, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(terms);
        terms.Validate();
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(continuation);
        new SamplingOptions { TopLogProbs = topLogProbs }.Validate();
        if (context.Length == 0 || continuation.Length == 0)
            throw new ArgumentException("Scoring needs at least one token of context and one of continuation.");
        RequireTask(generates: true);
        var input = RequireInput(encoderInput);
        int[] tokens = [.. context, .. continuation];
        RequireTokens(tokens, 0, LimitBehind(input));
        var sequence = new ScoreSequence(context, continuation, topLogProbs) { Terms = terms, Input = input, AdapterName = adapter };
        return await AwaitAsync(sequence, sequence.Result, cancellationToken);
    }

    /// <summary>One vector for a text, [hidden], not normalized.</summary>
    /// <exception cref="ContextLengthExceededException">The text exceeds the context.</exception>
    /// <exception cref="ModelTaskException">The model is an encoder-decoder.</exception>
    public Task<float[]> EmbedAsync(int[] tokens, PoolingKind pooling, CancellationToken cancellationToken = default) =>
        EmbedAsync(tokens, pooling, RequestTerms.Default, null, cancellationToken);

    /// <inheritdoc cref="EmbedAsync(int[], PoolingKind, CancellationToken)"/>
    /// <param name="terms">How it shares the model with other requests.</param>
    /// <param name="adapter">Name of a loaded adapter; null: none.</param>
    public async Task<float[]> EmbedAsync(int[] tokens, PoolingKind pooling, RequestTerms terms, string? adapter, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(terms);
        terms.Validate();
        ArgumentNullException.ThrowIfNull(tokens);
        RequireTask(generates: false);
        RequireTokens(tokens, 0, ContextLength);
        var sequence = new EmbedSequence(tokens, pooling, _pipeline.Config.HiddenSize) { Terms = terms, AdapterName = adapter };
        return await AwaitAsync(sequence, sequence.Result, cancellationToken);
    }

    /// <summary>The adapters that requests can choose, by name.</summary>
    public IReadOnlyList<AdapterInfo> Adapters => _adapters.List();

    /// <summary>
    /// Makes an adapter one that requests can choose. Of one that is loaded under the name already nothing changes if it is the same; else
    /// requests to come get the new one, and this returns when those with the old one have ended.
    /// </summary>
    /// <param name="name">What requests call it.</param>
    /// <param name="adapter">May be disposed afterwards.</param>
    /// <param name="cancellationToken">Ends the copying of its matrices.</param>
    /// <exception cref="AdapterFormatException">It does not fit the model.</exception>
    /// <exception cref="AdapterLimitException">As many are loaded as the pipeline takes.</exception>
    public Task<AdapterInfo> LoadAdapterAsync(string name, LoraAdapter adapter, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(adapter);
        return _adapters.LoadAsync(name, adapter, cancellationToken);
    }

    /// <summary>Takes an adapter from requests to come, waits for those that use it to end, and frees its memory.</summary>
    /// <exception cref="AdapterNotFoundException">There is none of that name.</exception>
    public Task UnloadAdapterAsync(string name) => _adapters.UnloadAsync(name);

    /// <summary>Refuses new requests, lets the others end for up to <see cref="SchedulerOptions.DrainTimeout"/>, then ends them.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
            _stopping = true;
        Wake();
        try
        {
            await _ended.Task.WaitAsync(_options.DrainTimeout, _time);
        }
        catch (TimeoutException)
        {
            _aborted = true;
            await _abort.CancelAsync();
            Wake();
            await _ended.Task;
        }

        EngineMetrics.Unregister(this);
    }

    private async IAsyncEnumerable<GenerationEvent> EnumerateAsync(
        GenerationRequest request, EncoderInput? input, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Below 2^53, so that the reported seed survives JSON numbers.
        var seed = request.Sampling.Seed ?? (ulong)Random.Shared.NextInt64(1L << 53);
        var sequence = new GenerationSequence(request, seed, LimitBehind(input), _options.EventBuffer, _time)
        {
            Terms = request.Terms,
            AdapterName = request.Adapter,
            Input = input,
            // A wrong proposal changes the state of recurrent layers, which cannot be taken back.
            Speculation = _pipeline.StateSlots > 0 ? null
                : request.Draft.Length > 0 ? new SpeculationState(SpeculationKind.None, _options.DraftTokens, request.Draft)
                : (request.Speculation ?? _options.Speculation) is var kind && (kind != SpeculationKind.None || request.Constraint is not null) ? new SpeculationState(kind, _options.DraftTokens) : null,
        };
        cancellationToken.ThrowIfCancellationRequested();
        Submit(sequence);
        using var registration = cancellationToken.UnsafeRegister(_ => Cancel(sequence), null);
        try
        {
            while (await sequence.Events.WaitToReadAsync(cancellationToken))
            {
                while (sequence.Events.TryRead(out var item))
                {
                    // Pairs with the barrier in StepPlan: either it sees the room or this sees that it paused.
                    Interlocked.MemoryBarrier();
                    if (sequence.Stalled)
                        Wake();
                    yield return item;
                    cancellationToken.ThrowIfCancellationRequested();
                }
            }
        }
        finally
        {
            sequence.Satisfied = !cancellationToken.IsCancellationRequested;
            Cancel(sequence);
        }
    }

    private async Task<T> AwaitAsync<T>(Sequence sequence, Task<T> result, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Submit(sequence);
        using var registration = cancellationToken.UnsafeRegister(_ => Cancel(sequence), null);
        return await result.WaitAsync(cancellationToken);
    }

    private void Submit(Sequence sequence)
    {
        lock (_gate)
        {
            if (_stopping)
                throw new SchedulerStoppedException();
            var excess = _inSystem - _plan.MaxRunning;
            if (excess >= _options.MaxWaiting)
                throw new CapacityExceededException(Math.Max(0, excess), RetryAfter(1.0 / Math.Max(1, _plan.RunningCount)));
            var capacity = (long)_blocks.Total * _blocks.BlockSize;
            sequence.Demand = sequence.Lead + sequence.Count + _plan.Lengths.Remaining(sequence);
            var tooMuch = _demand + sequence.Demand - (_options.MaxDemand * capacity);
            if (tooMuch > 0 && _inSystem > 0)
                throw new CapacityExceededException(_demand, capacity, RetryAfter(tooMuch / Math.Min(_demand, capacity)));
            sequence.Adapter = _adapters.Acquire(sequence.AdapterName);
            _demand += sequence.Demand;
            _inSystem++;
            sequence.Arrival = _arrivals++;
            sequence.Submitted = _time.GetTimestamp();
            if (sequence.Terms.Timeout is { } timeout)
            {
                sequence.Deadline = sequence.Submitted + (long)(timeout.TotalSeconds * _time.TimestampFrequency);
                Interlocked.Increment(ref _deadlines);
                sequence.Alarm = _time.CreateTimer(_ => Wake(), null, timeout, System.Threading.Timeout.InfiniteTimeSpan);
            }

            _inbox.Enqueue(sequence);
        }

        Wake();
    }

    /// <summary>How long until <paramref name="share"/> of what runs has ended, at the recent pace.</summary>
    private TimeSpan RetryAfter(double share) => TimeSpan.FromSeconds(Math.Ceiling(Math.Clamp(_meanRequestSeconds * share, 1, 60)));

    private void Cancel(Sequence sequence)
    {
        if (sequence.Finished)
            return;
        sequence.Cancelled = true;
        Wake();
    }

    private void Wake() => _wake.Set();

    /// <summary>Most tokens of a decoder, whose encoder's input is in the cache too.</summary>
    private int LimitBehind(EncoderInput? input) => Math.Min(ContextLength, (_blocks.Total * _blocks.BlockSize) - (input?.Positions ?? 0));

    private void RequireTask(bool generates)
    {
        var config = _pipeline.Config;
        if (generates && !config.IsCausal)
            throw ModelTaskException.Encoder(config);
        if (!generates && config.Encoder is not null)
            throw new ModelTaskException($"The model is an encoder-decoder ('{config.Architecture}'), which generates text: it makes no embeddings.");
    }

    private EncoderInput? RequireInput(int[]? tokens)
    {
        if (_pipeline.Config.Encoder is null)
            return tokens is null ? null : throw new ArgumentException($"The model ('{_pipeline.Config.Architecture}') has no encoder to read the input.", nameof(tokens));
        if (tokens is null or [])
            throw new ArgumentException("The encoder's input is empty.", nameof(tokens));

        // All of it is computed in one step, and some of the cache is for the decoder.
        RequireTokens(tokens, 0, Math.Min(Math.Min(_pipeline.Config.ContextLength, _plan.MaxTokens), (_blocks.Total - 1) * _blocks.BlockSize));
        return new EncoderInput((int[])tokens.Clone(), _blocks.BlockSize);
    }

    private void RequireResumable(GenerationRequest request, int limit)
    {
        var resumed = request.Resume;
        if (resumed.Length == 0)
            return;
        if (request.Sampling is { Seed: null, Temperature: not 0 })
            throw new SamplingOptionException("seed", "missing", "that of the answer that is resumed");
        if (resumed.Length > Math.Min(limit - request.Prompt.Length, request.Sampling.MaxTokens ?? int.MaxValue))
            throw new SamplingOptionException("resume_token_ids", $"{resumed.Length} tokens", $"at most {Math.Min(limit - request.Prompt.Length, request.Sampling.MaxTokens ?? int.MaxValue)}, the longest that the answer can be");
        for (var i = 0; i < resumed.Length; i++)
        {
            if ((uint)resumed[i] >= (uint)_pipeline.Config.VocabSize)
                throw new SamplingOptionException($"resume_token_ids[{i}]", resumed[i], $"a token of the vocabulary of {_pipeline.Config.VocabSize}");
            if (i < resumed.Length - 1 && request.IsEnd(resumed[i]))
                throw new SamplingOptionException($"resume_token_ids[{i}]", resumed[i], "no token that ends the answer, because others follow");
        }
    }

    private void RequireTokens(int[] tokens, int room, int limit)
    {
        if (tokens.Length == 0)
            throw new ArgumentException("The prompt is empty.", nameof(tokens));
        if (tokens.Length > limit - room)
            throw new ContextLengthExceededException(tokens.Length, limit);
        var vocabulary = _pipeline.Config.VocabSize;
        for (var i = 0; i < tokens.Length; i++)
        {
            if ((uint)tokens[i] >= (uint)vocabulary)
                throw new ArgumentException($"Token {tokens[i]} at position {i} of the prompt is outside the vocabulary of {vocabulary}.", nameof(tokens));
        }
    }
}
