using System.Text.Json.Serialization;

namespace Slm.ServingBenchmarks;

/// <summary>Median and tail of a quantity, in milliseconds.</summary>
internal sealed record Percentiles(double P50, double P95, double P99)
{
    /// <summary>Of a sample, by the nearest rank.</summary>
    public static Percentiles Of(List<double> values)
    {
        if (values.Count == 0)
            return new Percentiles(0, 0, 0);
        values.Sort();
        double Rank(double share) => Math.Round(values[Math.Clamp((int)Math.Ceiling(share * values.Count) - 1, 0, values.Count - 1)], 3);
        return new Percentiles(Rank(0.5), Rank(0.95), Rank(0.99));
    }
}

/// <summary>What a load of some number of streams gave.</summary>
/// <param name="Streams">Most requests in flight.</param>
/// <param name="Requests">Requests.</param>
/// <param name="ArrivalsPerSecond">Rate of the Poisson process.</param>
/// <param name="Seconds">From the first arrival to the last token.</param>
/// <param name="OutputTokensPerSecond">Generated tokens over that time.</param>
/// <param name="PromptTokensPerSecond">Prompt tokens over that time.</param>
/// <param name="WaitMs">From arrival until a stream was free to send the request.</param>
/// <param name="FirstTokenMs">From sending a request to its first token.</param>
/// <param name="InterTokenMs">Between a token and the next of the same answer.</param>
internal sealed record LoadResult(
    int Streams,
    int Requests,
    double ArrivalsPerSecond,
    double Seconds,
    double OutputTokensPerSecond,
    double PromptTokensPerSecond,
    Percentiles WaitMs,
    Percentiles FirstTokenMs,
    Percentiles InterTokenMs);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(List<LoadResult>))]
[JsonSerializable(typeof(List<LoadPlan>))]
internal sealed partial class LoadResultJson : JsonSerializerContext;
