using Slm.Training.Stories;

namespace Slm.Training.Tests.Stories;

/// <summary>The stories that the corpus tests share: 20,000 of one seed, made once, in parallel.</summary>
internal static class StoryCorpus
{
    public const ulong Seed = 20_26;
    public const int Count = 20_000;

    /// <summary>Edition 1 rejects these plots: none of their things is in the noun list, so they have no required noun.</summary>
    public static readonly string[] NeverTold = ["false-alarm", "learn-skill", "stage-fright", "warning"];

    private static readonly Lazy<Story[]> Made = new(() =>
    {
        var generator = new StoryGenerator(Seed);
        var stories = new Story[Count];
        Parallel.For(0, Count, i => stories[i] = generator.Generate(i));
        return stories;
    });

    public static IReadOnlyList<Story> Stories => Made.Value;
}
