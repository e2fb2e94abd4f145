using System.Text.RegularExpressions;
using Slm.Training.Stories;

namespace Slm.Training.Export;

/// <summary>How well the model follows instructions it has not seen, and whether it keeps its characters apart.</summary>
internal static partial class InstructionSection
{
    private const int StoriesPerKind = 50;

    // Held-out stories from here on, so that they are not the ones of the overlap section.
    private const long FirstStory = 1_000_000;

    /// <summary>Asks for held-out stories by words, by sentence, by summary and by opening, and counts what came. Returns a section of the card.</summary>
    public static async Task<string> WriteAsync(string modelFile, ulong seed, float temperature, CancellationToken cancellationToken)
    {
        var stories = new StoryGenerator(seed + 1).Generate(FirstStory, FirstStory + (4 * StoriesPerKind)).ToArray();
        var prompts = stories.Select((story, i) => (i / StoriesPerKind) switch
        {
            0 => InstructForm.Prompt(words: story.RequiredWords) + "\n",
            1 => InstructForm.Prompt(sentence: story.SentenceToInclude) + "\n",
            2 => InstructForm.Prompt(summary: story.Summary) + "\n",
            _ => Opening(story.Text),
        }).ToArray();
        var answers = await SampleWriter.WriteAsync(modelFile, prompts, temperature, seed, cancellationToken);
        if (answers.Count < prompts.Length)
            return "";

        (Story Story, string Text)[] Kind(int kind) => [.. Enumerable.Range(kind * StoriesPerKind, StoriesPerKind).Select(i => (stories[i], answers[i].Text))];
        var words = Kind(0).Select(p => p.Story.RequiredWords.Zip(p.Story.Plot.RequiredForms, (word, form) => Occurs(p.Text, word, form)).ToArray()).ToArray();
        var sentences = Kind(1).Count(p => p.Text.Contains(p.Story.SentenceToInclude, StringComparison.Ordinal));
        var names = Kind(2).SelectMany(p => p.Story.Plot.Characters
            .Where(c => StoryTeller.HasWord(p.Story.Summary, c.Name)).Select(c => StoryTeller.HasWord(p.Text, c.Name))).ToArray();
        var kept = Enumerable.Range(0, prompts.Length).Count(i => KeepsNames((i >= 3 * StoriesPerKind ? prompts[i] : "") + answers[i].Text));
        var originals = stories.Count(s => KeepsNames(s.Text));
        return FormattableString.Invariant($"""
            ## Following instructions

            {StoriesPerKind} held-out instructions of each kind, and {StoriesPerKind} openings, at temperature {temperature}:

            | asked for | done |
            |---|---|
            | three required words (any form of the word counts) | {Share(words.SelectMany(w => w).Count(w => w), 3 * StoriesPerKind)} of the words; all three in {Share(words.Count(w => w.All(x => x)), StoriesPerKind)} of the stories |
            | a sentence to include, word for word | {Share(sentences, StoriesPerKind)} |
            | a summary: the characters it names occur | {Share(names.Count(n => n), names.Length)} |
            | the last paragraph names nobody new (all kinds; {Share(originals, stories.Length)} in the corpus) | {Share(kept, prompts.Length)} |
            """);
    }

    /// <summary>True when the last paragraph names only characters that were named before it.</summary>
    internal static bool KeepsNames(string text)
    {
        text = text.Trim();
        var last = text.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (last < 0)
            return true;
        var before = text[..last];
        return InSentence().Matches(text[last..]).Select(m => m.Groups["name"].Value).All(name => Titles.Contains(name) || StoryTeller.HasWord(before, name));
    }

    private static readonly HashSet<string> Titles = new(StringComparer.Ordinal)
    {
        "I", "Mom", "Dad", "Grandma", "Grandpa", "Uncle", "Aunt", "Mister", "Miss", "Doctor", "Now", "It",
    };

    private static bool Occurs(string text, string word, string form) =>
        StoryTeller.HasWord(text, form) || StoryTeller.HasWord(text, word) || StoryTeller.HasWord(text, Inflection.Plural(word))
        || StoryTeller.HasWord(text, Inflection.Past(word, false)) || StoryTeller.HasWord(text, Inflection.Ing(word, false));

    private static string Opening(string text) => string.Join(' ', text.Split(' ').Take(12));

    private static string Share(int count, int total) => FormattableString.Invariant($"{100.0 * count / total:F0} %");

    // A capital within a sentence is a name here.
    [GeneratedRegex(@"(?<=[a-z,] )(?<name>[A-Z][a-z]+)\b")]
    private static partial Regex InSentence();
}
