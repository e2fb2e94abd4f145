using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Slm.Training.Stories;

/// <summary>What a story corpus is made of and how varied it is.</summary>
public sealed record CorpusReport
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public required int Stories { get; init; }

    /// <summary>Number of different texts.</summary>
    public required int DistinctStories { get; init; }

    /// <summary>Share of stories with an earlier story of 5-gram Jaccard similarity at least 0.8.</summary>
    public required double NearDuplicateShare { get; init; }

    public required long Words { get; init; }

    /// <summary>Number of different words, case ignored, names included.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Different n-grams divided by all n-grams, for n = 1 to 4.</summary>
    public required IReadOnlyList<double> DistinctNGrams { get; init; }

    public required double MeanWords { get; init; }

    public required int ShortestWords { get; init; }

    public required int LongestWords { get; init; }

    public required double MeanParagraphs { get; init; }

    /// <summary>Share of stories whose goal is met.</summary>
    public required double GoalMetShare { get; init; }

    public required double MeanEvents { get; init; }

    public required IReadOnlyDictionary<string, int> BySchema { get; init; }

    public required IReadOnlyDictionary<string, int> ByFeature { get; init; }

    public required IReadOnlyDictionary<string, int> ByPlace { get; init; }

    /// <summary>Different required nouns, verbs and adjectives.</summary>
    public required IReadOnlyList<int> RequiredWordTypes { get; init; }

    /// <summary>Reads the stories once; keeps word ids and n-gram hashes, about 3 kB a story.</summary>
    public static CorpusReport Measure(IEnumerable<Story> stories)
    {
        var index = new WordIndex();
        var near = new NearDuplicates();
        var texts = new HashSet<UInt128>();
        var grams = new HashSet<ulong>[5];
        var totals = new long[5];
        var schemas = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var features = new SortedDictionary<string, int>(StringComparer.Ordinal);
        var places = new SortedDictionary<string, int>(StringComparer.Ordinal);
        HashSet<string>[] required = [[], [], []];
        for (int n = 1; n <= 4; n++)
            grams[n] = [];
        long words = 0;
        long paragraphs = 0;
        long events = 0;
        int count = 0;
        int met = 0;
        int shortest = int.MaxValue;
        int longest = 0;
        foreach (var story in stories)
        {
            count++;
            var ids = index.Encode(story.Text);
            texts.Add(Fingerprint(story.Text));
            near.Add(ids);
            for (int n = 1; n <= 4; n++)
            {
                for (int i = 0; i + n <= ids.Length; i++)
                    grams[n].Add(NearDuplicates.Hash(ids.AsSpan(i, n)));
                totals[n] += Math.Max(0, ids.Length - n + 1);
            }

            words += ids.Length;
            shortest = Math.Min(shortest, ids.Length);
            longest = Math.Max(longest, ids.Length);
            paragraphs += story.Text.Split("\n\n").Length;
            events += story.Plot.Events.Count;
            met += story.Plot.GoalMet ? 1 : 0;
            Count(schemas, story.Plot.Schema);
            foreach (var feature in story.Features)
                Count(features, feature.ToString());
            foreach (var place in story.Plot.Places)
                Count(places, place);
            for (int i = 0; i < 3; i++)
                required[i].Add(story.RequiredWords[i]);
        }

        double divisor = Math.Max(1, count);
        return new CorpusReport
        {
            Stories = count,
            DistinctStories = texts.Count,
            NearDuplicateShare = near.Duplicates / divisor,
            Words = words,
            Vocabulary = index.Count,
            DistinctNGrams = [.. Enumerable.Range(1, 4).Select(n => grams[n].Count / (double)Math.Max(1, totals[n]))],
            MeanWords = words / divisor,
            ShortestWords = count == 0 ? 0 : shortest,
            LongestWords = longest,
            MeanParagraphs = paragraphs / divisor,
            GoalMetShare = met / divisor,
            MeanEvents = events / divisor,
            BySchema = schemas,
            ByFeature = features,
            ByPlace = places,
            RequiredWordTypes = [.. required.Select(r => r.Count)],
        };
    }

    /// <summary>The report as one JSON object, snake_case keys.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Indented);

    /// <summary>The report as plain text.</summary>
    public string ToText()
    {
        var c = CultureInfo.InvariantCulture;
        var text = new StringBuilder();
        text.AppendLine(c, $"stories            {Stories}");
        text.AppendLine(c, $"distinct           {DistinctStories} ({100.0 * DistinctStories / Math.Max(1, Stories):F3} %)");
        text.AppendLine(c, $"near-duplicates    {100 * NearDuplicateShare:F3} % (5-gram Jaccard >= 0.8 with an earlier story)");
        text.AppendLine(c, $"words              {Words}, {Vocabulary} types");
        text.AppendLine(c, $"words per story    {MeanWords:F1} (from {ShortestWords} to {LongestWords}), {MeanParagraphs:F1} paragraphs, {MeanEvents:F1} events");
        text.AppendLine(c, $"distinct n-grams   1: {DistinctNGrams[0]:F5}  2: {DistinctNGrams[1]:F4}  3: {DistinctNGrams[2]:F4}  4: {DistinctNGrams[3]:F4}");
        text.AppendLine(c, $"required words     {RequiredWordTypes[0]} nouns, {RequiredWordTypes[1]} verbs, {RequiredWordTypes[2]} adjectives");
        text.AppendLine(c, $"goal met           {100 * GoalMetShare:F1} %");
        foreach (var (title, counts) in new[] { ("feature", ByFeature), ("schema", BySchema), ("place", ByPlace) })
        {
            foreach (var (name, number) in counts.OrderByDescending(p => p.Value).Take(60))
                text.AppendLine(c, $"{title,-8} {name,-24} {number,8}  {100.0 * number / Math.Max(1, Stories):F1} %");
        }

        return text.ToString();
    }

    private static UInt128 Fingerprint(string text)
    {
        ulong a = 1;
        ulong b = 2;
        foreach (char ch in text)
        {
            a = StoryRandom.Mix(a ^ ch);
            b = (b ^ ch) * 0x100000001B3UL;
        }

        return new UInt128(a, b);
    }

    private static void Count(SortedDictionary<string, int> counts, string key) => counts[key] = counts.GetValueOrDefault(key) + 1;
}
