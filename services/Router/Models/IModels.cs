using Slm.Router.Policies;
using Slm.V1;

namespace Slm.Router.Models;

/// <summary>The models that stages ask.</summary>
internal interface IModels
{
    /// <summary>An answer.</summary>
    /// <param name="model">Who is asked.</param>
    /// <param name="request">What; its model is not looked at.</param>
    /// <param name="live">Gets the pieces as they come; null: only the whole is wanted.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    /// <exception cref="Grpc.Core.RpcException">It cannot be answered.</exception>
    Task<ModelAnswer> AskAsync(ModelReference model, GenerateRequest request, Func<GenerateResponse, ValueTask>? live, CancellationToken cancellationToken);

    /// <summary>Whether the tokens of one model mean the same to the other, so that its answer can be the draft of the other's.</summary>
    ValueTask<bool> ShareTokensAsync(ModelReference first, ModelReference second, CancellationToken cancellationToken);

    /// <summary>Log-probability of a continuation, and the tokens that were computed for it.</summary>
    Task<(double LogProb, int Tokens)> ScoreAsync(string model, string context, string continuation, SchedulingOptions? scheduling, CancellationToken cancellationToken);
}

/// <summary>What a model answered.</summary>
/// <param name="Text">The text.</param>
/// <param name="TokenIds">Its tokens; none from an endpoint.</param>
/// <param name="LogProbs">Their log-probabilities, where the model tells them.</param>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CompletionTokens">Tokens of the answer.</param>
/// <param name="Finish">Why it ended.</param>
internal sealed record ModelAnswer(string Text, IReadOnlyList<int> TokenIds, IReadOnlyList<TokenLogProb> LogProbs, int PromptTokens, int CompletionTokens, FinishReason Finish)
{
    /// <summary>As the platform said it; of an endpoint only the tokens.</summary>
    public Usage Usage { get; init; } = new() { PromptTokens = PromptTokens, CompletionTokens = CompletionTokens };

    /// <summary>The stop string that matched.</summary>
    public string? StopMatch { get; init; }
}
