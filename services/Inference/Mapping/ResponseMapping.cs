using Google.Protobuf;
using Slm.Engine.Scheduling;
using Slm.Runtime;
using Slm.V1;
using TokenLogProb = Slm.V1.TokenLogProb;

namespace Slm.Inference.Mapping;

/// <summary>What the runtime answers, as messages of the contract.</summary>
internal static class ResponseMapping
{
    /// <summary>A piece of an answer.</summary>
    public static GenerateResponse ToResponse(TextChunk chunk)
    {
        var response = new GenerateResponse { Text = chunk.Text, IsPrompt = chunk.IsPrompt, FinishReason = ToReason(chunk.Finish) };
        response.TokenIds.AddRange(chunk.TokenIds);
        response.Logprobs.AddRange(chunk.LogProbs.Select(ToMessage));
        if (chunk.StopMatch is not null)
            response.StopMatch = chunk.StopMatch;
        if (chunk.Usage is { } usage)
        {
            response.Usage = new Usage
            {
                PromptTokens = usage.PromptTokens,
                CompletionTokens = usage.CompletionTokens,
                CachedPromptTokens = usage.CachedPromptTokens,
                Seed = usage.Seed,
                QueueMs = usage.QueueMs,
                PrefillMs = usage.PrefillMs,
                DecodeMs = usage.DecodeMs,
                SystemFingerprint = usage.SystemFingerprint,
                DraftedTokens = usage.DraftedTokens,
                AcceptedDraftTokens = usage.AcceptedTokens,
            };
        }
        return response;
    }

    /// <summary>An adapter that is loaded.</summary>
    public static Adapter ToMessage(string model, AdapterInfo adapter, string fingerprint) => new()
    {
        Model = model,
        Adapter_ = adapter.Name,
        Rank = adapter.Rank,
        Alpha = adapter.Alpha,
        Strength = adapter.Strength,
        Parameters = adapter.Parameters,
        Tensors = adapter.Tensors,
        SystemFingerprint = fingerprint,
    };

    /// <summary>A score.</summary>
    public static ScoreResponse ToResponse(TextScore score)
    {
        var response = new ScoreResponse { SumLogprob = score.SumLogProb, IsGreedy = score.IsGreedy, ContextTokens = score.ContextTokens };
        response.Tokens.AddRange(score.Tokens.Select(ToMessage));
        return response;
    }

    /// <summary>Vectors.</summary>
    public static EmbedResponse ToResponse(TextEmbeddings embeddings)
    {
        var response = new EmbedResponse { PromptTokens = embeddings.PromptTokens };
        foreach (var vector in embeddings.Vectors)
        {
            var message = new Embedding();
            message.Values.AddRange(vector);
            response.Embeddings.Add(message);
        }
        return response;
    }

    private static TokenLogProb ToMessage(Runtime.TokenLogProb token)
    {
        var message = new TokenLogProb { TokenId = token.TokenId, Bytes = UnsafeByteOperations.UnsafeWrap(token.Bytes), Token = token.Piece, Forced = token.Forced };
        if (token.LogProb is { } logProb)
            message.Logprob = logProb;
        foreach (var top in token.Top)
            message.Top.Add(new TopLogProb { TokenId = top.TokenId, Bytes = UnsafeByteOperations.UnsafeWrap(top.Bytes), Token = top.Piece, Logprob = top.LogProb });
        return message;
    }

    private static FinishReason ToReason(FinishKind? finish) => finish switch
    {
        null => FinishReason.Unspecified,
        FinishKind.Stop => FinishReason.Stop,
        _ => FinishReason.Length,
    };
}
