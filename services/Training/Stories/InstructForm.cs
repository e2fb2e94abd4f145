using System.Text;

namespace Slm.Training.Stories;

/// <summary>The instruction form of TinyStories-Instruct: some lines of Features, Words, Summary, Random sentence, then "Story:".</summary>
public static class InstructForm
{
    /// <summary>Builds the example; at least one instruction line is always there.</summary>
    public static InstructExample Make(Story story, StoryRandom random)
    {
        var lines = new List<string>(4);
        int mask = 1 + random.Next(15);
        if ((mask & 1) != 0 && story.Features.Count > 0)
            lines.Add("Features: " + string.Join(", ", story.Features.Select(Name)));
        if ((mask & 2) != 0)
            lines.Add("Words: " + string.Join(", ", story.RequiredWords));
        if ((mask & 4) != 0)
            lines.Add("Summary: " + story.Summary);
        if ((mask & 8) != 0)
            lines.Add("Random sentence: " + story.SentenceToInclude);
        if (lines.Count == 0)
            lines.Add("Words: " + string.Join(", ", story.RequiredWords));
        for (int i = lines.Count - 1; i > 0; i--)
        {
            int j = random.Next(i + 1);
            (lines[i], lines[j]) = (lines[j], lines[i]);
        }

        return new InstructExample(Prompt(lines), story.Text);
    }

    /// <summary>The prompt for given parts, for asking a trained model; null or empty parts are left out.</summary>
    public static string Prompt(IReadOnlyList<StoryFeature>? features = null, IReadOnlyList<string>? words = null, string? summary = null, string? sentence = null)
    {
        var lines = new List<string>(4);
        if (features is { Count: > 0 })
            lines.Add("Features: " + string.Join(", ", features.Select(Name)));
        if (words is { Count: > 0 })
            lines.Add("Words: " + string.Join(", ", words));
        if (!string.IsNullOrEmpty(summary))
            lines.Add("Summary: " + summary);
        if (!string.IsNullOrEmpty(sentence))
            lines.Add("Random sentence: " + sentence);
        return Prompt(lines);
    }

    /// <summary>The feature as the instruction line spells it.</summary>
    public static string Name(StoryFeature feature) => feature switch
    {
        StoryFeature.BadEnding => "BadEnding",
        StoryFeature.MoralValue => "MoralValue",
        _ => feature.ToString(),
    };

    private static string Prompt(List<string> lines)
    {
        var text = new StringBuilder();
        foreach (var line in lines)
            text.Append(line).Append('\n');
        return text.Append("Story:").ToString();
    }
}
