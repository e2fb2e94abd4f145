using Slm.Engine.Execution;
using Slm.Engine.Sampling;

namespace Slm.Engine.Scheduling;

/// <summary>A text whose final hidden states become one vector. The mean is summed in double, first token to last, however the text is chunked.</summary>
internal sealed class EmbedSequence(int[] tokens, PoolingKind pooling, int hiddenSize) : Sequence((int[])tokens.Clone(), tokens.Length)
{
    private readonly double[] _sum = new double[hiddenSize];
    private readonly TaskCompletionSource<float[]> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _accepted;

    public Task<float[]> Result => _result.Task;

    public override StepOutput Output => StepOutput.Hidden;

    public override int FeedEnd => Count;

    public override int FirstRow => pooling switch
    {
        PoolingKind.Last => Count - 1,
        PoolingKind.Cls => _accepted > 0 ? Count : 0,
        _ => _accepted,
    };

    public override void Accept(int position, ReadOnlySpan<float> row, TokenSampler sampler, long now)
    {
        _accepted = position + 1;
        if (pooling == PoolingKind.Cls && position > 0)
            return;
        for (var i = 0; i < _sum.Length; i++)
            _sum[i] += row[i];
    }

    public override void Complete(long now) => Finished = true;

    public override void Conclude()
    {
        var divisor = pooling == PoolingKind.Mean ? Count : 1;
        _result.TrySetResult(Array.ConvertAll(_sum, value => (float)(value / divisor)));
    }

    public override void Fail(Exception error)
    {
        Finished = true;
        _result.TrySetException(error);
    }
}
