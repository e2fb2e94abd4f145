namespace Slm.Training.Stories;

/// <summary>Properties a story is asked to have; each is a choice in the plot, not a decoration.</summary>
public enum StoryFeature
{
    Dialogue,
    Twist,
    BadEnding,
    MoralValue,
    Foreshadowing,
    Conflict,
}

/// <summary>A story with the plot it tells.</summary>
public sealed record Story
{
    /// <summary>Paragraphs separated by one empty line.</summary>
    public required string Text { get; init; }

    /// <summary>What happened, for machines.</summary>
    public required StoryPlot Plot { get; init; }

    /// <summary>One to three sentences that say what happens.</summary>
    public required string Summary { get; init; }

    /// <summary>One noun, one verb and one adjective (base forms); each occurs in the text, maybe inflected (see <see cref="StoryPlot.RequiredForms"/>).</summary>
    public required IReadOnlyList<string> RequiredWords { get; init; }

    /// <summary>Features that the plot really has.</summary>
    public required IReadOnlyList<StoryFeature> Features { get; init; }

    /// <summary>One sentence that occurs word for word in the text.</summary>
    public required string SentenceToInclude { get; init; }
}

/// <summary>Instructions and the story that follows them.</summary>
/// <param name="Prompt">Instruction lines, ending with the line "Story:".</param>
/// <param name="Completion">The story's text.</param>
public sealed record InstructExample(string Prompt, string Completion)
{
    /// <summary>Prompt, newline, story: one training document.</summary>
    public string Document => Prompt + "\n" + Completion;
}
