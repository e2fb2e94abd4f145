using System.Globalization;
using Grpc.Core;
using Slm.Contracts.Grains;
using Slm.Router.Accounting;
using Slm.Router.Cascades;
using Slm.Router.Learning;
using Slm.Router.Models;
using Slm.Router.Policies;
using Slm.Router.Records;
using Slm.ServiceDefaults;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Router;

/// <summary>gRPC face of the router.</summary>
internal sealed class RouterEndpoint(RequestRouter router, PolicyStore policies, DecisionStore decisions, Recorder recorder, SuiteRunner suites) : RouterService.RouterServiceBase
{
    private const int MostDecisions = 1000;
    private const int MostSummarized = 100_000;
    private const int MostCases = 100_000;

    /// <inheritdoc/>
    public override Task<RouteDecision> Route(RouteRequest request, ServerCallContext context) => Task.FromResult(router.Plan(Prepare(request, context)));

    /// <inheritdoc/>
    public override async Task Generate(RouteRequest request, IServerStreamWriter<RoutedResponse> responseStream, ServerCallContext context)
    {
        var cancelled = context.CancellationToken;
        var result = await router.AnswerAsync(Prepare(request, context), async piece => await responseStream.WriteAsync(new RoutedResponse { Piece = piece }, cancelled), cancelled);
        if (!result.Streamed)
            await responseStream.WriteAsync(new RoutedResponse { Piece = Asked(request, PlatformModels.Whole(result.Run.Answer)) }, cancelled);
        await responseStream.WriteAsync(new RoutedResponse { Decision = result.Decision }, cancelled);
    }

    /// <inheritdoc/>
    public override async Task<RoutedAnswer> GenerateOnce(RouteRequest request, ServerCallContext context)
    {
        var result = await router.AnswerAsync(Prepare(request, context), null, context.CancellationToken);
        var piece = Asked(request, PlatformModels.Whole(result.Run.Answer));
        var answer = new GenerateOnceResponse { Text = piece.Text, FinishReason = piece.FinishReason, Usage = piece.Usage };
        answer.TokenIds.Add(piece.TokenIds);
        answer.Logprobs.Add(piece.Logprobs);
        if (piece.HasStopMatch)
            answer.StopMatch = piece.StopMatch;
        return new RoutedAnswer { Answer = answer, Decision = result.Decision };
    }

    /// <inheritdoc/>
    public override Task<ListPoliciesResponse> ListPolicies(ListPoliciesRequest request, ServerCallContext context) => Task.FromResult(policies.List());

    /// <inheritdoc/>
    public override Task<CheckPolicyResponse> CheckPolicy(CheckPolicyRequest request, ServerCallContext context) => Task.FromResult(policies.Check(request.PolicyYaml));

    /// <inheritdoc/>
    public override async Task<RouteDecision> ReportOutcome(ReportOutcomeRequest request, ServerCallContext context)
    {
        await recorder.FlushAsync(context.CancellationToken);
        return await decisions.ReportAsync(request.DecisionId, request.Success, context.CancellationToken)
            ?? throw new StatusException(ErrorMap.Make(Google.Rpc.Code.NotFound, $"There is no decision '{request.DecisionId}'.",
                new Google.Rpc.ResourceInfo { ResourceType = "decision", ResourceName = request.DecisionId }, ErrorMap.Info("DECISION_NOT_FOUND")));
    }

    /// <inheritdoc/>
    public override async Task<ListDecisionsResponse> ListDecisions(ListDecisionsRequest request, ServerCallContext context)
    {
        await recorder.FlushAsync(context.CancellationToken);
        var response = new ListDecisionsResponse();
        response.Decisions.Add(await decisions.ListAsync(request.HasPolicy ? request.Policy : null, request.Shadows ? null : false, Limit(request.HasLimit, request.Limit, 100, MostDecisions), context.CancellationToken));
        return response;
    }

    /// <inheritdoc/>
    public override async Task<RouteSummary> Summarize(SummarizeRequest request, ServerCallContext context)
    {
        await recorder.FlushAsync(context.CancellationToken);
        var limit = Limit(request.HasLimit, request.Limit, MostSummarized, MostSummarized);
        return RouteAccounting.Summarize([.. (await decisions.ListAsync(request.HasPolicy ? request.Policy : null, request.Shadows, limit, context.CancellationToken)).Select(RequestFigures.Of)]);
    }

    /// <inheritdoc/>
    public override async Task EvaluatePolicy(EvaluatePolicyRequest request, IServerStreamWriter<EvaluatePolicyResponse> responseStream, ServerCallContext context)
    {
        var policy = request.PolicyCase == EvaluatePolicyRequest.PolicyOneofCase.PolicyYaml ? policies.Read(request.PolicyYaml, "policy_yaml") : policies.Get(request.PolicyName);
        var cases = Cases(request.Cases);
        if (cases.Count == 0)
            throw new FieldException("cases", "cases is empty; there is nothing to evaluate.");
        var runs = new List<CaseRun>();
        await foreach (var run in suites.RunAsync(policy, cases, Concurrency(request.HasConcurrency, request.Concurrency), request.AllStages, context.CancellationToken))
        {
            runs.Add(run);
            await responseStream.WriteAsync(new EvaluatePolicyResponse { CaseResult = run.ToResult() }, context.CancellationToken);
        }

        await responseStream.WriteAsync(new EvaluatePolicyResponse { Report = PolicyReports.Of(policy, InOrder(cases, runs), request.AllStages) }, context.CancellationToken);
    }

    /// <inheritdoc/>
    public override async Task TunePolicy(TunePolicyRequest request, IServerStreamWriter<TunePolicyResponse> responseStream, ServerCallContext context)
    {
        var policy = request.PolicyCase == TunePolicyRequest.PolicyOneofCase.PolicyYaml ? policies.Read(request.PolicyYaml, "policy_yaml") : policies.Get(request.PolicyName);
        var terms = Terms(request);
        // The signal must be told even by stages without a rule.
        var probing = policy with { Stages = [.. policy.Stages.Select(s => s.Next is null ? s : s with { Accept = new AcceptRule(terms.Signal ?? s.Accept?.Signal ?? SignalNames.MeanLogProb, double.MinValue, null) })] };
        IReadOnlyDictionary<string, IReadOnlyList<StageOutcomeItem>> outcomes;
        if (request.Cases.Count == 0)
        {
            await recorder.FlushAsync(context.CancellationToken);
            outcomes = Logged(probing, await decisions.ListAsync(policy.Name, null, MostSummarized, context.CancellationToken));
        }
        else
        {
            var cases = Cases(request.Cases);
            var runs = new List<CaseRun>();
            await foreach (var run in suites.RunAsync(probing, cases, Concurrency(request.HasConcurrency, request.Concurrency), allStages: true, context.CancellationToken))
            {
                runs.Add(run);
                await responseStream.WriteAsync(new TunePolicyResponse { CaseResult = run.ToResult() }, context.CancellationToken);
            }

            outcomes = probing.Stages.ToDictionary(s => s.Name, s => (IReadOnlyList<StageOutcomeItem>)[.. InOrder(cases, runs).Select(r => Outcome(r, s))], StringComparer.Ordinal);
        }

        await responseStream.WriteAsync(new TunePolicyResponse { Tuned = PolicyTuner.Tune(policy, outcomes, terms) }, context.CancellationToken);
    }

    private static RouteRequest Prepare(RouteRequest request, ServerCallContext context)
    {
        if (request.Request is null)
            throw new FieldException("request", "request is missing: what is to be answered.");
        if (request.Request.Model.Length > 0)
            throw new FieldException("request.model", $"request.model is \"{request.Request.Model}\", but the policy chooses the model. Leave it empty, or ask the model itself through InferenceService.");
        var scheduling = request.Request.Scheduling?.Clone() ?? new SchedulingOptions();
        if (!scheduling.HasClient)
            scheduling.Client = ClientIdentity.Of(context.RequestHeaders.GetValue("authorization"), context.Peer.LastIndexOf(':') is var colon && colon > 0 ? context.Peer[..colon] : context.Peer, "");
        if (context.Deadline < DateTime.MaxValue)
        {
            var left = Math.Max(1, (long)(context.Deadline.ToUniversalTime() - DateTime.UtcNow).TotalMilliseconds);
            scheduling.TimeoutMs = scheduling.HasTimeoutMs ? Math.Min(scheduling.TimeoutMs, left) : left;
        }

        request.Request.Scheduling = scheduling;
        return request;
    }

    /// <summary>The log-probabilities that the client asked for; the router itself needs more.</summary>
    private static GenerateResponse Asked(RouteRequest request, GenerateResponse piece)
    {
        var sampling = request.Request.Sampling;
        if (sampling is not { Logprobs: true })
            piece.Logprobs.Clear();
        foreach (var token in piece.Logprobs)
        {
            while (token.Top.Count > sampling!.TopLogprobs)
                token.Top.RemoveAt(token.Top.Count - 1);
        }

        return piece;
    }

    private static List<SuiteCase> Cases(Google.Protobuf.Collections.RepeatedField<string> lines)
    {
        if (lines.Count > MostCases)
            throw new FieldException("cases", string.Create(CultureInfo.InvariantCulture, $"cases holds {lines.Count} entries; at most {MostCases} are taken."));
        return [.. lines.Select(SuiteCase.Parse)];
    }

    private static List<CaseRun> InOrder(IReadOnlyList<SuiteCase> cases, IReadOnlyList<CaseRun> runs)
    {
        var place = cases.Select((c, i) => (c, i)).ToDictionary(p => p.c, p => p.i);
        return [.. runs.OrderBy(r => place[r.Case])];
    }

    private static int Concurrency(bool given, int value) => !given ? 4 : value is >= 1 and <= 256 ? value
        : throw new FieldException("concurrency", string.Create(CultureInfo.InvariantCulture, $"concurrency must be 1 to 256, but is {value}."));

    private static int Limit(bool given, int value, int standard, int most) => !given ? standard : value >= 1 && value <= most ? value
        : throw new FieldException("limit", string.Create(CultureInfo.InvariantCulture, $"limit must be 1 to {most}, but is {value}."));

    private static TuningTerms Terms(TunePolicyRequest request)
    {
        var terms = new TuningTerms(request.HasTargetRisk ? request.TargetRisk : 0.05, request.HasConfidence ? request.Confidence : 0.95, request.Calibration, request.HasSignal ? request.Signal : null);
        if (!(terms.TargetRisk is > 0 and < 1))
            throw new FieldException("target_risk", string.Create(CultureInfo.InvariantCulture, $"target_risk must be above 0 and below 1, but is {terms.TargetRisk}."));
        if (!(terms.Confidence is > 0 and < 1))
            throw new FieldException("confidence", string.Create(CultureInfo.InvariantCulture, $"confidence must be above 0 and below 1, but is {terms.Confidence}."));
        if (terms.Signal is not null && !SignalNames.Signals.ContainsKey(terms.Signal))
            throw new FieldException("signal", $"signal is \"{terms.Signal}\" but must be one of {string.Join(", ", SignalNames.Signals.Keys)}.");
        return terms;
    }

    private static StageOutcomeItem Outcome(CaseRun run, StagePolicy stage)
    {
        var mine = run.Stages[stage.Name];
        return new StageOutcomeItem(run.Case.Id, Signal(mine.Trace, stage), mine.Trace.Verifiers.All(v => v.Passed), run.Case.IsCorrect(mine.Answer.Text, mine.Reading));
    }

    /// <summary>Of recorded decisions the outcome is that of the stage that answered.</summary>
    private static Dictionary<string, IReadOnlyList<StageOutcomeItem>> Logged(RoutePolicy policy, IReadOnlyList<RouteDecision> decisions) => policy.Stages.ToDictionary(
        stage => stage.Name,
        stage => (IReadOnlyList<StageOutcomeItem>)[.. decisions.Where(d => d.HasSuccess)
            .Select(d => (Decision: d, Trace: d.Stages.FirstOrDefault(s => s.Stage == stage.Name && s.Outcome is StageOutcome.Accepted or StageOutcome.Given)))
            .Where(d => d.Trace is not null)
            .Select(d => new StageOutcomeItem(d.Decision.Id, Signal(d.Trace!, stage), d.Trace!.Verifiers.All(v => v.Passed), d.Decision.Success))],
        StringComparer.Ordinal);

    private static double Signal(StageTrace trace, StagePolicy stage) => trace.Signals.TryGetValue(stage.Accept?.Signal ?? SignalNames.MeanLogProb, out var value) ? value : double.NaN;
}
