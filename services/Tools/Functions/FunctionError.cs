using System.Text.Json;
using System.Text.Json.Serialization;
using Slm.JsonSchema;

namespace Slm.Tools.Functions;

/// <summary>Why a call brought no result.</summary>
public enum FunctionErrorKind
{
    /// <summary>There is no such function.</summary>
    UnknownFunction,

    /// <summary>The arguments are no JSON object.</summary>
    InvalidJson,

    /// <summary>The arguments break the function's schema.</summary>
    InvalidArguments,

    /// <summary>The function did not end in time.</summary>
    TimedOut,

    /// <summary>The function ran and failed.</summary>
    Failed,
}

/// <summary>What a model is told of a call that brought no result.</summary>
/// <param name="Kind">Why.</param>
/// <param name="Message">What is wrong and what would be right.</param>
/// <param name="Violations">Where the arguments break the schema.</param>
public sealed record FunctionError([property: JsonPropertyName("type")] FunctionErrorKind Kind, string Message, IReadOnlyList<SchemaError> Violations)
{
    /// <summary>As the model reads it: <c>{"error": {"type": "invalid_arguments", "message": …, "violations": […]}}</c>.</summary>
    public string ToJson() => JsonSerializer.Serialize(new Body(this), FunctionErrorContext.Readable.Body);

    internal sealed record Body(FunctionError Error);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UseStringEnumConverter = true)]
[JsonSerializable(typeof(FunctionError.Body))]
internal sealed partial class FunctionErrorContext : JsonSerializerContext
{
    public static FunctionErrorContext Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter<FunctionErrorKind>(JsonNamingPolicy.SnakeCaseLower) },
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}

/// <summary>What came of a call.</summary>
/// <param name="Call">The call.</param>
/// <param name="Output">What the model reads: the function's result, or the error as JSON.</param>
/// <param name="Error">Why there is no result; null if there is one.</param>
public sealed record FunctionOutcome(Calls.FunctionCall Call, string Output, FunctionError? Error);
