using System.Text.Json;
using Slm.JsonSchema;
using Slm.Router.Policies;
using Slm.Router.Verification;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Router.Learning;

/// <summary>A request with known answers.</summary>
/// <param name="Id">Name of the case.</param>
/// <param name="Category">What it is counted under.</param>
/// <param name="Request">What is asked.</param>
/// <param name="Expected">The calls that answer it, with accepted values; null where <paramref name="Answers"/> are given.</param>
/// <param name="Answers">Accepted answers: documents, or texts where the policy's answers are text.</param>
internal sealed record SuiteCase(string Id, string Category, GenerateRequest Request, IReadOnlyList<ExpectedCall>? Expected, IReadOnlyList<string> Answers)
{
    /// <summary>Reads a line of a suite.</summary>
    /// <exception cref="FieldException">It is no case.</exception>
    public static SuiteCase Parse(string line, int index)
    {
        var field = $"cases[{index}]";
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            var request = new GenerateRequest();
            if (root.TryGetProperty("messages", out var messages))
            {
                request.Messages = new Messages();
                foreach (var message in messages.EnumerateArray())
                    request.Messages.Messages_.Add(new ChatMessage { Role = message.GetProperty("role").GetString(), Content = message.GetProperty("content").GetString() });
            }
            else
            {
                request.Text = root.GetProperty("prompt").GetString();
            }

            return new SuiteCase(
                root.TryGetProperty("id", out var id) ? id.ToString() : field,
                root.TryGetProperty("category", out var category) ? category.GetString() ?? "" : "",
                request,
                root.TryGetProperty("expected", out var expected) ? [.. expected.EnumerateArray().Select(ExpectedCall.Parse)] : null,
                root.TryGetProperty("answers", out var answers) ? [.. answers.EnumerateArray().Select(a => a.ValueKind == JsonValueKind.String ? a.GetString()! : AnswerReading.Canonicalize(a))]
                    : root.TryGetProperty("expected", out _) ? [] : throw new FieldException(field, $"{field} has neither expected (calls) nor answers (accepted ones)."));
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentNullException)
        {
            throw new FieldException(field, $"{field} is no case: {error.Message} Give a JSON object such as {{\"id\": \"1\", \"category\": \"simple\", \"prompt\": \"…\", \"expected\": [{{\"name\": \"f\", \"arguments\": {{\"x\": [1]}}}}]}}.");
        }
    }

    /// <summary>Whether an answer is right.</summary>
    public bool IsCorrect(string text, AnswerReading reading)
    {
        if (Expected is null)
            return Answers.Contains(reading.Canonical) || Answers.Contains(text.Trim());
        return reading is { Executable: true, Document: { ValueKind: JsonValueKind.Array } document } && Matches([.. document.EnumerateArray()], Expected);
    }

    /// <summary>Calls match in any order, each expected one once.</summary>
    private static bool Matches(List<JsonElement> calls, IReadOnlyList<ExpectedCall> expected)
    {
        if (calls.Count != expected.Count)
            return false;
        if (calls.Count == 0)
            return true;
        for (var i = 0; i < calls.Count; i++)
        {
            if (expected[0].Matches(calls[i]) && Matches([.. calls.Where((_, j) => j != i)], [.. expected.Skip(1)]))
                return true;
        }

        return false;
    }
}

/// <summary>A call with the accepted values of its arguments, in the shape of the Berkeley function-calling leaderboard: an accepted "" lets an argument be left out.</summary>
internal sealed record ExpectedCall(string Name, IReadOnlyDictionary<string, JsonElement[]> Arguments)
{
    public static ExpectedCall Parse(JsonElement element) => new(
        element.GetProperty("name").GetString()!,
        element.GetProperty("arguments").EnumerateObject().ToDictionary(a => a.Name, a => a.Value.EnumerateArray().Select(v => v.Clone()).ToArray(), StringComparer.Ordinal));

    /// <summary>Name, every required argument, none that is not expected, each of an accepted value.</summary>
    public bool Matches(JsonElement call)
    {
        if (call.GetProperty("name").GetString() != Name)
            return false;
        var arguments = call.GetProperty("arguments");
        if (arguments.ValueKind != JsonValueKind.Object || arguments.EnumerateObject().Any(a => !Arguments.ContainsKey(a.Name)))
            return false;
        foreach (var (name, accepted) in Arguments)
        {
            if (!arguments.TryGetProperty(name, out var value))
            {
                if (accepted.Any(a => a.ValueKind == JsonValueKind.String && a.GetString()!.Length == 0))
                    continue;
                return false;
            }

            if (!accepted.Any(a => JsonSchemaValidator.AreEqual(a, value)))
                return false;
        }

        return true;
    }
}
