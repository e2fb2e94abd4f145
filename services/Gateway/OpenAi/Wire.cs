using System.Text.Json;
using System.Text.Json.Serialization;

namespace Slm.Gateway.OpenAi;

// The JSON documents of the OpenAI API. Names become snake_case; null stays unless marked.

internal sealed record ErrorBody(ErrorDetail Error);

internal sealed record ErrorDetail(string Message, string Type, string? Param, string? Code);

internal sealed record UsageBody(int PromptTokens, int CompletionTokens, int TotalTokens, PromptDetails PromptTokensDetails, CompletionDetails CompletionTokensDetails);

internal sealed record PromptDetails(int CachedTokens);

internal sealed record CompletionDetails(int ReasoningTokens, int AcceptedPredictionTokens, int RejectedPredictionTokens);

internal sealed record ChatCompletion(string Id, string Object, long Created, string Model, string SystemFingerprint, IReadOnlyList<ChatChoice> Choices, UsageBody Usage);

internal sealed record ChatChoice(int Index, ChatAnswer Message, ChatLogProbs? Logprobs, string FinishReason);

internal sealed record ChatAnswer(
    string Role, string? Content, string? Refusal,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ToolCallBody>? ToolCalls);

internal sealed record ToolCallBody(string Id, string Type, FunctionBody Function);

internal sealed record FunctionBody(string Name, string Arguments);

internal sealed record ChatLogProbs(IReadOnlyList<ChatTokenLogProb> Content, IReadOnlyList<ChatTokenLogProb>? Refusal);

internal sealed record ChatTokenLogProb(string Token, float Logprob, int[] Bytes, IReadOnlyList<ChatTopLogProb> TopLogprobs);

internal sealed record ChatTopLogProb(string Token, float Logprob, int[] Bytes);

internal sealed record ChatChunk(
    string Id, string Object, long Created, string Model,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? SystemFingerprint,
    IReadOnlyList<ChatChunkChoice> Choices,
    UsageBody? Usage);

internal sealed record ChatChunkChoice(int Index, ChatDelta Delta, ChatLogProbs? Logprobs, string? FinishReason);

internal sealed record ChatDelta(
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Role,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Content,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ToolCallDelta>? ToolCalls = null);

internal sealed record ToolCallDelta(
    int Index,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Id,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Type,
    FunctionDelta Function);

internal sealed record FunctionDelta([property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Name, string Arguments);

internal sealed record TextCompletion(
    string Id, string Object, long Created, string Model,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? SystemFingerprint,
    IReadOnlyList<TextChoice> Choices,
    UsageBody? Usage);

internal sealed record TextChoice(int Index, string Text, TextLogProbs? Logprobs, string? FinishReason);

internal sealed record TextLogProbs(IReadOnlyList<string> Tokens, IReadOnlyList<float?> TokenLogprobs, IReadOnlyList<Dictionary<string, float>?> TopLogprobs, IReadOnlyList<int> TextOffset);

internal sealed record EmbeddingList(string Object, IReadOnlyList<EmbeddingItem> Data, string Model, EmbeddingUsage Usage);

internal sealed record EmbeddingItem(string Object, int Index, JsonElement Embedding);

internal sealed record EmbeddingUsage(int PromptTokens, int TotalTokens);

internal sealed record ModelList(string Object, IReadOnlyList<ModelBody> Data);

internal sealed record ModelBody(string Id, string Object, long Created, string OwnedBy, int MaxModelLen, string? Parent = null);

internal sealed record TokenizeBody(IReadOnlyList<int> Tokens, int Count, int MaxModelLen, IReadOnlyList<string>? TokenStrs);

internal sealed record DetokenizeBody(string Prompt);

internal sealed record TokenizerInfoBody(string Model, string? BosToken, string? EosToken, int? BosTokenId, int? EosTokenId, string? ChatTemplate, int VocabSize, int MaxModelLen, bool AddBosToken, bool AddEosToken);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(ChatCompletion))]
[JsonSerializable(typeof(ChatChunk))]
[JsonSerializable(typeof(TextCompletion))]
[JsonSerializable(typeof(EmbeddingList))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(ModelBody))]
[JsonSerializable(typeof(TokenizeBody))]
[JsonSerializable(typeof(DetokenizeBody))]
[JsonSerializable(typeof(TokenizerInfoBody))]
[JsonSerializable(typeof(float[]))]
[JsonSerializable(typeof(string))]
internal sealed partial class WireContext : JsonSerializerContext
{
    /// <summary>Text stays readable: only what JSON itself requires is escaped.</summary>
    public static WireContext Shared { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
