using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

/// <summary>What a request must give, computed one token after the other without cache, batch or scheduler.</summary>
internal static class ReferenceGeneration
{
    public static (List<int> Tokens, FinishKind Finish) Run(HashPipeline pipeline, GenerationRequest request, int context)
    {
        var tokens = request.Prompt.ToList();
        var counts = new TokenCounts();
        counts.AddPrompt(request.Prompt);
        var sampler = new TokenSampler();
        while (true)
        {
            var logits = pipeline.Reference([.. tokens], request.EncoderInput);
            var token = sampler.Sample(logits, request.Sampling, request.Sampling.Seed!.Value, tokens.Count, counts);
            tokens.Add(token);
            counts.AddGenerated(token);
            var generated = tokens.Count - request.Prompt.Length;
            if (request.Sampling.StopTokenIds.Contains(token) || (!request.Sampling.IgnoreEos && request.EndTokens.Contains(token)))
                return (tokens[^generated..], FinishKind.Stop);
            if (generated == request.Sampling.MaxTokens || tokens.Count == context)
                return (tokens[^generated..], FinishKind.Length);
        }
    }

    public static async Task<(List<int> Tokens, GenerationEvent Last)> Collect(IAsyncEnumerable<GenerationEvent> events)
    {
        var tokens = new List<int>();
        GenerationEvent? last = null;
        await foreach (var item in events)
        {
            if (item.Token is { } token)
                tokens.Add(token.TokenId);
            last = item;
        }

        return (tokens, last!);
    }
}
