using Slm.Statistics;
using Slm.V1;

namespace Slm.Router.Accounting;

/// <summary>Figures over all requests, those that failed included.</summary>
internal static class RouteAccounting
{
    private const int Resamples = 2000;

    /// <summary>Sums up requests.</summary>
    /// <param name="requests">All of them.</param>
    /// <param name="seed">Of the bootstrap.</param>
    public static RouteSummary Summarize(IReadOnlyCollection<RequestFigures> requests, ulong seed = 1)
    {
        var judged = requests.Where(r => r.Success is not null).ToArray();
        double[] latencies = [.. requests.Select(r => r.LatencyMs)];
        var summary = new RouteSummary
        {
            Requests = requests.Count,
            Success = Rate(judged.Count(r => r.Success == true), judged.Length),
            MeanCost = requests.Count == 0 ? 0 : requests.Average(r => r.Cost),
            Parses = Rate(requests.Count(r => r.Checks is { HasParses: true, Parses: true }), requests.Count(r => r.Checks is { HasParses: true })),
            SchemaValid = Rate(requests.Count(r => r.Checks is { HasValid: true, Valid: true }), requests.Count(r => r.Checks is { HasValid: true })),
            Executable = Rate(requests.Count(r => r.Checks is { HasExecutable: true, Executable: true }), requests.Count(r => r.Checks is { HasExecutable: true })),
            Fallback = Rate(requests.Count(r => r.Fallback), requests.Count),
        };
        if (latencies.Length > 0)
            (summary.LatencyP50Ms, summary.LatencyP95Ms) = (Samples.Percentile(latencies, 50), Samples.Percentile(latencies, 95));
        if (CostPerSuccess(judged) is { } perSuccess)
        {
            summary.CostPerSuccess = perSuccess;
            var interval = Bootstrap.Of(judged.Length, items => CostPerSuccess([.. items.Select(i => judged[i])]) ?? double.NaN, seed, Resamples);
            (summary.CostPerSuccessLower, summary.CostPerSuccessUpper) = (interval.Lower, interval.Upper);
        }

        // A sum over both sources would be of nothing that exists.
        var measured = requests.Where(r => r.Energy?.Source == EnergySource.Measured).Select(r => r.Energy!.Joules).ToArray();
        var estimated = requests.Where(r => r.Energy?.Source == EnergySource.Estimated).Select(r => r.Energy!.Joules).ToArray();
        (summary.MeasuredRequests, summary.EstimatedRequests) = (measured.Length, estimated.Length);
        if (measured.Length > 0)
            summary.MeasuredJoulesPerRequest = measured.Average();
        if (estimated.Length > 0)
            summary.EstimatedJoulesPerRequest = estimated.Average();
        return summary;
    }

    /// <summary>Cost of all attempts of all requests over the number of those that succeeded; null where none did.</summary>
    public static double? CostPerSuccess(IReadOnlyCollection<RequestFigures> judged)
    {
        var successes = judged.Count(r => r.Success == true);
        return successes == 0 ? null : judged.Sum(r => r.Cost) / successes;
    }

    /// <summary>A share and its exact 95 % interval.</summary>
    public static Rate Rate(int count, int total)
    {
        var interval = ClopperPearson.Interval(count, total);
        var rate = new Rate { Count = count, Total = total, Lower = interval.Lower, Upper = interval.Upper };
        if (total > 0)
            rate.Value = interval.Estimate;
        return rate;
    }
}
