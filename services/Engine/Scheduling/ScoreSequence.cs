using Slm.Engine.Execution;
using Slm.Engine.Sampling;

namespace Slm.Engine.Scheduling;

/// <summary>A context and a continuation whose log-probabilities are wanted. The last token is never computed: nothing follows it.</summary>
internal sealed class ScoreSequence(int[] context, int[] continuation, int topLogProbs) : Sequence([.. context, .. continuation], context.Length)
{
    private readonly List<TokenResult> _scored = new(continuation.Length);
    private readonly TaskCompletionSource<ScoreResult> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _greedy = true;
    private double _sum;

    public Task<ScoreResult> Result => _result.Task;

    public override StepOutput Output => StepOutput.Logits;

    public override int FeedEnd => Count - 1;

    public override int FirstRow => PromptLength - 1 + _scored.Count;

    public override void Accept(int position, ReadOnlySpan<float> row, TokenSampler sampler, long now)
    {
        var token = Tokens[position + 1];
        var normalizer = LogProbabilities.LogSumExp(row);
        var logProb = LogProbabilities.Of(row[token], normalizer);
        _scored.Add(new TokenResult(token, logProb, LogProbabilities.Top(row, normalizer, topLogProbs)));
        _sum += logProb;
        _greedy &= LogProbabilities.ArgMax(row) == token;
    }

    public override void Complete(long now) => Finished = true;

    public override void Conclude() => _result.TrySetResult(new ScoreResult(_scored, _sum, _greedy));

    public override void Fail(Exception error)
    {
        Finished = true;
        _result.TrySetException(error);
    }
}
