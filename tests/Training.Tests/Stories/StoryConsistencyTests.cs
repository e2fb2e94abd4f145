using Slm.Training.Stories;

namespace Slm.Training.Tests.Stories;

public sealed class StoryConsistencyTests
{
    [Fact]
    public void Every_plot_replays_on_a_fresh_world()
    {
        foreach (var story in StoryCorpus.Stories)
        {
            var faults = StoryReplay.Check(story.Plot);
            Assert.True(faults.Count == 0, story.Plot.Schema + ": " + string.Join("; ", faults) + "\n" + story.Text);
        }
    }

    [Fact]
    public void A_tampered_plot_is_caught()
    {
        int tampered = 0;
        foreach (var story in StoryCorpus.Stories.Take(2000))
        {
            // Without its first owner, a thing cannot be given, broken or lost.
            var own = story.Plot.Events.FirstOrDefault(e => e.Kind is EventKind.Own or EventKind.Lie);
            if (own is null || !story.Plot.Events.Any(e => e.Thing == own.Thing && e.Id > own.Id))
                continue;
            tampered++;
            var events = story.Plot.Events.Where(e => e != own).ToList();
            Assert.NotEmpty(StoryReplay.Check(story.Plot with { Events = events }));
        }

        Assert.True(tampered > 1000);
    }

    [Fact]
    public void Everybody_who_acts_is_introduced_by_name()
    {
        foreach (var story in StoryCorpus.Stories)
        {
            foreach (var character in story.Plot.Characters)
            {
                string name = character.Name.StartsWith("his ", StringComparison.Ordinal) || character.Name.StartsWith("her ", StringComparison.Ordinal) ? character.Name[4..] : character.Name;
                Assert.True(StoryTeller.HasWord(story.Text, name), name + "\n" + story.Text);
            }
        }
    }

    [Fact]
    public void Nobody_uses_a_thing_out_of_reach()
    {
        var world = new World();
        world.Apply(EventKind.Start, "Tom", target: "home");
        world.Apply(EventKind.Lie, "", "ball", "the park");
        Assert.Throws<PlotException>(() => world.Apply(EventKind.Take, "Tom", "ball"));
        world.Apply(EventKind.Go, "Tom", target: "the park");
        world.Apply(EventKind.Take, "Tom", "ball");
        Assert.Equal("Tom", world.HolderOf("ball"));
        world.Apply(EventKind.Break, "Tom", "ball");
        Assert.Throws<PlotException>(() => world.Apply(EventKind.Use, "Tom", "ball"));
        world.Apply(EventKind.Fix, "Tom", "ball");
        var use = world.Apply(EventKind.Use, "Tom", "ball");
        Assert.Contains(use.Id - 1, use.Causes);
    }

    [Fact]
    public void Nobody_speaks_to_somebody_elsewhere()
    {
        var world = new World();
        world.Apply(EventKind.Start, "Tom", target: "home");
        world.Apply(EventKind.Start, "Lily", target: "the park");
        Assert.Throws<PlotException>(() => world.Apply(EventKind.Speak, "Tom", target: "Lily"));
        Assert.Throws<PlotException>(() => world.Apply(EventKind.Speak, "Max"));
        Assert.Throws<PlotException>(() => world.Apply(EventKind.Succeed, "Tom"));
    }
}
