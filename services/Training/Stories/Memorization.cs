using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Slm.Training.Stories;

/// <summary>How much of one generated text stands in the training texts.</summary>
/// <param name="Words">Its length in words.</param>
/// <param name="LongestWords">Longest run of words that some training text has, too (case and punctuation ignored).</param>
/// <param name="LongestWordsText">That run.</param>
/// <param name="LongestCharacters">Longest run of characters that some training text has, too.</param>
/// <param name="TenGramShare">Share of its 10-word runs that occur in training texts, 0 to 1 (0 when it has fewer than 10 words).</param>
/// <param name="NearestIndex">Index of the training text with the highest 5-gram Jaccard similarity, -1 when none shares a 5-gram.</param>
/// <param name="NearestSimilarity">That similarity.</param>
/// <param name="NearestText">That text.</param>
public sealed record MemorizationResult(int Words, int LongestWords, string LongestWordsText, int LongestCharacters, double TenGramShare, long NearestIndex, double NearestSimilarity, string NearestText);

/// <summary>
/// Compares generated texts with the training texts. The training texts are read once as a stream; memory grows with the
/// generated texts only. Do the same with held-out texts for a number to compare with: a templated corpus repeats phrases.
/// </summary>
public sealed record Memorization
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public required IReadOnlyList<MemorizationResult> Texts { get; init; }

    public required long TrainingTexts { get; init; }

    public double MeanLongestWords => Texts.Count == 0 ? 0 : Texts.Average(t => t.LongestWords);

    public int MaxLongestWords => Texts.Count == 0 ? 0 : Texts.Max(t => t.LongestWords);

    public int MaxLongestCharacters => Texts.Count == 0 ? 0 : Texts.Max(t => t.LongestCharacters);

    public double MeanTenGramShare => Texts.Count == 0 ? 0 : Texts.Average(t => t.TenGramShare);

    public double MeanNearestSimilarity => Texts.Count == 0 ? 0 : Texts.Average(t => t.NearestSimilarity);

    public double MaxNearestSimilarity => Texts.Count == 0 ? 0 : Texts.Max(t => t.NearestSimilarity);

    /// <summary>Number of generated texts that a training text contains whole (as words).</summary>
    public int CopiedWhole => Texts.Count(t => t.Words > 0 && t.LongestWords == t.Words);

    /// <summary>Checks the generated texts against the training texts.</summary>
    /// <param name="generated">Texts of a model; a few hundred.</param>
    /// <param name="training">Texts it was trained on, read once.</param>
    public static Memorization Check(IReadOnlyList<string> generated, IEnumerable<string> training)
    {
        ArgumentNullException.ThrowIfNull(generated);
        ArgumentNullException.ThrowIfNull(training);
        var index = new WordIndex();
        var words = generated.Select(g => index.Encode(g)).ToArray();
        var wordRuns = new SuffixAutomaton();
        var characterRuns = new SuffixAutomaton();
        var byShingle = new Dictionary<ulong, List<int>>();
        var sizes = new int[generated.Count];
        var tenGrams = new HashSet<ulong>();
        for (int g = 0; g < generated.Count; g++)
        {
            wordRuns.Add(words[g]);
            characterRuns.Add(Characters(generated[g]));
            var shingles = NearDuplicates.Shingles(words[g], 5);
            sizes[g] = shingles.Length;
            foreach (ulong shingle in shingles)
            {
                if (!byShingle.TryGetValue(shingle, out var list))
                    byShingle[shingle] = list = [];
                list.Add(g);
            }

            for (int i = 0; i + 10 <= words[g].Length; i++)
                tenGrams.Add(NearDuplicates.Hash(words[g].AsSpan(i, 10)));
        }

        var seen = new HashSet<ulong>();
        var nearest = new (long Index, double Similarity, string Text)[generated.Count];
        Array.Fill(nearest, (-1L, 0.0, ""));
        var common = new int[generated.Count];
        long count = 0;
        foreach (var text in training)
        {
            var ids = index.Encode(text, add: false);
            wordRuns.Stream(ids);
            characterRuns.Stream(Characters(text));
            for (int i = 0; i + 10 <= ids.Length; i++)
            {
                ulong hash = NearDuplicates.Hash(ids.AsSpan(i, 10));
                if (tenGrams.Contains(hash))
                    seen.Add(hash);
            }

            var shingles = NearDuplicates.Shingles(ids, 5);
            Array.Clear(common);
            foreach (ulong shingle in shingles)
            {
                if (byShingle.TryGetValue(shingle, out var list))
                {
                    foreach (int g in list)
                        common[g]++;
                }
            }

            for (int g = 0; g < common.Length; g++)
            {
                double similarity = common[g] / (double)(sizes[g] + shingles.Length - common[g]);
                if (similarity > nearest[g].Similarity)
                    nearest[g] = (count, similarity, text);
            }

            count++;
        }

        var results = new MemorizationResult[generated.Count];
        for (int g = 0; g < results.Length; g++)
        {
            var (end, length) = wordRuns.Longest(words[g]);
            var (_, characters) = characterRuns.Longest(Characters(generated[g]));
            int runs = Math.Max(0, words[g].Length - 9);
            int copied = 0;
            for (int i = 0; i < runs; i++)
                copied += seen.Contains(NearDuplicates.Hash(words[g].AsSpan(i, 10))) ? 1 : 0;
            string run = string.Join(' ', words[g].AsSpan(end - length, length).ToArray().Select(w => index[w]));
            results[g] = new MemorizationResult(words[g].Length, length, run, characters, runs == 0 ? 0 : copied / (double)runs, nearest[g].Index, nearest[g].Similarity, nearest[g].Text);
        }

        return new Memorization { Texts = results, TrainingTexts = count };
    }

    /// <summary>One JSON object with every text's row, snake_case keys.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Indented);

    /// <summary>A short table in Markdown for a model card.</summary>
    public string ToMarkdown()
    {
        var c = CultureInfo.InvariantCulture;
        var text = new StringBuilder();
        text.AppendLine(c, $"{Texts.Count} texts against {TrainingTexts} training documents.");
        text.AppendLine();
        text.AppendLine("| measure | mean | max |");
        text.AppendLine("|---|---|---|");
        text.AppendLine(c, $"| longest common substring, words | {MeanLongestWords:F1} | {MaxLongestWords} |");
        text.AppendLine(c, $"| longest common substring, characters | {(Texts.Count == 0 ? 0 : Texts.Average(t => t.LongestCharacters)):F0} | {MaxLongestCharacters} |");
        text.AppendLine(c, $"| 10-grams found in training texts | {100 * MeanTenGramShare:F1} % | {(Texts.Count == 0 ? 0 : 100 * Texts.Max(t => t.TenGramShare)):F1} % |");
        text.AppendLine(c, $"| 5-gram Jaccard similarity to the nearest training text | {MeanNearestSimilarity:F3} | {MaxNearestSimilarity:F3} |");
        text.AppendLine();
        text.AppendLine(c, $"Copied whole: {CopiedWhole}.");
        return text.ToString();
    }

    private static int[] Characters(string text)
    {
        var symbols = new int[text.Length];
        for (int i = 0; i < symbols.Length; i++)
            symbols[i] = text[i];
        return symbols;
    }
}
