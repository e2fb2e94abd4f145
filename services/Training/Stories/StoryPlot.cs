namespace Slm.Training.Stories;

/// <summary>What an event does to the world; see <see cref="World"/> for preconditions and effects.</summary>
public enum EventKind
{
    /// <summary>Initial: the actor is at the place.</summary>
    Start,

    /// <summary>Initial: the actor holds the object.</summary>
    Own,

    /// <summary>Initial: the object lies at the place.</summary>
    Lie,

    Go, Take, Drop, Give, Lose, Steal, Make, Break, Fix, Eat, Use, Hide, Vanish,
    Feel, Speak, Want, Weather, Meet, Help, Learn, Quarrel, Apologize, Forgive, Act, Notice,

    /// <summary>The goal of the story is reached.</summary>
    Succeed,

    /// <summary>The goal of the story is missed for good.</summary>
    Fail,
}

/// <summary>One event. <see cref="Causes"/> are earlier events that put the things it needs into the state it needs.</summary>
public sealed record PlotEvent(int Id, EventKind Kind, string Actor, string? Thing, string? Target, string Place, string? Detail, IReadOnlyList<int> Causes);

/// <summary>A character as the story introduces it.</summary>
public sealed record PlotCharacter(string Name, string Kind, string Pronoun, string Trait, string FinalMood);

/// <summary>A thing, who or where has it in the end ("" when gone) and whether it is broken then.</summary>
public sealed record PlotObject(string Name, string Category, string Adjective, string FinalHolder, bool Broken);

/// <summary>Machine-readable truth about a story.</summary>
public sealed record StoryPlot
{
    public required string Schema { get; init; }
    public required IReadOnlyList<PlotCharacter> Characters { get; init; }
    public required IReadOnlyList<string> Places { get; init; }
    public required IReadOnlyList<PlotObject> Objects { get; init; }
    public required string Goal { get; init; }
    public required string Obstacle { get; init; }
    public required string Resolution { get; init; }
    public required bool GoalMet { get; init; }
    public required IReadOnlyList<PlotEvent> Events { get; init; }

    /// <summary>Noun, verb, adjective in base form.</summary>
    public required IReadOnlyList<string> RequiredWords { get; init; }

    /// <summary>For each required word the form in which the text first has it.</summary>
    public required IReadOnlyList<string> RequiredForms { get; init; }

    public required IReadOnlyList<StoryFeature> Features { get; init; }
    public required string Summary { get; init; }
}
