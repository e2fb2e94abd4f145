namespace Slm.Engine.Constraints.Automata;

/// <summary>
/// A place in a text: everything that may be going on there. What bytes lead to is remembered, so that an automaton comes into being for the
/// places that are visited. Used under the lock of its <see cref="Automaton"/>.
/// </summary>
internal sealed class Position
{
    private readonly Automaton _automaton;
    private Position?[]? _next;

    internal Position(Automaton automaton, Frame[] frames)
    {
        _automaton = automaton;
        Frames = frames;
        foreach (var frame in frames)
            IsEnd |= Ends(frame);
    }

    /// <summary>What may be going on; empty where the text cannot be completed.</summary>
    public Frame[] Frames { get; }

    /// <summary>Whether the text may end here.</summary>
    public bool IsEnd { get; }

    /// <summary>Whether no valid text begins so.</summary>
    public bool IsDead => Frames.Length == 0;

    /// <summary>Whether the text is complete and nothing can follow.</summary>
    public bool IsFinal => Frames is [EndFrame];

    /// <summary>What a <see cref="Tokens.MaskBuilder"/> has found out about this place.</summary>
    public object? Mask { get; set; }

    /// <summary>The place a byte leads to, dead or not, as far as it does not depend on texts before it.</summary>
    public Position Next(byte b)
    {
        _next ??= new Position?[256];
        return _next[b] ??= _automaton.Step(this, b, null);
    }

    /// <summary>The place a byte of the text itself leads to.</summary>
    /// <param name="b">The byte.</param>
    /// <param name="trail">The text before it.</param>
    public Position Next(byte b, Trail trail) => trail.MattersTo(b) ? _automaton.Step(this, b, trail) : Next(b);

    private static bool Ends(Frame frame)
    {
        if (!frame.MayBeEmpty)
            return false;
        if (frame.Below is not { } below)
            return true;
        foreach (var next in below.Frames)
        {
            if (Ends(next))
                return true;
        }

        return false;
    }
}
