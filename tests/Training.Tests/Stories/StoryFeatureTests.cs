using System.Text.RegularExpressions;
using Slm.Training.Stories;

namespace Slm.Training.Tests.Stories;

public sealed class StoryFeatureTests
{
    // How each schema's twist and hint show in its text.
    private static readonly Dictionary<string, string> Twists = new()
    {
        ["lost-thing"] = "used (it|them) as a|the whole time|with a note",
        ["messy-room"] = "own bag and turned red",
        ["share-food"] = "I have something for you, too",
        ["gift"] = "I have a gift for you, too",
        ["new-friend"] = "came a surprise",
        ["sick-friend"] = "guess what",
        ["help-neighbor"] = "not really in such a hurry",
        ["learn-skill"] = "I have a secret",
        ["rescue"] = "wanted \\w+ to follow",
        ["bake"] = "made too much food",
        ["grow-plant"] = "taller than the house",
        ["contest"] = "to both of them",
        ["night-fear"] = "big, scary monster was so small",
        ["lost-hero"] = "only a few steps away the whole time",
        ["magic-wish"] = "had been a dream",
        ["treasure-map"] = "only a mirror",
        ["hide-and-seek"] = "the log moved",
        ["stage-fright"] = "all the lights went out",
        ["trade"] = "had not slept, either",
    };

    private static readonly Dictionary<string, string> Hints = new()
    {
        ["lost-thing"] = "small hole in|good care of|did not close well",
        ["broken-thing"] = "could break|not strong|wild games",
        ["storm"] = "dark cloud sat|birds flew low|whisper in the trees",
        ["bake"] = "hungry eyes|hungry dog from next door",
        ["build"] = "too soft",
        ["night-fear"] = "back door|hung up a coat|small footprints",
        ["warning"] = "crow on the roof|bad feeling|worried look",
        ["hide-and-seek"] = "tired, because",
        ["false-alarm"] = "really need help|nobody will believe|no one will believe|lie can hurt",
        ["lost-hero"] = "[Ii]f you get lost|stand still and call",
    };

    [Fact]
    public void Dialogue_means_two_speakers_and_quotes()
    {
        foreach (var story in StoryCorpus.Stories)
        {
            var speakers = story.Plot.Events.Where(e => e.Kind == EventKind.Speak).Select(e => e.Actor).Distinct().Count();
            Assert.Equal(speakers >= 2, story.Features.Contains(StoryFeature.Dialogue));
            if (speakers >= 2)
                Assert.True(story.Text.Count(c => c == '"') >= 4, story.Text);
        }
    }

    [Fact]
    public void A_bad_ending_leaves_the_goal_unmet_and_no_other_does()
    {
        foreach (var story in StoryCorpus.Stories)
        {
            bool failed = story.Plot.Events.Any(e => e.Kind == EventKind.Fail);
            Assert.Equal(failed, story.Features.Contains(StoryFeature.BadEnding));
            Assert.Equal(!failed, story.Plot.GoalMet);
        }
    }

    [Fact]
    public void Conflict_is_a_quarrel_and_is_settled_before_a_good_end()
    {
        foreach (var story in StoryCorpus.Stories.Where(s => s.Features.Contains(StoryFeature.Conflict)))
        {
            var quarrel = story.Plot.Events.First(e => e.Kind == EventKind.Quarrel);
            if (story.Plot.GoalMet && story.Plot.Schema != "contest")
                Assert.Contains(story.Plot.Events, e => e.Kind == EventKind.Forgive && e.Id > quarrel.Id);
        }
    }

    [Fact]
    public void A_moral_is_learned_by_the_hero_and_told()
    {
        foreach (var story in StoryCorpus.Stories.Where(s => s.Features.Contains(StoryFeature.MoralValue)))
            Assert.Matches("learned|knew that|never forgot|understood", story.Text);
    }

    [Fact]
    public void A_twist_is_told_exactly_where_it_is_claimed() => CheckMarkers(StoryFeature.Twist, Twists);

    [Fact]
    public void A_hint_comes_before_what_it_hints_at()
    {
        CheckMarkers(StoryFeature.Foreshadowing, Hints, bothWays: false);
        foreach (var story in StoryCorpus.Stories.Where(s => s.Features.Contains(StoryFeature.Foreshadowing)))
        {
            int hint = Regex.Match(story.Text, Hints[story.Plot.Schema]).Index;
            Assert.True(hint < 0.75 * story.Text.Length, story.Text);
        }
    }

    [Fact]
    public void Every_schema_shows_every_feature_it_supports()
    {
        var seen = StoryCorpus.Stories.SelectMany(s => s.Features.Select(f => (s.Plot.Schema, f))).ToHashSet();
        foreach (var schema in StoryTeller.Schemas)
        {
            foreach (var feature in schema.Supports)
                Assert.Contains((schema.Name, feature), seen);
        }
    }

    private static void CheckMarkers(StoryFeature feature, Dictionary<string, string> markers, bool bothWays = true)
    {
        foreach (var story in StoryCorpus.Stories)
        {
            bool claimed = story.Features.Contains(feature);
            if (claimed)
                Assert.True(markers.ContainsKey(story.Plot.Schema), story.Plot.Schema);
            if (!markers.TryGetValue(story.Plot.Schema, out var marker))
                continue;
            bool told = Regex.IsMatch(story.Text, marker);
            if (claimed || bothWays)
                Assert.True(told == claimed, $"{feature} claimed: {claimed}, told: {told}\n{story.Text}");
        }
    }
}
