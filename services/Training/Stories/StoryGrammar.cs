using System.Text.RegularExpressions;

namespace Slm.Training.Stories;

/// <summary>A surface checker for simple English prose: articles, doubled words, agreement, quotes, capitals, leftovers of templates.</summary>
public static partial class StoryGrammar
{
    /// <summary>Problems found, each with the place in the text; empty for clean prose.</summary>
    public static IReadOnlyList<string> Check(string text)
    {
        var problems = new List<string>();
        foreach (Match m in ArticleWord().Matches(text))
        {
            string article = m.Groups[1].Value.ToLowerInvariant();
            string word = m.Groups[2].Value;
            if (word.Length > 1 && article != Inflection.Article(word))
                problems.Add("article: " + m.Value);
        }

        foreach (Match m in Doubled().Matches(text))
        {
            if (m.Groups[1].Value.ToLowerInvariant() is not ("tap" or "knock" or "scratch" or "had" or "yes" or "boom" or "ha" or "help" or "slowly" or "again"))
                problems.Add("doubled word: " + m.Value);
        }

        AddAll(problems, "agreement", Agreement().Matches(text));
        AddAll(problems, "template", Template().Matches(text));
        AddAll(problems, "spacing", Spacing().Matches(text));
        foreach (string paragraph in text.Split("\n\n"))
        {
            if (paragraph.Count(c => c == '"') % 2 != 0)
                problems.Add("unbalanced quotes: " + paragraph);
            if (paragraph.Length == 0 || !(char.IsUpper(paragraph[0]) || (paragraph[0] == '"' && paragraph.Length > 1 && char.IsUpper(paragraph[1]))))
                problems.Add("paragraph start: " + paragraph[..Math.Min(30, paragraph.Length)]);
            else if (paragraph[^1] is not ('.' or '!' or '?' or '"'))
                problems.Add("paragraph end: " + paragraph[^Math.Min(30, paragraph.Length)..]);
            CheckCapitals(paragraph, problems);
        }

        return problems;
    }

    // Outside quotes a sentence starts with a capital; a quote does, too.
    private static void CheckCapitals(string s, List<string> problems)
    {
        bool quote = false;
        for (int i = 0; i < s.Length; i++)
        {
            if (s[i] == '"')
            {
                quote = !quote;
                if (quote && i + 1 < s.Length && !char.IsUpper(s[i + 1]))
                    problems.Add($"quote start: {s.AsSpan(i, Math.Min(20, s.Length - i))}");
                if (quote && i > 0 && s[i - 1] != ' ')
                    problems.Add("no space before quote: " + s[Math.Max(0, i - 15)..i]);
                if (!quote && s[i - 1] is not ('.' or ',' or '!' or '?'))
                    problems.Add("quote end: " + s[Math.Max(0, i - 15)..(i + 1)]);
            }
            else if (s[i] is '.' or '!' or '?' && i + 2 < s.Length && s[i + 1] == ' ' && char.IsLower(s[i + 2]))
            {
                problems.Add($"sentence start: {s.AsSpan(i, Math.Min(20, s.Length - i))}");
            }
        }
    }

    private static void AddAll(List<string> problems, string kind, MatchCollection matches)
    {
        foreach (Match m in matches)
            problems.Add(kind + ": " + m.Value);
    }

    [GeneratedRegex(@"\b([Aa]n?) ([A-Za-z]+)")]
    private static partial Regex ArticleWord();

    [GeneratedRegex(@"\b([A-Za-z]+) \1\b", RegexOptions.IgnoreCase)]
    private static partial Regex Doubled();

    [GeneratedRegex(@"\b(?:they was|we was|you was|(?<!(?:if|wish) )(?:he|she|it) were|(?<!(?:could|did|can|should|would|will|does|let|must|to) )(?:he|she|it) (?:are|have|do)|I (?:is|are|has)|they (?:is|has)|(?:did|could|would|can|will|must) not? \w+ed|to (?:went|ran|saw|was|had|took)|(?:him|her|his) (?:was|said|had|went|ran|looked|took)(?<!her (?:was|said|had|went|ran|looked|took)))\b", RegexOptions.IgnoreCase)]
    private static partial Regex Agreement();

    [GeneratedRegex(@"[{}\[\]|^_<>]")]
    private static partial Regex Template();

    [GeneratedRegex(@"  | [.,!?]|\.\.(?!\.)(?<!\.\.\.)|,,|[!?][.,](?!\.)|\. \.| \n|\n\n\n")]
    private static partial Regex Spacing();
}
