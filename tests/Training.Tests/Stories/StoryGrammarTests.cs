using Slm.Training.Stories;

namespace Slm.Training.Tests.Stories;

public sealed class StoryGrammarTests
{
    [Fact]
    public void Twenty_thousand_stories_have_no_surface_fault()
    {
        foreach (var story in StoryCorpus.Stories)
        {
            var problems = StoryGrammar.Check(story.Text);
            Assert.True(problems.Count == 0, string.Join("; ", problems) + "\n" + story.Text);
        }
    }

    [Theory]
    [InlineData("Tom saw a owl.")]
    [InlineData("Tom saw an cat.")]
    [InlineData("Tom saw the the cat.")]
    [InlineData("They was happy.")]
    [InlineData("Then he have a ball.")]
    [InlineData("Tom took {o.a} home.")]
    [InlineData("Tom took [a|the] ball.")]
    [InlineData("Tom  ran home.")]
    [InlineData("Tom ran home .")]
    [InlineData("Tom ran home. he was tired.")]
    [InlineData("tom ran home.")]
    [InlineData("\"Come here, said Tom.")]
    [InlineData("\"come here,\" said Tom.")]
    [InlineData("\"Come here\" said Tom.")]
    [InlineData("Tom ran home")]
    [InlineData("Tom wanted to went home.")]
    [InlineData("Tom could not jumped.")]
    public void A_planted_error_is_found(string text) => Assert.NotEmpty(StoryGrammar.Check(text));

    [Theory]
    [InlineData("Tom saw an owl and an old cat. \"Is it an honest bird?\" he asked.")]
    [InlineData("It was a useful unicorn. What could she do? He had had it for an hour.")]
    [InlineData("\"Oh no!\" Tom said. \"I lost it.\"\n\n\"I will help you,\" Lily replied.")]
    public void Clean_prose_passes(string text) => Assert.Empty(StoryGrammar.Check(text));

    [Theory]
    [InlineData("hop", true, "hopped", "hopping")]
    [InlineData("bake", false, "baked", "baking")]
    [InlineData("carry", false, "carried", "carrying")]
    [InlineData("play", false, "played", "playing")]
    [InlineData("tie", false, "tied", "tying")]
    public void Regular_verbs_inflect(string verb, bool doubled, string past, string ing)
    {
        Assert.Equal(past, Inflection.Past(verb, doubled));
        Assert.Equal(ing, Inflection.Ing(verb, doubled));
    }

    [Theory]
    [InlineData("leaf", "leaves")]
    [InlineData("mouse", "mice")]
    [InlineData("berry", "berries")]
    [InlineData("box", "boxes")]
    [InlineData("toy", "toys")]
    public void Nouns_have_plurals(string noun, string plural) => Assert.Equal(plural, Inflection.Plural(noun));

    [Fact]
    public void One_consonant_after_one_vowel_is_doubled_in_every_listed_verb()
    {
        foreach (var verb in VerbList.All.Where(v => v.Verb.Length >= 3 && v.Past.EndsWith("ed", StringComparison.Ordinal)))
        {
            string v = verb.Verb;
            bool short1 = v.Count(IsVowel) == 1 && !IsVowel(v[^1]) && v[^1] is not ('w' or 'x' or 'y') && IsVowel(v[^2]) && !IsVowel(v[^3]);
            if (short1)
                Assert.True(verb.Past == v + v[^1] + "ed", v + " -> " + verb.Past);
        }

        static bool IsVowel(char c) => c is 'a' or 'e' or 'i' or 'o' or 'u';
    }
}
