using System.Text.Json;
using Slm.Training.Stories;

namespace Slm.Training.Tests.Stories;

public sealed class StoryDiversityTests
{
    [Fact]
    public void Twenty_thousand_stories_are_distinct_and_varied()
    {
        var report = CorpusReport.Measure(StoryCorpus.Stories);
        Assert.Equal(StoryCorpus.Count, report.Stories);
        Assert.True(report.DistinctStories >= 0.999 * report.Stories, report.ToText());
        Assert.True(report.NearDuplicateShare < 0.01, report.ToText());
        Assert.True(report.Vocabulary >= 2_500, report.ToText());
        Assert.InRange(report.MeanWords, 130, 220);
        Assert.True(report.DistinctNGrams[3] > 0.15, report.ToText());
        Assert.True(report.RequiredWordTypes.Sum() > 800, report.ToText());
        Assert.Equal(StoryTeller.Schemas.Select(s => s.Name).Order(StringComparer.Ordinal), report.BySchema.Keys);
        Assert.All(report.BySchema.Values, n => Assert.True(n > 0.015 * report.Stories));
        Assert.Equal(6, report.ByFeature.Count);
        Assert.All(report.ByFeature.Values, n => Assert.True(n > 0.05 * report.Stories));
        Assert.True(report.ByPlace.Count >= 30);
    }

    [Fact]
    public void A_repeated_story_counts_once_and_as_a_near_duplicate()
    {
        var stories = StoryCorpus.Stories.Take(10).ToList();
        stories.Add(stories[0]);
        stories.Add(stories[1] with { Text = stories[1].Text + " The end." });
        var report = CorpusReport.Measure(stories);
        Assert.Equal(12, report.Stories);
        Assert.Equal(11, report.DistinctStories);
        Assert.Equal(2 / 12.0, report.NearDuplicateShare, 12);
        Assert.Equal(stories.Sum(s => s.Text.Split(' ', '\n').Count(w => w.Any(char.IsLetterOrDigit))), report.Words);
    }

    [Fact]
    public void The_report_is_json_with_the_same_numbers()
    {
        var report = CorpusReport.Measure(StoryCorpus.Stories.Take(50));
        using var json = JsonDocument.Parse(report.ToJson());
        Assert.Equal(50, json.RootElement.GetProperty("stories").GetInt32());
        Assert.Equal(report.Vocabulary, json.RootElement.GetProperty("vocabulary").GetInt32());
        Assert.Equal(4, json.RootElement.GetProperty("distinct_n_grams").GetArrayLength());
        Assert.Equal(0, CorpusReport.Measure([]).Stories);
    }

    [Fact]
    public void N_gram_diversity_matches_a_count_by_hand()
    {
        var story = StoryCorpus.Stories[0] with { Text = "The cat saw the cat." };
        var report = CorpusReport.Measure([story]);

        // the cat saw the cat: 3 of 5 words, {the cat, cat saw, saw the} of 4 bigrams, 3 of 3 trigrams, 2 of 2 four-grams
        Assert.Equal([3 / 5.0, 3 / 4.0, 1, 1], report.DistinctNGrams);
        Assert.Equal(3, report.Vocabulary);
    }

    [Fact]
    public void Near_duplicates_agree_with_brute_force()
    {
        var random = new StoryRandom(4, 2);
        var texts = new List<int[]>();
        for (int i = 0; i < 600; i++)
        {
            int[] words;
            if (i > 20 && random.Chance(0.5))
            {
                // A copy with a few changed words, around the threshold.
                words = (int[])texts[random.Next(texts.Count)].Clone();
                for (int k = random.Next(8); k > 0; k--)
                    words[random.Next(words.Length)] = random.Next(500);
            }
            else
            {
                words = new int[60 + random.Next(100)];
                for (int k = 0; k < words.Length; k++)
                    words[k] = random.Next(500);
            }

            texts.Add(words);
        }

        var near = new NearDuplicates();
        int wrong = 0;
        int expectedCount = 0;
        for (int i = 0; i < texts.Count; i++)
        {
            var mine = Brute(texts[i]);
            bool expected = texts.Take(i).Any(t => BruteJaccard(Brute(t), mine) >= 0.8);
            expectedCount += expected ? 1 : 0;
            wrong += expected == (near.Add(texts[i]) >= 0) ? 0 : 1;
        }

        Assert.InRange(expectedCount, 50, 400);
        Assert.Equal(0, wrong);
        Assert.Equal(expectedCount, near.Duplicates);

        static HashSet<string> Brute(int[] words) => [.. Enumerable.Range(0, words.Length - 4).Select(i => string.Join(' ', words.Skip(i).Take(5)))];

        static double BruteJaccard(HashSet<string> a, HashSet<string> b)
        {
            int common = a.Count(b.Contains);
            return common / (double)(a.Count + b.Count - common);
        }
    }

    [Fact]
    public void Thirty_different_openings_are_common()
    {
        var openings = StoryCorpus.Stories.Select(s => string.Join(' ', s.Text.Split(' ').Take(2))).GroupBy(o => o).Count(g => g.Count() >= 10);
        Assert.True(openings >= 30, $"{openings} openings");
    }
}
