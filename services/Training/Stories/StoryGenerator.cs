namespace Slm.Training.Stories;

/// <summary>
/// Makes stories: simulates a small world and tells what happens in simple English.
/// After "TinyStories" (Eldan and Li 2023): three required words and a random subset of features per story.
/// </summary>
public sealed class StoryGenerator(ulong seed)
{
    /// <summary>Changes whenever the same seed and index give another story; a training run's record should name it.</summary>
    public const int Edition = 2;

    /// <summary>The seed of all streams.</summary>
    public ulong Seed { get; } = seed;

    /// <summary>Story number <paramref name="index"/>: a pure function of seed and index.</summary>
    public Story Generate(long index)
    {
        for (int attempt = 0; ; attempt++)
        {
            var random = new StoryRandom(Seed, unchecked((index * 64) + attempt));
            if (StoryTeller.TryTell(random, attempt >= 40) is { } story)
                return story;
        }
    }

    /// <summary>Stories from (inclusive) to to (exclusive), in order.</summary>
    public IEnumerable<Story> Generate(long from, long to)
    {
        for (long i = from; i < to; i++)
            yield return Generate(i);
    }

    /// <summary>The story as an instruction example: a random non-empty subset of the instruction lines.</summary>
    public InstructExample ToInstruct(Story story, long index) => InstructForm.Make(story, new StoryRandom(Seed ^ 0x1A57C7UL, index));

    /// <summary>Training documents in order: plain stories and, with the given share, instruction examples.</summary>
    /// <param name="count">Number of documents.</param>
    /// <param name="instructFraction">Share of instruction documents, 0 to 1.</param>
    /// <param name="start">Index of the first.</param>
    public IEnumerable<string> Documents(long count, double instructFraction = 0.3, long start = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (!(instructFraction >= 0 && instructFraction <= 1))
            throw new ArgumentOutOfRangeException(nameof(instructFraction), instructFraction, "instructFraction must be between 0 and 1, e.g. 0.3");
        return Stream();

        IEnumerable<string> Stream()
        {
            for (long i = start; i < start + count; i++)
                yield return Document(i, instructFraction);
        }
    }

    /// <summary>Document number <paramref name="index"/> of <see cref="Documents"/>: made alone, for parallel writers.</summary>
    public string Document(long index, double instructFraction = 0.3)
    {
        var story = Generate(index);
        return new StoryRandom(Seed ^ 0xD0C5UL, index).Chance(instructFraction) ? ToInstruct(story, index).Document : story.Text;
    }
}
