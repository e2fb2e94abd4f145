using Slm.Training.Stories;

namespace Slm.Training.Tests.Stories;

/// <summary>The stories that the corpus tests share: 20,000 of one seed, made once, in parallel.</summary>
internal static class StoryCorpus
{
    public const ulong Seed = 20_26;
    public const int Count = 20_000;

    private static readonly Lazy<Story[]> Made = new(() =>
    {
        var generator = new StoryGenerator(Seed);
        var stories = new Story[Count];
        Parallel.For(0, Count, i => stories[i] = generator.Generate(i));
        return stories;
    });

    public static IReadOnlyList<Story> Stories => Made.Value;
}
