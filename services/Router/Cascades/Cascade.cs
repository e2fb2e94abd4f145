using Grpc.Core;
using Slm.Router.Models;
using Slm.Router.Policies;
using Slm.Router.Records;
using Slm.Router.Signals;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Router.Cascades;

/// <summary>Answers a request as a policy says: stage after stage until one's answer passes. One deadline holds for all of it.</summary>
internal sealed class Cascade(StageRunner runner, IModels models, ModelLoad load, SpendLedger ledger, TimeProvider time)
{
    /// <summary>Features and the first stage whose conditions hold; nothing is generated.</summary>
    public RouteDecision Plan(RoutePolicy policy, RoutedRequest request)
    {
        var decision = Begin(policy, request, policy.RequestBudget);
        foreach (var stage in Chain(policy))
        {
            var trace = new StageTrace { Stage = stage.Name, Model = stage.Model.ToString(), Outcome = StageOutcome.Planned };
            if (Unmet(stage, decision, request) is { } condition)
                (trace.Outcome, trace.Reason) = (StageOutcome.Skipped, condition);
            decision.Stages.Add(trace);
        }

        var first = decision.Stages.FirstOrDefault(s => s.Outcome == StageOutcome.Planned);
        decision.Model = first?.Model ?? "";
        decision.Reason = first is null ? "No stage's conditions hold for this request." : $"Stage '{first.Stage}' is the first whose conditions hold.";
        return decision;
    }

    /// <summary>Answers it.</summary>
    /// <exception cref="RouteFailedException">It cannot be answered; the message names the stages and why.</exception>
    public async Task<RoutedResult> RunAsync(RoutePolicy policy, RoutedRequest request, Func<GenerateResponse, ValueTask>? live, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var budget = new RequestSpending(policy, ledger);
        var decision = Begin(policy, request, policy.RequestBudget);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var timer = TimeLeft(policy, request) is { } left ? time.CreateTimer(_ => deadline.Cancel(), null, left, Timeout.InfiniteTimeSpan) : null;
        var chain = Chain(policy).ToArray();
        StageRun? best = null;
        var runs = new List<StageRun>();
        Exception? failure = null;
        foreach (var stage in chain)
        {
            decision.Features[SignalNames.Load] = load.Of(stage.Model);
            decision.Features[SignalNames.PrefixLocality] = load.Locality(stage.Model, RequestFeatures.Text(request.Request));
            if (Unmet(stage, decision, request) is { } condition)
            {
                decision.Stages.Add(Skipped(stage, condition));
                continue;
            }

            var stageStarted = time.GetTimestamp();
            var trace = StageRunner.Trace(stage);
            decision.Stages.Add(trace);
            var streamed = false;
            ValueTask Through(GenerateResponse piece)
            {
                streamed = true;
                return live!(piece);
            }

            using var stageEnd = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
            using var stageTimer = stage.Timeout is { } most ? time.CreateTimer(_ => stageEnd.Cancel(), null, most, Timeout.InfiniteTimeSpan) : null;
            try
            {
                var run = await runner.RunAsync(policy, stage, request.Request, await DraftAsync(best, stage, stageEnd.Token), budget, trace, live is not null && stage.IsUnconditional ? Through : null, stageEnd.Token);
                runs.Add(best = run);
                if (run.Passed)
                {
                    run.Trace.Outcome = StageOutcome.Accepted;
                    return Finish(decision, run, runs, chain, started, streamed);
                }

                run.Trace.Outcome = StageOutcome.Rejected;
            }
            catch (Exception error) when (!cancellationToken.IsCancellationRequested && !streamed && IsFailure(error))
            {
                failure = error;
                decision.Degraded = true;
                trace.Outcome = StageOutcome.Failed;
                trace.Reason = Explain(error, stage, deadline.IsCancellationRequested);
                trace.LatencyMs = time.GetElapsedTime(stageStarted).TotalMilliseconds;
                if (policy.OnMissing == OnMissing.Fail && error is not SpendLimitException && !deadline.IsCancellationRequested)
                    throw Failed(Unavailable(policy, decision, error), decision, started);
                if (deadline.IsCancellationRequested)
                    break;
            }
        }

        // Nothing passed: the last answer is given for what it is, unless the policy would rather have none that came too late.
        if (best is not null && (policy.OnMissing == OnMissing.Degrade || !deadline.IsCancellationRequested))
        {
            best.Trace.Outcome = StageOutcome.Given;
            return Finish(decision, best, runs, chain, started, streamed: false);
        }

        if (deadline.IsCancellationRequested)
            throw Failed(ErrorMap.Make(Google.Rpc.Code.DeadlineExceeded, $"The policy '{policy.Name}' had no answer within its deadline. {Story(decision)}", ErrorMap.Info("ROUTE_DEADLINE", ("policy", policy.Name))).ToRpcException(), decision, started);
        throw Failed(failure is SpendLimitException
            ? ErrorMap.Make(Google.Rpc.Code.ResourceExhausted, $"The policy '{policy.Name}' may not spend more. {Story(decision)}", ErrorMap.Info("SPEND_LIMIT", ("policy", policy.Name))).ToRpcException()
            : failure is not null ? Unavailable(policy, decision, failure)
            : ErrorMap.Make(Google.Rpc.Code.FailedPrecondition, $"No stage of the policy '{policy.Name}' is for this request. {Story(decision)}", ErrorMap.Info("NO_STAGE", ("policy", policy.Name))).ToRpcException(), decision, started);
    }

    private static IEnumerable<StagePolicy> Chain(RoutePolicy policy)
    {
        for (var stage = policy.Stages[0]; stage is not null; stage = policy.After(stage))
            yield return stage;
    }

    private static bool IsFailure(Exception error) => error switch
    {
        SpendLimitException or OperationCanceledException or TimeoutException => true,
        // What is wrong with the request is wrong for every stage.
        RpcException rpc => rpc.StatusCode is not (StatusCode.InvalidArgument or StatusCode.Unauthenticated or StatusCode.PermissionDenied or StatusCode.OutOfRange),
        _ => false,
    };

    private static string Explain(Exception error, StagePolicy stage, bool overdue) => error switch
    {
        SpendLimitException => error.Message,
        RpcException { StatusCode: StatusCode.NotFound } => $"The model '{stage.Model}' is not deployed.",
        RpcException { StatusCode: StatusCode.Cancelled } or OperationCanceledException or TimeoutException => overdue ? "The time for the whole request was up." : "It did not answer in its time.",
        RpcException rpc => $"{rpc.StatusCode}: {rpc.Status.Detail}",
        _ => error.Message,
    };

    private static string Story(RouteDecision decision) => string.Join(" ", decision.Stages.Select(s => $"{s.Stage}: {s.Reason}"));

    private static RpcException Unavailable(RoutePolicy policy, RouteDecision decision, Exception error) => ErrorMap.Make(
        Google.Rpc.Code.Unavailable,
        $"The policy '{policy.Name}' could not answer. {Story(decision)}{(policy.OnMissing == OnMissing.Fail ? " With on_missing: degrade it would go on with what is there." : "")}",
        ErrorMap.Info("STAGE_UNAVAILABLE", ("policy", policy.Name), ("stage", decision.Stages[^1].Stage), ("cause", error is RpcException rpc ? rpc.StatusCode.ToString() : error.GetType().Name)),
        ErrorMap.Retry(TimeSpan.FromSeconds(1))).ToRpcException();

    private RouteDecision Begin(RoutePolicy policy, RoutedRequest request, double? budgetLeft)
    {
        var decision = new RouteDecision
        {
            Id = request.Id,
            Policy = policy.Name,
            PolicyHash = policy.Hash,
            Tenant = request.Tenant,
            Time = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(time.GetUtcNow()),
        };
        if (request.ShadowOf is { } shadowed)
            decision.ShadowOf = shadowed;
        foreach (var (name, value) in RequestFeatures.Of(request.Request, policy, TimeLeft(policy, request), budgetLeft))
            decision.Features[name] = value;
        var first = policy.Stages[0].Model;
        decision.Features[SignalNames.Load] = load.Of(first);
        decision.Features[SignalNames.PrefixLocality] = load.Locality(first, RequestFeatures.Text(request.Request));
        return decision;
    }

    private static TimeSpan? TimeLeft(RoutePolicy policy, RoutedRequest request)
    {
        var own = request.Request.Scheduling is { HasTimeoutMs: true } terms ? TimeSpan.FromMilliseconds(Math.Clamp(terms.TimeoutMs, 1, int.MaxValue)) : (TimeSpan?)null;
        return policy.Deadline is { } deadline && (own is null || deadline < own) ? deadline : own;
    }

    private static string? Unmet(StagePolicy stage, RouteDecision decision, RoutedRequest request)
    {
        foreach (var condition in stage.When)
        {
            if (condition.Feature == SignalNames.Tenant)
            {
                if (!condition.Tenants.Contains(request.Tenant))
                    return $"It is not for the tenant '{request.Tenant}'.";
                continue;
            }

            // A deadline or a budget that is not there is no bound.
            if (!decision.Features.TryGetValue(condition.Feature, out var value))
                continue;
            if (value < condition.AtLeast)
                return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{condition.Feature} is {value:0.###}, below {condition.AtLeast:0.###}.");
            if (value > condition.AtMost)
                return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{condition.Feature} is {value:0.###}, above {condition.AtMost:0.###}.");
        }

        return null;
    }

    /// <summary>The last answer's tokens, where the stage can use them.</summary>
    private async ValueTask<IReadOnlyList<int>> DraftAsync(StageRun? last, StagePolicy stage, CancellationToken cancellationToken) =>
        last is { Answer.TokenIds.Count: > 0 } && stage.Draft && await models.ShareTokensAsync(last.Stage.Model, stage.Model, cancellationToken) ? last.Answer.TokenIds : [];

    private static StageTrace Skipped(StagePolicy stage, string why)
    {
        var trace = StageRunner.Trace(stage);
        (trace.Outcome, trace.Reason) = (StageOutcome.Skipped, why);
        return trace;
    }

    private RouteFailedException Failed(RpcException error, RouteDecision decision, long started)
    {
        decision.Cost = decision.Stages.Sum(s => s.Cost);
        decision.LatencyMs = time.GetElapsedTime(started).TotalMilliseconds;
        decision.Reason = error.Status.Detail;
        return new RouteFailedException(error, decision);
    }

    private RoutedResult Finish(RouteDecision decision, StageRun run, IReadOnlyList<StageRun> runs, StagePolicy[] chain, long started, bool streamed)
    {
        decision.Model = run.Stage.Model.ToString();
        decision.Accepted = run.Trace.Outcome == StageOutcome.Accepted;
        decision.Fallback = run.Stage != chain[0];
        decision.Cost = decision.Stages.Sum(s => s.Cost);
        decision.LatencyMs = time.GetElapsedTime(started).TotalMilliseconds;
        decision.Reason = decision.Accepted ? $"Stage '{run.Stage.Name}' answered. {run.Trace.Reason}" : $"No answer passed; the one of stage '{run.Stage.Name}' is given. {run.Trace.Reason}";
        decision.Checks = new AnswerChecks { Parses = run.Reading.Parses, Valid = run.Reading.Valid, Executable = run.Reading.Executable };
        return new RoutedResult(decision, run, runs, streamed);
    }
}
