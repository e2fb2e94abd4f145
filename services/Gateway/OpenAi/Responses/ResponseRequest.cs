using System.Text.Json;
using Slm.Gateway.OpenAi.Constraints;
using Slm.Gateway.OpenAi.Tools;
using Slm.Tools.Calls;
using Slm.V1;

namespace Slm.Gateway.OpenAi.Responses;

/// <summary>A parsed <c>POST /v1/responses</c>.</summary>
internal sealed record ResponseRequest
{
    private const string NoMetadata = "{}";

    /// <summary>Everything but messages and constraint.</summary>
    public required GenerateRequest Prototype { get; init; }

    public required InputItems Input { get; init; }

    /// <summary>The functions that the client runs.</summary>
    public required ToolRequest Tools { get; init; }

    /// <summary>The MCP servers whose tools run here.</summary>
    public required IReadOnlyList<McpTool> Servers { get; init; }

    public AskedConstraint? Constraint { get; init; }

    public string? Instructions { get; init; }

    public string? PreviousId { get; init; }

    public bool Store { get; init; }

    public bool Stream { get; init; }

    public bool Background { get; init; }

    /// <summary>The response before it has begun: what was asked, with its defaults.</summary>
    public required ResponseBody Body { get; init; }

    /// <summary>Reads and checks the request.</summary>
    /// <exception cref="OpenAiException">A field is missing, wrong, or asks for what is not there.</exception>
    public static ResponseRequest Parse(JsonElement body, long created)
    {
        var fields = new RequestFields(body);
        var model = fields.RequiredString("model");
        var sampling = SamplingFields.Read(fields);
        if (fields.Int("max_output_tokens", 1, int.MaxValue) is { } limit)
            sampling.MaxTokens = limit;
        ReadLogProbs(fields, sampling);
        var stream = fields.Bool("stream") ?? false;
        SamplingFields.IncludeUsage(fields, stream);
        var input = InputItems.Read(fields);
        var (tools, servers) = ReadTools(fields);
        var text = fields.Get("text");
        var constraint = text is { } given ? ReadText(new RequestFields(given, "text")) : null;
        constraint ??= ConstraintFields.Read(fields);
        var scheduling = SchedulingFields.Read(fields);
        RefuseUnsupported(fields);
        var background = fields.Bool("background") ?? false;
        var store = fields.Bool("store") ?? true;
        if (background && !store)
            throw OpenAiException.Invalid("store", "'store' is false, but a background response is fetched from the store.");
        if (background && stream)
            throw OpenAiException.Unsupported("background", "Leave 'stream' out and ask for the response by its id.");
        var request = new ResponseRequest
        {
            Prototype = new GenerateRequest { Model = model, Sampling = sampling, Scheduling = scheduling, Messages = new Messages() },
            Input = input,
            Tools = tools,
            Servers = servers,
            Constraint = constraint,
            Instructions = fields.String("instructions"),
            PreviousId = fields.String("previous_response_id"),
            Store = store,
            Stream = stream,
            Background = background,
            Body = new ResponseBody($"resp_{Guid.NewGuid():N}", "response", created, model)
            {
                Status = background ? "queued" : "in_progress",
                Output = [],
                Text = text ?? JsonElement.Parse("""{"format":{"type":"text"}}"""),
                ToolChoice = fields.Get("tool_choice") ?? JsonElement.Parse("\"auto\""),
                Tools = fields.Get("tools") ?? JsonElement.Parse("[]"),
                Metadata = fields.Get("metadata") ?? JsonElement.Parse(NoMetadata),
                ParallelToolCalls = tools.Choice.Parallel,
                Temperature = sampling.HasTemperature ? sampling.Temperature : 1,
                TopP = sampling.HasTopP ? sampling.TopP : 1,
                PresencePenalty = sampling.PresencePenalty,
                FrequencyPenalty = sampling.FrequencyPenalty,
                TopLogprobs = sampling.TopLogprobs,
                MaxOutputTokens = sampling.HasMaxTokens ? sampling.MaxTokens : null,
                Background = background,
                Store = store,
                User = fields.String("user"),
                SafetyIdentifier = fields.String("safety_identifier"),
                PromptCacheKey = fields.String("prompt_cache_key"),
            },
        };
        fields.RefuseUnknown();
        return request with { Body = request.Body with { Instructions = request.Instructions, PreviousResponseId = request.PreviousId } };
    }

    private static void ReadLogProbs(RequestFields fields, SamplingOptions sampling)
    {
        var top = fields.Int("top_logprobs", 0, 20);
        foreach (var include in fields.Strings("include", 16))
        {
            if (include == "message.output_text.logprobs")
                sampling.Logprobs = true;
            else if (include != "reasoning.encrypted_content")
                throw OpenAiException.Unsupported("include", $"'{include}' is not available; message.output_text.logprobs is.");
        }
        if (top is null)
            return;
        sampling.Logprobs |= top > 0;
        sampling.TopLogprobs = top.Value;
    }

    private static (ToolRequest Tools, IReadOnlyList<McpTool> Servers) ReadTools(RequestFields fields)
    {
        var functions = new List<FunctionSpec>();
        var servers = new List<McpTool>();
        foreach (var tool in ToolFields.Tools(fields))
        {
            if (tool.String("type") == "mcp")
            {
                servers.Add(McpTool.Read(tool));
            }
            else
            {
                ToolFields.RequireFunction(tool);
                functions.Add(ToolFields.Function(tool));
            }
            tool.RefuseUnknown();
        }
        ToolFields.RequireDistinct(functions, fields);
        // Tools of servers are known only once they are asked: what is chosen of them is checked then.
        var choice = servers.Count > 0 && fields.Get("tool_choice") is { ValueKind: JsonValueKind.Object }
            ? throw OpenAiException.Unsupported("tool_choice", "Beside MCP servers it can be none, auto or required.")
            : servers.Count > 0 ? ServerChoice(fields) : ToolFields.Choice(fields, functions, nested: false);
        return (new ToolRequest(functions, choice), servers);
    }

    private static ToolChoice ServerChoice(RequestFields fields) => new(
        fields.String("tool_choice") switch
        {
            null or "auto" => ToolChoiceMode.Auto,
            "none" => ToolChoiceMode.None,
            "required" => ToolChoiceMode.Required,
            var other => throw OpenAiException.Invalid("tool_choice", $"'tool_choice' is '{other}'; it must be none, auto or required."),
        },
        null, fields.Bool("parallel_tool_calls") ?? true);

    private static AskedConstraint? ReadText(RequestFields text)
    {
        text.Refuse("verbosity", "Use 'max_output_tokens'.", v => v.ValueKind == JsonValueKind.String && v.GetString() == "medium");
        var asked = text.Get("format") is { } format ? ConstraintFields.ResponseFormat(new RequestFields(format, "text.format"), nested: false) : null;
        text.RefuseUnknown();
        return asked;
    }

    private static void RefuseUnsupported(RequestFields fields)
    {
        fields.Refuse("truncation", "Shorten the input; only \"disabled\" is available.", v => v.ValueKind == JsonValueKind.String && v.GetString() == "disabled");
        fields.Refuse("max_tool_calls", "Limit the tools with 'allowed_tools'.");
        fields.Refuse("conversation", "Use 'previous_response_id'.");
        fields.Refuse("prompt", "Send the text of the prompt as 'instructions' or 'input'.");
        fields.Refuse("context_management", "Shorten the input.");
        fields.Refuse("reasoning", "Pass the model's own switch to /v1/chat/completions in 'chat_template_kwargs'.",
            v => v.ValueKind == JsonValueKind.Object && v.EnumerateObject().All(p => p.Value.ValueKind == JsonValueKind.Null || p.Value.ValueEquals("none")));
        fields.Harmless("user", "safety_identifier");
    }
}
