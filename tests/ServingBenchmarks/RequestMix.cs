namespace Slm.ServingBenchmarks;

/// <summary>A request of the load.</summary>
/// <param name="Arrival">Seconds after the start.</param>
/// <param name="Prompt">Token ids.</param>
/// <param name="OutputTokens">Tokens to generate.</param>
internal sealed record PlannedRequest(double Arrival, int[] Prompt, int OutputTokens);

/// <summary>The requests of one number of streams.</summary>
internal sealed record LoadPlan(int Streams, PlannedRequest[] Requests);

/// <summary>Requests of mixed lengths that arrive as a Poisson process, the same ones for the same seed.</summary>
internal static class RequestMix
{
    private static readonly int[] PromptLengths = [16, 32, 64, 128, 256];
    private static readonly int[] OutputLengths = [16, 32, 64, 96];

    /// <param name="count">How many.</param>
    /// <param name="rate">Arrivals per second.</param>
    /// <param name="vocabulary">Prompts are random tokens below this.</param>
    /// <param name="seed">Of everything.</param>
    public static PlannedRequest[] Plan(int count, double rate, int vocabulary, int seed)
    {
        var random = new Random(seed);
        var requests = new PlannedRequest[count];
        var time = 0.0;
        for (var i = 0; i < count; i++)
        {
            time += -Math.Log(1 - random.NextDouble()) / rate;
            var prompt = new int[PromptLengths[random.Next(PromptLengths.Length)]];
            for (var t = 0; t < prompt.Length; t++)
                prompt[t] = random.Next(vocabulary);
            requests[i] = new PlannedRequest(time, prompt, OutputLengths[random.Next(OutputLengths.Length)]);
        }

        return requests;
    }
}
