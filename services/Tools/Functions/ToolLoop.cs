using Slm.Tools.Calls;

namespace Slm.Tools.Functions;

/// <summary>How a loop of answers and calls ended.</summary>
public enum ToolLoopEnd
{
    /// <summary>The model answered without a call.</summary>
    Answered,

    /// <summary>The model called functions that are not in the registry: they are the caller's to run.</summary>
    CallerCalls,

    /// <summary>The model still called functions after the allowed number of rounds.</summary>
    TooManyRounds,
}

/// <summary>What came of a loop.</summary>
/// <param name="End">Why it ended.</param>
/// <param name="Turns">The whole conversation.</param>
public sealed record ToolLoopResult(ToolLoopEnd End, IReadOnlyList<ToolTurn> Turns);

/// <summary>Asks a model, runs the functions that it calls, and asks again with their results, until it answers without a call.</summary>
/// <param name="registry">The functions.</param>
/// <param name="maxRounds">Most answers with calls, at least 1.</param>
public sealed class ToolLoop(FunctionRegistry registry, int maxRounds = 8)
{
    /// <summary>Runs the loop.</summary>
    /// <param name="turns">The conversation so far.</param>
    /// <param name="ask">Asks the model: from a conversation to the assistant's turn.</param>
    /// <param name="ran">Hears of every call that was run, in the order of the calls; null: nobody does.</param>
    /// <param name="cancellationToken">Ends answer and functions.</param>
    public async Task<ToolLoopResult> RunAsync(
        IEnumerable<ToolTurn> turns, Func<IReadOnlyList<ToolTurn>, CancellationToken, Task<ToolTurn>> ask, Func<FunctionOutcome, Task>? ran, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(turns);
        ArgumentNullException.ThrowIfNull(ask);
        var conversation = turns.ToList();
        for (var round = 1; ; round++)
        {
            var answer = await ask(conversation, cancellationToken);
            conversation.Add(answer);
            var own = answer.Calls.Where(c => registry.Has(c.Name)).ToList();
            // The calls of one answer do not know of each other: they run side by side.
            var outcomes = await Task.WhenAll(own.Select(call => registry.InvokeAsync(call, cancellationToken)));
            foreach (var outcome in outcomes)
            {
                conversation.Add(new ToolTurn("tool", outcome.Output) { CallId = outcome.Call.Id, Name = outcome.Call.Name });
                if (ran is not null)
                    await ran(outcome);
            }
            if (own.Count < answer.Calls.Count)
                return new ToolLoopResult(ToolLoopEnd.CallerCalls, conversation);
            if (own.Count == 0)
                return new ToolLoopResult(ToolLoopEnd.Answered, conversation);
            if (round == maxRounds)
                return new ToolLoopResult(ToolLoopEnd.TooManyRounds, conversation);
        }
    }
}
