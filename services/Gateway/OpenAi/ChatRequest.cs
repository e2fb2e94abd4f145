using System.Text;
using System.Text.Json;
using Slm.Gateway.OpenAi.Constraints;
using Slm.Gateway.OpenAi.Tools;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary>A parsed <c>POST /v1/chat/completions</c>.</summary>
internal sealed record ChatRequest(string Model, GenerateRequest Prototype, int Choices, bool Stream, bool IncludeUsage)
{
    /// <summary>The functions the model may call.</summary>
    public ToolRequest Tools { get; init; } = ToolRequest.None;

    /// <summary>What the answer must be; null: any text.</summary>
    public AskedConstraint? Constraint { get; init; }

    private static readonly string[] Roles = ["developer", "system", "user", "assistant", "tool"];

    /// <summary>Reads and checks the request.</summary>
    /// <exception cref="OpenAiException">A field is missing, wrong, or asks for what is not there.</exception>
    public static ChatRequest Parse(JsonElement body)
    {
        var fields = new RequestFields(body);
        var model = fields.RequiredString("model");
        var sampling = SamplingFields.Read(fields);
        var newLimit = fields.Int("max_completion_tokens", 1, int.MaxValue);
        var oldLimit = fields.Int("max_tokens", 1, int.MaxValue);
        if ((newLimit ?? oldLimit) is { } limit)
            sampling.MaxTokens = limit;
        if (fields.Bool("logprobs") is true)
            sampling.Logprobs = true;
        if (fields.Int("top_logprobs", 0, 20) is { } top)
        {
            if (top > 0 && !sampling.Logprobs)
                throw OpenAiException.Invalid("top_logprobs", "'top_logprobs' needs 'logprobs' to be true.");
            sampling.TopLogprobs = top;
        }
        var stream = fields.Bool("stream") ?? false;
        var includeUsage = SamplingFields.IncludeUsage(fields, stream);
        var choices = fields.Int("n", 1, SamplingFields.MaxChoices) ?? 1;
        var messages = ReadMessages(fields);
        if (fields.Get("chat_template_kwargs") is { } variables)
            messages.TemplateVariablesJson = variables.ValueKind == JsonValueKind.Object ? variables.GetRawText()
                : throw fields.Wrong("chat_template_kwargs", variables, "an object");
        var scheduling = SchedulingFields.Read(fields);
        var tools = ToolFields.Read(fields);
        var constraint = ConstraintFields.Read(fields);
        RefuseUnsupported(fields);
        fields.RefuseUnknown();
        return new ChatRequest(model, new GenerateRequest { Model = model, Messages = messages, Sampling = sampling, Scheduling = scheduling }, choices, stream, includeUsage)
        {
            Tools = tools,
            Constraint = constraint,
        };
    }

    private static void RefuseUnsupported(RequestFields fields)
    {
        fields.Refuse("modalities", "Only [\"text\"] is available.",
            v => v.ValueKind == JsonValueKind.Array && v.EnumerateArray().All(m => m.ValueKind == JsonValueKind.String && m.GetString() == "text"));
        fields.Refuse("audio", "Only text is available.");
        fields.Refuse("web_search_options", "The server never leaves this machine.");
        fields.Refuse("reasoning_effort", "Pass the model's own switch in 'chat_template_kwargs', for example {\"enable_thinking\": false}.",
            v => v.ValueKind == JsonValueKind.String && v.GetString() == "none");
        fields.Refuse("verbosity", "Use 'max_completion_tokens'.", v => v.ValueKind == JsonValueKind.String && v.GetString() == "medium");
        fields.Refuse("chat_template", "The model's own template is used.");
        fields.Refuse("continue_final_message", "Use /v1/completions with the text so far.", v => v.ValueKind == JsonValueKind.False);
        fields.Refuse("add_generation_prompt", "An answer always needs the generation prompt.", v => v.ValueKind == JsonValueKind.True);
    }

    private static Messages ReadMessages(RequestFields fields)
    {
        if (fields.Get("messages") is not { } array)
            throw OpenAiException.Invalid("messages", "'messages' is required.", "missing_required_parameter");
        if (array.ValueKind != JsonValueKind.Array)
            throw fields.Wrong("messages", array, "an array");
        if (array.GetArrayLength() == 0)
            throw OpenAiException.Invalid("messages", "'messages' is empty; it must have at least one message.");
        var messages = new Messages();
        var index = 0;
        foreach (var element in array.EnumerateArray())
            messages.Messages_.Add(ReadMessage(element, $"messages[{index++}]"));
        return messages;
    }

    private static ChatMessage ReadMessage(JsonElement element, string path)
    {
        var fields = new RequestFields(element, path);
        var role = fields.RequiredString("role");
        if (!Roles.Contains(role))
            throw OpenAiException.Invalid(fields.Path("role"), $"'{fields.Path("role")}' is '{role}'; it must be one of {string.Join(", ", Roles)}.");
        var message = new ChatMessage { Role = role, Content = ReadContent(fields, role) };
        if (fields.String("name") is { } name)
            message.Name = name;
        if (fields.String("tool_call_id") is { } id)
            message.ToolCallId = id;
        if (fields.Get("tool_calls") is { } calls)
            ReadToolCalls(calls, fields, message);
        fields.Harmless("refusal", "annotations", "audio", "function_call", "reasoning_content");
        fields.RefuseUnknown();
        return message;
    }

    private static void ReadToolCalls(JsonElement calls, RequestFields fields, ChatMessage message)
    {
        if (calls.ValueKind != JsonValueKind.Array)
            throw fields.Wrong("tool_calls", calls, "an array");
        var index = 0;
        foreach (var element in calls.EnumerateArray())
        {
            var call = new RequestFields(element, fields.Path($"tool_calls[{index++}]"));
            var function = new RequestFields(call.Get("function") ?? throw OpenAiException.Invalid(call.Path("function"), $"'{call.Path("function")}' is required."), call.Path("function"));
            message.ToolCalls.Add(new ToolCall { Id = call.RequiredString("id"), Name = function.RequiredString("name"), ArgumentsJson = function.RequiredString("arguments") });
            call.Harmless("type", "index");
            call.RefuseUnknown();
            function.RefuseUnknown();
        }
    }

    private static string ReadContent(RequestFields fields, string role)
    {
        if (fields.Get("content") is not { } content)
            return role == "assistant" ? ""
                : throw OpenAiException.Invalid(fields.Path("content"), $"'{fields.Path("content")}' is required.", "missing_required_parameter");
        if (content.ValueKind == JsonValueKind.String)
            return content.GetString()!;
        if (content.ValueKind != JsonValueKind.Array)
            throw fields.Wrong("content", content, "a string or an array of parts");
        var text = new StringBuilder();
        var index = 0;
        foreach (var element in content.EnumerateArray())
        {
            var part = new RequestFields(element, fields.Path($"content[{index++}]"));
            var type = part.RequiredString("type");
            if (type is not ("text" or "input_text" or "output_text"))
                throw OpenAiException.Unsupported(part.Path("type"), $"The part has type '{type}'; only 'text' can be read.");
            text.Append(part.RequiredString("text"));
        }
        return text.ToString();
    }
}
