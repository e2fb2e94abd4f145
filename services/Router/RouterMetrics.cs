using System.Diagnostics.Metrics;
using Slm.V1;

namespace Slm.Router;

/// <summary>Figures of the router, by policy.</summary>
internal static class RouterMetrics
{
    private static readonly Meter Meter = new("Slm.Router");
    private static readonly Counter<long> Requests = Meter.CreateCounter<long>("slm.router.requests", "{request}", "Requests answered, by policy, stage and whether the answer was accepted.");
    private static readonly Counter<long> Failures = Meter.CreateCounter<long>("slm.router.failures", "{request}", "Requests that could not be answered.");
    private static readonly Counter<double> Cost = Meter.CreateCounter<double>("slm.router.cost", "{unit}", "Cost of all attempts, in the policies' units.");
    private static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("slm.router.duration", "s", "From the request to the end of its answer.");
    private static readonly Counter<long> Stages = Meter.CreateCounter<long>("slm.router.stages", "{stage}", "Stages tried or passed over, by their outcome.");
    private static readonly Counter<long> Reloads = Meter.CreateCounter<long>("slm.router.policy.reloads", "{file}", "Policy files read, by whether they could be used.");
    private static readonly Counter<long> Lost = Meter.CreateCounter<long>("slm.router.records.lost", "{record}", "Decisions that could not be recorded.");
    private static readonly Counter<double> Joules = Meter.CreateCounter<double>("slm.router.energy", "J", "Energy of requests, measured and estimated apart.");

    public static void Answered(RouteDecision decision)
    {
        var policy = new KeyValuePair<string, object?>("policy", decision.Policy);
        var shadow = new KeyValuePair<string, object?>("shadow", decision.HasShadowOf);
        Requests.Add(1, policy, shadow, new("accepted", decision.Accepted), new("fallback", decision.Fallback));
        Cost.Add(decision.Cost, policy, shadow);
        Duration.Record(decision.LatencyMs / 1e3, policy, shadow);
        foreach (var stage in decision.Stages)
            Stages.Add(1, policy, new("stage", stage.Stage), new("outcome", stage.Outcome.ToString().ToLowerInvariant()));
        if (decision.Energy is { } energy)
            Joules.Add(energy.Joules, policy, new("source", energy.Source.ToString().ToLowerInvariant()));
    }

    public static void Failed(string policy) => Failures.Add(1, new KeyValuePair<string, object?>("policy", policy));

    public static void Reloaded(bool usable) => Reloads.Add(1, new KeyValuePair<string, object?>("usable", usable));

    public static void RecordLost() => Lost.Add(1);
}
