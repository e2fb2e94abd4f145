using Slm.Tokenization.Templates;
using Slm.Tools.Calls;
using Slm.Tools.Calls.Formats;

namespace Slm.ToolBenchmarks;

/// <summary>The set, and the corpus of the model that is measured on it: no request of the set is in the corpus.</summary>
internal static class ToolData
{
    /// <summary>Cases of each category of the set.</summary>
    private const int PerCategory = 80;

    /// <summary>The set.</summary>
    public static IReadOnlyList<ToolCase> Set()
    {
        var grammar = new RequestGrammar(new Random(1001));
        var taken = new HashSet<string>(StringComparer.Ordinal);
        var cases = new List<ToolCase>();
        foreach (var category in ToolCase.Categories)
        {
            for (var i = 0; i < PerCategory; i++)
            {
                ToolCase next;
                do
                    next = grammar.Next(category, FormattableString.Invariant($"{category}-{i:00}"));
                while (!taken.Add(next.Request));
                cases.Add(next);
            }
        }

        return cases;
    }

    /// <summary>Writes the corpus: prompts as the model's own chat template makes them, and answers.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="template">The chat template.</param>
    /// <param name="documents">How many.</param>
    public static void WriteCorpus(string path, string template, int documents)
    {
        var taken = Set().Select(c => c.Request).ToHashSet(StringComparer.Ordinal);
        var chat = ChatTemplate.Parse(template);
        var random = new Random(3003);
        var grammar = new RequestGrammar(random);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using var writer = new StreamWriter(path);
        for (var written = 0; written < documents;)
        {
            var next = grammar.Next(ToolCase.Categories[written % ToolCase.Categories.Count], "");
            if (taken.Contains(next.Request))
                continue;
            writer.Write(Document(chat, next, random));
            writer.Write("<|endoftext|>");
            written++;
        }
    }

    private static string Document(ChatTemplate chat, ToolCase asked, Random random)
    {
        var turns = new List<ChatTurn> { new("user", asked.Request) };
        var tools = asked.Functions.Select(f => new ToolSpec(f.Name, f.Description, f.ParametersJson)).ToArray();
        string Prompt() => chat.Render(new ChatTemplateInput { Messages = turns, Tools = tools, AddGenerationPrompt = true, BosToken = "" });
        if (asked.Expected.Count == 0)
            return Prompt() + RequestGrammar.NoTool;
        var calls = new HermesFormat().Write(asked.Expected);
        if (random.Next(5) > 0)
            return Prompt() + calls;
        // The results come back, and are passed on.
        turns.Add(new ChatTurn("assistant", null) { ToolCalls = [.. asked.Expected.Select(c => new ChatToolCall(c.Id, c.Name, c.ArgumentsJson))] });
        var results = asked.Expected.Select(_ => random.Next(1, 10_000).ToString(System.Globalization.CultureInfo.InvariantCulture)).ToArray();
        turns.AddRange(results.Zip(asked.Expected, (result, call) => new ChatTurn("tool", result) { ToolCallId = call.Id }));
        return Prompt() + RequestGrammar.Report(results);
    }
}
