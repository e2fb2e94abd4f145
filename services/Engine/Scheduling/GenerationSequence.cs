using System.Threading.Channels;
using Slm.Engine.Execution;
using Slm.Engine.Sampling;

namespace Slm.Engine.Scheduling;

/// <summary>A prompt that is continued token by token.</summary>
internal sealed class GenerationSequence : Sequence
{
    private readonly GenerationRequest _request;
    private readonly SamplingOptions _sampling;
    private readonly ulong _seed;
    private readonly TimeProvider _time;
    private readonly int _end;
    private readonly TokenCounts? _counts;
    private readonly List<TokenResult>? _echo;
    private readonly Channel<GenerationEvent> _events;
    private readonly int _buffer;
    private readonly FinishKind? _ended;
    private readonly AnswerConstraint? _constraint;
    private long? _firstToken;
    private GenerationEvent? _last;

    /// <param name="request">Validated.</param>
    /// <param name="seed">Of the draws.</param>
    /// <param name="contextLength">Most tokens of prompt and answer.</param>
    /// <param name="buffer">Events kept for the consumer.</param>
    /// <param name="time">For the timings.</param>
    public GenerationSequence(GenerationRequest request, ulong seed, int contextLength, int buffer, TimeProvider time)
        : base([.. request.Prompt, .. request.Resume], request.Prompt.Length)
    {
        _request = request;
        _sampling = request.Sampling;
        _seed = seed;
        _time = time;
        _end = (int)Math.Min(contextLength, PromptLength + (long)(_sampling.MaxTokens ?? contextLength));
        if (TokenSampler.NeedsCounts(_sampling))
        {
            _counts = new TokenCounts();
            _counts.AddPrompt(request.Prompt);
            foreach (var token in request.Resume)
                _counts.AddGenerated(token);
        }

        if (request.Constraint is { } constraint)
            _constraint = new AnswerConstraint(constraint, request);
        if (request.Resume is [.., var last] && (IsLast(last) || Count >= _end))
            _ended = IsLast(last) ? FinishKind.Stop : FinishKind.Length;
        if (request.EchoPromptLogProbs && _sampling.LogProbs && request.Resume.Length == 0)
            _echo = [new TokenResult(request.Prompt[0], null, [])];
        _buffer = buffer;
        _events = Channel.CreateBounded<GenerationEvent>(new BoundedChannelOptions(buffer) { SingleReader = true, SingleWriter = true });
    }

    public ChannelReader<GenerationEvent> Events => _events.Reader;

    public override StepOutput Output => StepOutput.Logits;

    public override int MostNewTokens => Math.Max(0, _end - Count);

    public override int FeedEnd => _ended is not null ? 0 : _end > PromptLength ? Count : _echo is null ? 0 : PromptLength - 1;

    public override int FirstRow => _echo is { } echo && echo.Count < PromptLength ? echo.Count - 1 : Count - 1;

    /// <summary>Each token is an event that needs room.</summary>
    public override int MostPerStep => Math.Min(MostNewTokens, _buffer - _events.Reader.Count);

    /// <summary>One event per step must fit; the first step also gives the prompt's, but then there is room for two.</summary>
    public override bool HasRoom => _events.Reader.Count < _buffer;

    /// <summary>From the first token on, for the metrics.</summary>
    public TimeSpan? TimeToFirstToken => _firstToken is { } first ? _time.GetElapsedTime(Submitted, first) : null;

    public override void Accept(int position, ReadOnlySpan<float> row, TokenSampler sampler, long now)
    {
        if (position + 1 < PromptLength)
        {
            _echo!.Add(Describe(Tokens[position + 1], row));
            return;
        }

        if (_firstToken is null)
        {
            _firstToken = now;
            if (_echo is not null)
                Publish(new GenerationEvent { Prompt = _echo, Timings = Timings(now) });
        }

        var token = sampler.Sample(row, _sampling, _seed, Count, _counts, _constraint is null ? [] : _constraint.Allowed);
        var forced = _sampling.LogProbs && _constraint is { IsForced: true };
        _constraint?.Accept(token);
        Append(token);
        _counts?.AddGenerated(token);
        var finish = IsLast(token) ? FinishKind.Stop : Count >= _end ? FinishKind.Length : (FinishKind?)null;
        Publish(new GenerationEvent
        {
            Token = forced ? Describe(token, row) with { Forced = true } : Describe(token, row),
            Finish = finish,
            Timings = Timings(now),
        });
    }

    /// <summary>The token that these logits would give at <paramref name="ahead"/> positions behind the newest.</summary>
    public int Draw(ReadOnlySpan<float> row, int ahead, TokenSampler sampler) => sampler.Sample(row, _sampling, _seed, Count + ahead, _counts);

    public override void Prepare() => _constraint?.Prepare();

    public override int Forced(Span<int> room) => _constraint?.Forced(room) ?? 0;

    public override void Complete(long now)
    {
        // Only a request for no token at all, or of an answer that is whole already, has everything computed and is not finished.
        if (_ended is not null || _end <= PromptLength)
            Publish(new GenerationEvent { Prompt = _echo, Finish = _ended ?? FinishKind.Length, Timings = Timings(now) });
    }

    public override void Conclude()
    {
        // The last step's proposals are counted by now.
        var last = _last!;
        Write(Speculation is { } state ? last with { Timings = last.Timings with { DraftedTokens = state.Drafted, AcceptedTokens = state.Accepted } } : last);
        _events.Writer.TryComplete();
    }

    public override void Fail(Exception error)
    {
        Finished = true;
        _events.Writer.TryComplete(error);
    }

    private void Publish(GenerationEvent item)
    {
        if (item.Finish is null)
        {
            Write(item);
            return;
        }

        _last = item;
        Finished = true;
    }

    private void Write(GenerationEvent item)
    {
        if (!_events.Writer.TryWrite(item))
            throw new InvalidOperationException("The sequence was scheduled although its consumer had no room.");
    }

    private bool IsLast(int token) => _request.IsEnd(token) || _constraint is { IsComplete: true };

    private TokenResult Describe(int token, ReadOnlySpan<float> row)
    {
        if (!_sampling.LogProbs)
            return new TokenResult(token, null, []);
        var normalizer = LogProbabilities.LogSumExp(row);
        return new TokenResult(token, LogProbabilities.Of(row[token], normalizer), LogProbabilities.Top(row, normalizer, _sampling.TopLogProbs));
    }

    private GenerationTimings Timings(long now)
    {
        var started = Started ?? now;
        var first = _firstToken ?? now;
        return new GenerationTimings(
            _time.GetElapsedTime(Submitted, started), _time.GetElapsedTime(started, first), _time.GetElapsedTime(first, now), _seed, Preemptions, Reused,
            Speculation?.Drafted ?? 0, Speculation?.Accepted ?? 0, Adapter?.Info);
    }
}
