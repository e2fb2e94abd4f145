using Slm.Training.Stories;

namespace Slm.Training.Tests.Stories;

public sealed class MemorizationTests
{
    [Fact]
    public void A_copied_text_is_found_whole()
    {
        var training = StoryCorpus.Stories.Take(300).Select(s => s.Text).ToList();
        var report = Memorization.Check([training[123]], training);
        var row = Assert.Single(report.Texts);
        Assert.Equal(row.Words, row.LongestWords);
        Assert.Equal(training[123].Length, row.LongestCharacters);
        Assert.Equal(1, row.TenGramShare);
        Assert.Equal(123, row.NearestIndex);
        Assert.Equal(1, row.NearestSimilarity);
        Assert.Equal(training[123], row.NearestText);
        Assert.Equal(1, report.CopiedWhole);
        Assert.Equal(300, report.TrainingTexts);
    }

    [Fact]
    public void A_text_of_other_words_shares_nothing()
    {
        var row = Assert.Single(Memorization.Check(["zzz qqq xxx"], ["The cat sat.", "A dog ran."]).Texts);
        Assert.Equal((3, 0, "", -1L, 0.0), (row.Words, row.LongestWords, row.LongestWordsText, row.NearestIndex, row.NearestSimilarity));
        Assert.Empty(Memorization.Check([], ["The cat sat."]).Texts);
    }

    [Fact]
    public void A_small_case_matches_a_count_by_hand()
    {
        // shared run: "the little cat sat on the mat and saw a bird" (11 words: two 10-grams of six)
        var row = Assert.Single(Memorization.Check(
            ["Then the little cat sat on the mat and saw a bird. It was very happy."],
            ["One day, the little cat sat on the mat and saw a bird in a tree.", "It was very happy."]).Texts);
        Assert.Equal(16, row.Words);
        Assert.Equal(11, row.LongestWords);
        Assert.Equal("the little cat sat on the mat and saw a bird", row.LongestWordsText);
        Assert.Equal(" the little cat sat on the mat and saw a bird".Length, row.LongestCharacters);
        Assert.Equal(2 / 7.0, row.TenGramShare, 12);
        Assert.Equal(0, row.NearestIndex);

        // 12 and 12 five-word shingles, 7 in common
        Assert.Equal(7 / (12.0 + 12 - 7), row.NearestSimilarity, 12);
    }

    [Fact]
    public void Longest_common_substrings_agree_with_dynamic_programming()
    {
        var random = new StoryRandom(11, 0);
        for (int round = 0; round < 200; round++)
        {
            int letters = 2 + random.Next(3);
            var stored = Enumerable.Range(0, 1 + random.Next(4)).Select(_ => Make(letters)).ToArray();
            var streamed = Enumerable.Range(0, 1 + random.Next(4)).Select(_ => Make(letters + 1)).ToArray();
            var automaton = new SuffixAutomaton();
            foreach (var s in stored)
                automaton.Add(s);
            foreach (var s in streamed)
                automaton.Stream(s);
            foreach (var s in stored)
            {
                var (end, length) = automaton.Longest(s);
                Assert.Equal(streamed.Max(t => Brute(s, t)), length);
                Assert.Contains(streamed, t => length == 0 || t.AsSpan().IndexOf(s.AsSpan(end - length, length)) >= 0);
            }
        }

        int[] Make(int letters) => [.. Enumerable.Range(0, random.Next(30)).Select(_ => random.Next(letters))];

        static int Brute(int[] a, int[] b)
        {
            var lengths = new int[a.Length + 1, b.Length + 1];
            int best = 0;
            for (int i = 1; i <= a.Length; i++)
            {
                for (int j = 1; j <= b.Length; j++)
                {
                    lengths[i, j] = a[i - 1] == b[j - 1] ? lengths[i - 1, j - 1] + 1 : 0;
                    best = Math.Max(best, lengths[i, j]);
                }
            }

            return best;
        }
    }

    [Fact]
    public void The_report_is_markdown_and_json()
    {
        var report = Memorization.Check([StoryCorpus.Stories[0].Text], StoryCorpus.Stories.Skip(1).Take(20).Select(s => s.Text));
        Assert.Contains("| longest common substring, words |", report.ToMarkdown(), StringComparison.Ordinal);
        Assert.Contains("\"ten_gram_share\"", report.ToJson(), StringComparison.Ordinal);
    }
}
