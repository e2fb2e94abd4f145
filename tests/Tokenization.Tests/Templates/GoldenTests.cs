using System.Text.Json;
using Slm.Tokenization.Templates;
using Xunit;

namespace Slm.Tokenization.Tests.Templates;

/// <summary>What Jinja2 3.1 printed (golden/generate.py) against what this evaluator prints.</summary>
public sealed class GoldenTests
{
    private static readonly JsonDocument Snippets = Load("snippets.json");
    private static readonly JsonDocument Conversations = Load("conversations.json");

    public static TheoryData<int> SnippetNumbers => [.. Enumerable.Range(0, Snippets.RootElement.GetProperty("cases").GetArrayLength())];

    public static TheoryData<string> TemplateNames =>
        [.. Conversations.RootElement.GetProperty("cases").EnumerateArray().Select(c => c.GetProperty("template").GetString()!).Distinct()];

    [Theory]
    [MemberData(nameof(SnippetNumbers))]
    public void A_snippet_prints_what_jinja2_prints(int number)
    {
        var golden = Snippets.RootElement.GetProperty("cases")[number];
        var variables = Variables(Snippets.RootElement.GetProperty("variables"));
        var actual = Actual(golden.GetProperty("template").GetString()!, variables, out var detail);
        Assert.True(Expected(golden) == actual, $"{golden}\n actual {actual} {detail}");
    }

    [Theory]
    [MemberData(nameof(TemplateNames))]
    public void A_chat_template_renders_every_conversation_as_jinja2_does(string template)
    {
        var source = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Templates", "golden", "templates", template));
        var failures = new List<string>();
        var count = 0;
        foreach (var golden in Conversations.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (golden.GetProperty("template").GetString() != template) continue;
            count++;
            var conversation = golden.GetProperty("conversation").GetString()!;
            var options = golden.GetProperty("options").GetInt32();
            var variables = Variables(Conversations.RootElement.GetProperty("options")[options]);
            variables["messages"] = Conversations.RootElement.GetProperty("conversations").GetProperty(conversation);
            variables.TryAdd("documents", null);
            variables["bos_token"] = "<s>";
            variables["eos_token"] = "</s>";
            var (expected, actual) = (Expected(golden), Actual(source, variables, out var detail));
            if (expected != actual) failures.Add($"{conversation}/{options}\n expected {expected}\n actual   {actual} {detail}");
        }
        Assert.True(count > 0);
        Assert.True(failures.Count == 0, string.Join("\n", failures));
    }

    [Fact]
    public void There_are_enough_cases()
    {
        Assert.True(SnippetNumbers.Count >= 150);
        Assert.True(TemplateNames.Count >= 12);
    }

    private static string Expected(JsonElement golden)
    {
        if (golden.TryGetProperty("output", out var output)) return "printed: " + output.GetString();
        if (golden.TryGetProperty("refused", out var refused)) return "refused: " + refused.GetString();
        return golden.GetProperty("error").GetString() + " error";
    }

    private static string Actual(string template, IReadOnlyDictionary<string, object?> variables, out string detail)
    {
        detail = "";
        try
        {
            return "printed: " + ChatTemplate.Parse(template).RenderVariables(variables, FixedTime.Instance);
        }
        catch (TemplateException error)
        {
            detail = error.Message;
            return error.Kind switch
            {
                TemplateErrorKind.Raised => "refused: " + error.Reason,
                TemplateErrorKind.Syntax => "syntax error",
                _ => "evaluation error",
            };
        }
    }

    private static Dictionary<string, object?> Variables(JsonElement element) =>
        element.EnumerateObject().ToDictionary(p => p.Name, p => (object?)p.Value);

    private static JsonDocument Load(string name) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Templates", "golden", name)));
}
