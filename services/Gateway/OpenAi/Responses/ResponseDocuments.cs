using System.Text.Json;
using System.Text.Json.Serialization;

namespace Slm.Gateway.OpenAi.Responses;

// The JSON documents of the Responses API. Names become snake_case; null stays unless marked.

internal sealed record ResponseBody(string Id, string Object, long CreatedAt, string Model)
{
    public required string Status { get; init; }

    public long? CompletedAt { get; init; }

    public bool Background { get; init; }

    public ResponseError? Error { get; init; }

    public IncompleteDetails? IncompleteDetails { get; init; }

    public string? Instructions { get; init; }

    public int? MaxOutputTokens { get; init; }

    public int? MaxToolCalls { get; init; }

    public required IReadOnlyList<OutputItem> Output { get; init; }

    public bool ParallelToolCalls { get; init; }

    public string? PreviousResponseId { get; init; }

    public ReasoningBody Reasoning { get; init; } = new(null, null);

    public bool Store { get; init; }

    public double Temperature { get; init; }

    public double TopP { get; init; }

    public double PresencePenalty { get; init; }

    public double FrequencyPenalty { get; init; }

    public int TopLogprobs { get; init; }

    public required JsonElement Text { get; init; }

    public required JsonElement ToolChoice { get; init; }

    public required JsonElement Tools { get; init; }

    public string Truncation { get; init; } = "disabled";

    public string ServiceTier { get; init; } = "default";

    public ResponseUsage? Usage { get; init; }

    public string? User { get; init; }

    public string? SafetyIdentifier { get; init; }

    public string? PromptCacheKey { get; init; }

    public required JsonElement Metadata { get; init; }
}

internal sealed record ResponseError(string Code, string Message);

internal sealed record IncompleteDetails(string Reason);

internal sealed record ReasoningBody(string? Effort, string? Summary);

internal sealed record ResponseUsage(int InputTokens, InputTokensDetails InputTokensDetails, int OutputTokens, OutputTokensDetails OutputTokensDetails, int TotalTokens);

internal sealed record InputTokensDetails(int CachedTokens);

internal sealed record OutputTokensDetails(int ReasoningTokens);

/// <summary>A message, a call of a function or of an MCP tool, or the tools of an MCP server.</summary>
internal sealed record OutputItem(string Id, string Type)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Status { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Role { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ContentPart>? Content { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? CallId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ServerLabel { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Name { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Arguments { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Output { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Error { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ListedTool>? Tools { get; init; }
}

internal sealed record ListedTool(string Name, string Description, JsonElement InputSchema);

internal sealed record ContentPart(string Type, string Text, IReadOnlyList<JsonElement> Annotations, IReadOnlyList<ChatTokenLogProb> Logprobs);

/// <summary>A server-sent event; which fields it has depends on its type.</summary>
internal sealed record ResponseEvent(string Type, int SequenceNumber)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ResponseBody? Response { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? OutputIndex { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ItemId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ContentIndex { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public OutputItem? Item { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ContentPart? Part { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Delta { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Text { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Name { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Arguments { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ChatTokenLogProb>? Logprobs { get; init; }
}

internal sealed record DeletedResponse(string Id, string Object, bool Deleted);

internal sealed record InputItemList(string Object, IReadOnlyList<JsonElement> Data, string? FirstId, string? LastId, bool HasMore);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ResponseBody))]
[JsonSerializable(typeof(ResponseEvent))]
[JsonSerializable(typeof(DeletedResponse))]
[JsonSerializable(typeof(InputItemList))]
internal sealed partial class ResponseContext : JsonSerializerContext
{
    public static ResponseContext Shared { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
