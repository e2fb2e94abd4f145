using System.Runtime.CompilerServices;

namespace Slm.Engine.Constraints.Automata;

/// <summary>
/// A place in a text: everything that may be going on there. What bytes lead to is remembered, so that an automaton comes into being for the
/// places that are visited. Used under the lock of its <see cref="Automaton"/>.
/// </summary>
internal sealed class Position
{
    private const int MaxListed = 16;
    private readonly Automaton _automaton;
    private readonly ByteSet _first;
    private Position?[]? _all;
    private byte[] _keys = [];
    private Position[] _values = [];
    private int _count;

    internal Position(Automaton automaton, Frame[] frames)
    {
        _automaton = automaton;
        Frames = frames;
        foreach (var frame in frames)
        {
            IsEnd |= Ends(frame);
            _first = _first.Union(FirstOf(frame));
        }
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
        if (!_first.Contains(b))
            return _automaton.Dead;
        if (_all is not null)
            return _all[b] ??= _automaton.Step(this, b, null);
        for (var i = 0; i < _count; i++)
        {
            if (_keys[i] == b)
                return _values[i];
        }

        var next = _automaton.Step(this, b, null);
        Keep(b, next);
        return next;
    }

    /// <summary>The place a byte of the text itself leads to.</summary>
    /// <param name="b">The byte.</param>
    /// <param name="trail">The text before it.</param>
    public Position Next(byte b, Trail trail) => trail.MattersTo(b) ? _automaton.Step(this, b, trail) : Next(b);

    private static ByteSet FirstOf(Frame frame)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        var first = frame.First;
        if (frame.CanEnd && frame.Below is { } below)
        {
            foreach (var next in below.Frames)
                first = first.Union(FirstOf(next));
        }

        return first;
    }

    /// <summary>Most places have few ways to go on; one with more gets a table.</summary>
    private void Keep(byte b, Position next)
    {
        if (_count == MaxListed)
        {
            _all = new Position?[256];
            for (var i = 0; i < _count; i++)
                _all[_keys[i]] = _values[i];
            _all[b] = next;
            (_keys, _values) = ([], []);
            return;
        }

        if (_count == _keys.Length)
        {
            Array.Resize(ref _keys, Math.Max(4, 2 * _count));
            Array.Resize(ref _values, Math.Max(4, 2 * _count));
        }

        (_keys[_count], _values[_count]) = (b, next);
        _count++;
    }

    private static bool Ends(Frame frame)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
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
