using Slm.Contracts.Grains;

namespace Slm.Inference.Engines;

/// <summary>
/// The order of a stage's steps in a run: inputs that have come or are waited for, and whose turn it is. Used on the stage's own
/// scheduler only.
/// </summary>
internal sealed class StageSteps
{
    private readonly Dictionary<long, TaskCompletionSource<WireRows>> _inputs = [];
    private readonly Dictionary<long, TaskCompletionSource> _turns = [];
    private long _next;

    /// <summary>What waits ends cancelled, and the next step is number 0.</summary>
    public void Restart()
    {
        foreach (var input in _inputs.Values)
            input.TrySetCanceled();
        foreach (var turn in _turns.Values)
            turn.TrySetCanceled();
        _inputs.Clear();
        _turns.Clear();
        _next = 0;
    }

    /// <summary>The input of a step, when it is there.</summary>
    public async ValueTask<WireRows> InputAsync(long number)
    {
        var input = Of(_inputs, number);
        var rows = await input.Task;
        if (_inputs.TryGetValue(number, out var held) && held == input)
            _inputs.Remove(number);
        return rows;
    }

    /// <summary>The input of a step has come.</summary>
    public void Arrive(long number, WireRows rows) => Of(_inputs, number).TrySetResult(rows);

    /// <summary>Waits until all steps before have begun.</summary>
    public async ValueTask TurnAsync(long number)
    {
        if (number == _next)
            return;
        if (!_turns.TryGetValue(number, out var turn))
            _turns.Add(number, turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await turn.Task;
    }

    /// <summary>A step has begun: the next one may.</summary>
    public void Advance(long number)
    {
        _next = number + 1;
        if (_turns.Remove(_next, out var turn))
            turn.TrySetResult();
    }

    private static TaskCompletionSource<WireRows> Of(Dictionary<long, TaskCompletionSource<WireRows>> inputs, long number)
    {
        if (!inputs.TryGetValue(number, out var input))
            inputs.Add(number, input = new TaskCompletionSource<WireRows>(TaskCreationOptions.RunContinuationsAsynchronously));
        return input;
    }
}
