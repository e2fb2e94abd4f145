using System.Collections.Concurrent;
using Grpc.Core;
using Slm.Router.Models;
using Slm.Router.Policies;
using Slm.V1;

namespace Slm.Router.Tests;

/// <summary>Models that answer as a test says.</summary>
internal sealed class ScriptedModels : IModels
{
    private readonly ConcurrentDictionary<string, Func<GenerateRequest, CancellationToken, Task<ModelAnswer>>> _models = new(StringComparer.Ordinal);

    /// <summary>Requests in order, with the model asked.</summary>
    public ConcurrentQueue<(string Model, GenerateRequest Request)> Asked { get; } = new();

    /// <summary>The log-probability of a continuation.</summary>
    public Func<string, string, double> Score { get; set; } = (_, _) => 0;

    public bool SameTokens { get; set; } = true;

    public ScriptedModels Add(string model, Func<GenerateRequest, ModelAnswer> answer) => Add(model, (request, _) => Task.FromResult(answer(request)));

    public ScriptedModels Add(string model, Func<GenerateRequest, CancellationToken, Task<ModelAnswer>> answer)
    {
        _models[model] = answer;
        return this;
    }

    /// <summary>An answer whose tokens have one log-probability.</summary>
    public static ModelAnswer Says(string text, double logprob = -0.01, int promptTokens = 10, int tokens = 5)
    {
        var logprobs = Enumerable.Range(0, tokens).Select(i =>
        {
            var token = new TokenLogProb { TokenId = i, Logprob = (float)logprob };
            token.Top.Add(new TopLogProb { TokenId = i, Logprob = (float)logprob });
            return token;
        }).ToArray();
        return new ModelAnswer(text, [.. Enumerable.Range(100, tokens)], logprobs, promptTokens, tokens, FinishReason.Stop);
    }

    public async Task<ModelAnswer> AskAsync(ModelReference model, GenerateRequest request, Func<GenerateResponse, ValueTask>? live, CancellationToken cancellationToken)
    {
        Asked.Enqueue((model.ToString(), request.Clone()));
        var answer = _models.TryGetValue(model.ToString(), out var script) ? await script(request, cancellationToken)
            : throw new RpcException(new Status(StatusCode.NotFound, $"There is no model '{model}'."));
        if (live is not null)
            await live(PlatformModels.Whole(answer));
        return answer;
    }

    public ValueTask<bool> ShareTokensAsync(ModelReference first, ModelReference second, CancellationToken cancellationToken) => new(SameTokens);

    public Task<(double LogProb, int Tokens)> ScoreAsync(string model, string context, string continuation, SchedulingOptions? scheduling, CancellationToken cancellationToken) =>
        Task.FromResult((Score(context, continuation), 3));
}
