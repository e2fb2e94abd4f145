using Grpc.Core;
using Slm.Router.Policies;
using Slm.V1;

namespace Slm.Router.Models;

/// <summary>The platform's models over gRPC, and the endpoints of the settings.</summary>
internal sealed class PlatformModels(InferenceService.InferenceServiceClient inference, VocabularyMatch vocabularies, IReadOnlyDictionary<string, EndpointModel> endpoints) : IModels
{
    public async Task<ModelAnswer> AskAsync(ModelReference model, GenerateRequest request, Func<GenerateResponse, ValueTask>? live, CancellationToken cancellationToken)
    {
        if (model.Endpoint is { } endpoint)
        {
            var answer = await endpoints[endpoint].AskAsync(model.Model, request, cancellationToken);
            if (live is not null)
                await live(Whole(answer));
            return answer;
        }

        if (live is null)
        {
            var once = await inference.GenerateOnceAsync(request, cancellationToken: cancellationToken);
            return new ModelAnswer(once.Text, once.TokenIds, once.Logprobs, once.Usage.PromptTokens, once.Usage.CompletionTokens, once.FinishReason)
            {
                Usage = once.Usage,
                StopMatch = once.HasStopMatch ? once.StopMatch : null,
            };
        }

        using var call = inference.Generate(request, cancellationToken: cancellationToken);
        var text = new System.Text.StringBuilder();
        var (ids, logprobs) = (new List<int>(), new List<TokenLogProb>());
        GenerateResponse? last = null;
        await foreach (var piece in call.ResponseStream.ReadAllAsync(cancellationToken))
        {
            if (!piece.IsPrompt)
            {
                text.Append(piece.Text);
                ids.AddRange(piece.TokenIds);
                logprobs.AddRange(piece.Logprobs);
            }

            last = piece;
            await live(piece);
        }

        if (last?.Usage is not { } usage)
            throw new RpcException(new Status(StatusCode.Unavailable, $"The answer of '{model}' ended before its end."));
        return new ModelAnswer(text.ToString(), ids, logprobs, usage.PromptTokens, usage.CompletionTokens, last.FinishReason) { Usage = usage, StopMatch = last.HasStopMatch ? last.StopMatch : null };
    }

    public async Task<(double LogProb, int Tokens)> ScoreAsync(string model, string context, string continuation, SchedulingOptions? scheduling, CancellationToken cancellationToken)
    {
        var score = await inference.ScoreAsync(new ScoreRequest { Model = model, Text = context, ContinuationText = continuation, Scheduling = scheduling }, cancellationToken: cancellationToken);
        return (score.SumLogprob, score.ContextTokens + score.Tokens.Count);
    }

    public ValueTask<bool> ShareTokensAsync(ModelReference first, ModelReference second, CancellationToken cancellationToken) => vocabularies.IsSameAsync(first, second, cancellationToken);

    /// <summary>An answer in one piece.</summary>
    public static GenerateResponse Whole(ModelAnswer answer)
    {
        var piece = new GenerateResponse { Text = answer.Text, FinishReason = answer.Finish, Usage = answer.Usage };
        piece.TokenIds.Add(answer.TokenIds);
        piece.Logprobs.Add(answer.LogProbs);
        if (answer.StopMatch is { } stop)
            piece.StopMatch = stop;
        return piece;
    }
}
