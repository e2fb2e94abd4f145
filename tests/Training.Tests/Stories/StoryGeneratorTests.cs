using Slm.Training.Stories;

namespace Slm.Training.Tests.Stories;

public sealed class StoryGeneratorTests
{
    [Fact]
    public void A_story_depends_on_seed_and_index_only()
    {
        var one = new StoryGenerator(7);
        var other = new StoryGenerator(7);
        for (int i = 200; i-- > 0;)
            other.Generate(i);
        for (int i = 0; i < 200; i++)
            Assert.Equal(one.Generate(i).Text, other.Generate(i).Text);
        Assert.NotEqual(one.Generate(3).Text, new StoryGenerator(8).Generate(3).Text);
    }

    [Fact]
    public void Parallel_generation_gives_the_same_stories_as_sequential()
    {
        var generator = new StoryGenerator(StoryCorpus.Seed);
        for (int i = 0; i < 300; i++)
            Assert.Equal(generator.Generate(i).Text, StoryCorpus.Stories[i].Text);
    }

    [Fact]
    public void Random_numbers_of_a_stream_are_splitmix64_of_a_counter()
    {
        // Finalizer of SplitMix64: the first output for state 0 is published as E220A8397B1DCDAF.
        Assert.Equal(0xE220A8397B1DCDAFUL, StoryRandom.Mix(0x9E3779B97F4A7C15UL));
        var random = new StoryRandom(1, 2);
        var counts = new int[10];
        for (int i = 0; i < 100_000; i++)
            counts[random.Next(10)]++;
        Assert.All(counts, c => Assert.InRange(c, 9_500, 10_500));
    }

    [Fact]
    public void Stories_of_neighbouring_indices_use_independent_streams()
    {
        var values = new HashSet<ulong>();
        for (long i = -500; i < 500; i++)
            Assert.True(values.Add(new StoryRandom(9, i).Next64()));
    }

    [Fact]
    public void Required_words_are_a_noun_a_verb_and_an_adjective_that_the_text_has()
    {
        var nouns = NounList.All.Select(n => n.Word).ToHashSet();
        var verbs = VerbList.All.Select(v => v.Verb).ToHashSet();
        var adjectives = AdjectiveList.All.Select(a => a.Word).ToHashSet();
        int listed = 0;
        foreach (var story in StoryCorpus.Stories)
        {
            Assert.Equal(3, story.RequiredWords.Count);
            listed += nouns.Contains(story.RequiredWords[0]) ? 1 : 0;
            Assert.Contains(story.RequiredWords[1], verbs);
            Assert.All(story.Plot.RequiredForms, form => Assert.True(StoryTeller.HasWord(story.Text, form), form + " is not in: " + story.Text));
            _ = adjectives;
        }

        Assert.True(listed > 0.8 * StoryCorpus.Count, $"{listed} nouns of the list");
    }

    [Fact]
    public void Length_paragraphs_and_summary_are_within_bounds()
    {
        Assert.All(StoryCorpus.Stories, story =>
        {
            Assert.InRange(StoryTeller.CountWords(story.Text), 110, 275);
            Assert.InRange(story.Text.Split("\n\n").Length, 2, 14);
            Assert.Matches("^[A-Z].*[.]$", story.Summary);
            Assert.DoesNotContain("{", story.Summary, StringComparison.Ordinal);
            Assert.Contains(story.SentenceToInclude, story.Text, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Documents_can_be_resumed_anywhere_and_have_the_asked_share_of_instructions()
    {
        var generator = new StoryGenerator(5);
        var all = generator.Documents(2000, 0.3).ToArray();
        Assert.Equal(all[700..720], generator.Documents(20, 0.3, 700).ToArray());
        double share = all.Count(d => d.Contains("Story:\n", StringComparison.Ordinal)) / 2000.0;
        Assert.InRange(share, 0.26, 0.34);
        Assert.DoesNotContain(generator.Documents(200, 0), d => d.Contains("Story:", StringComparison.Ordinal));
        Assert.All(generator.Documents(200, 1), d => Assert.Contains("Story:\n", d, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1.1)]
    [InlineData(double.NaN)]
    public void A_share_outside_0_to_1_is_refused(double share) =>
        Assert.Equal("instructFraction", Assert.Throws<ArgumentOutOfRangeException>(() => new StoryGenerator(1).Documents(1, share)).ParamName);

    [Fact]
    public void Instructions_state_what_the_story_has()
    {
        var generator = new StoryGenerator(StoryCorpus.Seed);
        var kinds = new HashSet<string>();
        for (int i = 0; i < 500; i++)
        {
            var story = StoryCorpus.Stories[i];
            var example = generator.ToInstruct(story, i);
            Assert.Equal(story.Text, example.Completion);
            var lines = example.Prompt.Split('\n');
            Assert.Equal("Story:", lines[^1]);
            Assert.InRange(lines.Length, 2, 5);
            foreach (var line in lines[..^1])
            {
                kinds.Add(line[..line.IndexOf(':')]);
                Assert.Contains(line, (string[])
                [
                    "Words: " + string.Join(", ", story.RequiredWords),
                    "Features: " + string.Join(", ", story.Features),
                    "Summary: " + story.Summary,
                    "Random sentence: " + story.SentenceToInclude,
                ]);
            }
        }

        Assert.Equal(4, kinds.Count);
    }
}
