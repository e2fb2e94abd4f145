using System.Globalization;
using Microsoft.Extensions.AI;
using Slm.Tools.Calls;
using Slm.V1;
using ChatMessage = Slm.V1.ChatMessage;

namespace Slm.Extensions.AI;

/// <summary>Requests of the contract from options of the abstractions.</summary>
internal static class RequestMapping
{
    public static GenerateRequest Request(string model, ToolTranscript transcript, ChatOptions? options)
    {
        if (options?.ConversationId is not null)
            throw new NotSupportedException("The platform keeps no conversations over gRPC: leave ConversationId out and send the messages.");
        var messages = new Messages();
        messages.Messages_.AddRange(transcript.Turns.Select(Message));
        messages.Tools.AddRange(transcript.Functions.Select(f => new ToolDefinition { Name = f.Name, Description = f.Description, ParametersJson = f.ParametersJson }));
        return new GenerateRequest { Model = model, Messages = messages, Sampling = Sampling(options) };
    }

    /// <summary>What the answer must be: calls, a document, or either.</summary>
    public static void Constrain(GenerateRequest request, ToolLanguage? language, bool exact, ChatResponseFormat? format)
    {
        if (language is null)
        {
            if (Schema(format) is { } schema)
                request.Constraint = new Constraint { JsonSchema = schema, JsonForm = new JsonForm { Whitespace = JsonWhitespace.Spaced, SchemaOrder = true, PlainIntegers = true, PlainStrings = true } };
            return;
        }
        var tagged = new TaggedText { Required = language.Required, MaxTags = language.MaxTags, Separator = language.Separator };
        tagged.Triggers.AddRange(language.Triggers);
        tagged.Tags.AddRange(language.Tags.Select(tag => new Tag { Begin = tag.Begin, JsonSchema = tag.JsonSchema, End = tag.End }));
        request.Constraint = new Constraint
        {
            TaggedText = tagged,
            Lenient = !exact,
            JsonForm = new JsonForm { Whitespace = JsonWhitespace.Spaced, SchemaOrder = true, PlainIntegers = true, PlainStrings = true },
        };
    }

    /// <summary>The schema of a document that is asked for; null if it is text.</summary>
    public static string? Schema(ChatResponseFormat? format) => format is ChatResponseFormatJson json ? json.Schema?.GetRawText() ?? """{"type":"object"}""" : null;

    public static UsageDetails Usage(Usage usage) => new()
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = usage.PromptTokens + usage.CompletionTokens,
        CachedInputTokenCount = usage.CachedPromptTokens,
    };

    private static ChatMessage Message(ToolTurn turn)
    {
        var message = new ChatMessage { Role = turn.Role, Content = turn.Content };
        if (turn.Name is not null)
            message.Name = turn.Name;
        if (turn.CallId is not null)
            message.ToolCallId = turn.CallId;
        message.ToolCalls.AddRange(turn.Calls.Select(c => new ToolCall { Id = c.Id, Name = c.Name, ArgumentsJson = c.ArgumentsJson }));
        return message;
    }

    private static SamplingOptions Sampling(ChatOptions? options)
    {
        var sampling = new SamplingOptions();
        if (options is null)
            return sampling;
        if (options.MaxOutputTokens is { } limit)
            sampling.MaxTokens = limit;
        if (options.Temperature is { } temperature)
            sampling.Temperature = temperature;
        if (options.TopP is { } topP)
            sampling.TopP = topP;
        if (options.TopK is { } topK)
            sampling.TopK = topK;
        if (options.Seed is { } seed)
            sampling.Seed = unchecked((ulong)seed);
        if (options.FrequencyPenalty is { } frequency)
            sampling.FrequencyPenalty = frequency;
        if (options.PresencePenalty is { } presence)
            sampling.PresencePenalty = presence;
        sampling.Stop.AddRange(options.StopSequences ?? []);
        if (options.AdditionalProperties?.TryGetValue("min_p", out var minP) is true)
            sampling.MinP = Convert.ToSingle(minP, CultureInfo.InvariantCulture);
        if (options.AdditionalProperties?.TryGetValue("repetition_penalty", out var repetition) is true)
            sampling.RepetitionPenalty = Convert.ToSingle(repetition, CultureInfo.InvariantCulture);
        return sampling;
    }
}
