using System.Text.Json;
using Slm.Gateway.OpenAi.Constraints;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary>A parsed <c>POST /v1/completions</c>: one prototype per prompt.</summary>
internal sealed record CompletionRequest(string Model, IReadOnlyList<GenerateRequest> Prompts, int ChoicesPerPrompt, bool Stream, bool IncludeUsage)
{
    /// <summary>The field that says what the answers must be, for errors.</summary>
    public string? ConstraintField { get; init; }

    /// <summary>What OpenAI generates when no limit is given.</summary>
    private const int DefaultMaxTokens = 16;

    /// <summary>Reads and checks the request.</summary>
    /// <exception cref="OpenAiException">A field is missing, wrong, or asks for what is not there.</exception>
    public static CompletionRequest Parse(JsonElement body)
    {
        var fields = new RequestFields(body);
        var model = fields.RequiredString("model");
        var sampling = SamplingFields.Read(fields);
        sampling.MaxTokens = (fields.Int("max_tokens", 0, int.MaxValue) ?? fields.Int("max_completion_tokens", 0, int.MaxValue)) ?? DefaultMaxTokens;
        fields.Harmless("max_completion_tokens");
        if (fields.Get("logprobs") is { } logprobs && logprobs.ValueKind is not JsonValueKind.False)
        {
            sampling.Logprobs = true;
            sampling.TopLogprobs = logprobs.ValueKind == JsonValueKind.True ? 1 : fields.Int("logprobs", 0, 20)!.Value;
        }
        var echo = fields.Bool("echo") ?? false;
        if (sampling.MaxTokens == 0 && !echo)
            throw OpenAiException.Invalid("max_tokens", "'max_tokens' is 0; it must be at least 1 unless 'echo' is true.");
        var stream = fields.Bool("stream") ?? false;
        var includeUsage = SamplingFields.IncludeUsage(fields, stream);
        var choices = fields.Int("n", 1, SamplingFields.MaxChoices) ?? 1;
        fields.Refuse("best_of", "Use 'n'; 'best_of' must equal it.", v => v.ValueKind == JsonValueKind.Number && v.TryGetInt32(out var b) && b == choices);
        fields.Refuse("suffix", "Infilling is not available.", v => v.ValueKind == JsonValueKind.String && v.GetString()!.Length == 0);
        var constraint = ConstraintFields.Read(fields);
        var addSpecial = fields.Bool("add_special_tokens") ?? true;
        var scheduling = SchedulingFields.Read(fields);
        var prompts = ReadPrompts(fields).Select(prompt =>
        {
            prompt.Model = model;
            prompt.Sampling = sampling;
            prompt.Scheduling = scheduling;
            prompt.Echo = echo;
            prompt.AddSpecialTokens = addSpecial;
            prompt.Constraint = constraint?.Constraint;
            return prompt;
        }).ToList();
        fields.RefuseUnknown();
        if ((long)prompts.Count * choices > SamplingFields.MaxChoices)
            throw OpenAiException.Invalid("prompt", $"{prompts.Count} prompts times n = {choices} are {(long)prompts.Count * choices} answers; at most {SamplingFields.MaxChoices} are allowed.");
        return new CompletionRequest(model, prompts, choices, stream, includeUsage) { ConstraintField = constraint?.Field };
    }

    private static List<GenerateRequest> ReadPrompts(RequestFields fields)
    {
        if (fields.Get("prompt") is not { } prompt)
            throw OpenAiException.Invalid("prompt", "'prompt' is required.", "missing_required_parameter");
        if (prompt.ValueKind == JsonValueKind.String)
            return [new GenerateRequest { Text = prompt.GetString() }];
        if (prompt.ValueKind != JsonValueKind.Array)
            throw fields.Wrong("prompt", prompt, "a string, an array of strings, an array of token ids, or an array of such arrays");
        if (prompt.GetArrayLength() == 0)
            throw OpenAiException.Invalid("prompt", "'prompt' is an empty array; it must have at least one entry.");
        if (prompt[0].ValueKind == JsonValueKind.Number)
            return [Ids(prompt, "prompt")];
        var requests = new List<GenerateRequest>();
        foreach (var element in prompt.EnumerateArray())
        {
            var path = $"prompt[{requests.Count}]";
            requests.Add(element.ValueKind switch
            {
                JsonValueKind.String => new GenerateRequest { Text = element.GetString() },
                JsonValueKind.Array => Ids(element, path),
                _ => throw fields.Wrong(path, element, "a string or an array of token ids"),
            });
        }
        return requests;
    }

    private static GenerateRequest Ids(JsonElement array, string path)
    {
        var ids = new TokenIds();
        ids.Ids.AddRange(RequestFields.ReadIds(array, path));
        return new GenerateRequest { TokenIds = ids };
    }
}
