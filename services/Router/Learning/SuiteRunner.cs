using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Slm.Router.Accounting;
using Slm.Router.Cascades;
using Slm.Router.Policies;
using Slm.Router.Records;
using Slm.V1;

namespace Slm.Router.Learning;

/// <summary>Runs the cases of a suite. Nothing of it is recorded among the requests of clients.</summary>
internal sealed class SuiteRunner(Cascade cascade, StageRunner runner, SpendLedger ledger, RouterEnergy energy)
{
    /// <summary>Runs them, several at a time, in any order.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="cases">The cases.</param>
    /// <param name="concurrency">Cases at a time.</param>
    /// <param name="allStages">Ask also the stages that the cascade does not need.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<CaseRun> RunAsync(RoutePolicy policy, IReadOnlyList<SuiteCase> cases, int concurrency, bool allStages, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var runs = Channel.CreateBounded<CaseRun>(concurrency);
        var work = Parallel.ForEachAsync(cases, new ParallelOptions { MaxDegreeOfParallelism = concurrency, CancellationToken = stop.Token },
            async (one, token) => await runs.Writer.WriteAsync(await RunAsync(policy, one, allStages, token), token));
        _ = work.ContinueWith(done => runs.Writer.TryComplete(done.Exception?.InnerException), TaskScheduler.Default);
        try
        {
            await foreach (var run in runs.Reader.ReadAllAsync(cancellationToken))
                yield return run;
        }
        finally
        {
            await stop.CancelAsync();
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<CaseRun> RunAsync(RoutePolicy policy, SuiteCase one, bool allStages, CancellationToken cancellationToken)
    {
        RoutedResult? result = null;
        RouteDecision decision;
        var share = energy.Meter?.Begin();
        try
        {
            result = await cascade.RunAsync(policy, new RoutedRequest(one.Id, "", one.Request.Clone()), null, cancellationToken);
            decision = result.Decision;
        }
        catch (RouteFailedException error)
        {
            decision = error.Decision;
        }

        if (share is not null)
            decision.Energy = energy.Meter!.End(share);
        var stages = (result?.Runs ?? []).ToDictionary(r => r.Stage.Name, StringComparer.Ordinal);
        if (allStages)
        {
            foreach (var stage in policy.Stages.Where(s => !stages.ContainsKey(s.Name)))
                stages[stage.Name] = await runner.RunAsync(policy, stage, one.Request.Clone(), [], new RequestSpending(policy, ledger), StageRunner.Trace(stage), null, cancellationToken);
        }

        var run = new CaseRun(one, result, decision, stages);
        decision.Success = run.Correct;
        decision.Checks ??= new AnswerChecks { Parses = false, Valid = false, Executable = false };
        return run;
    }
}
