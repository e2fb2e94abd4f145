using System.Runtime.CompilerServices;

namespace Slm.Engine.Constraints.Automata;

/// <summary>
/// One of the things that may be going on at a place in a text: the top of a stack, with what may come after it below. Immutable; equal
/// ones are joined by the <see cref="Automaton"/>. From every frame some valid text can be completed, so that what has a next frame is allowed.
/// </summary>
internal abstract class Frame(Continuation? below)
{
    /// <summary>What goes on when this is complete; null at the end of the text.</summary>
    public Continuation? Below { get; } = below;

    /// <summary>Whether it may be complete as it is, so that the next byte belongs to what is below.</summary>
    public virtual bool CanEnd => false;

    /// <summary>Whether all that is left of it may be left out, be it step by step.</summary>
    public virtual bool MayBeEmpty => CanEnd;

    /// <summary>Bytes that may come next, at least those; what is below excepted.</summary>
    public virtual ByteSet First => ByteSet.All;

    /// <summary>Reports the frames that a byte leads to, those by way of <see cref="CanEnd"/> excepted.</summary>
    public abstract void Step(byte b, Steps steps);

    /// <summary>How many characters of JSON white space may come, of any kind, that change nothing else; -1 where that is not so.</summary>
    public virtual int GapLeft => -1;

    /// <summary>The same frame above something else.</summary>
    public abstract Frame Above(Continuation? below);

    /// <summary>Whether another frame differs from this in nothing but what is below.</summary>
    public abstract bool SameTop(Frame other);

    /// <summary>Agrees with <see cref="SameTop"/>.</summary>
    public abstract int TopHash { get; }
}

/// <summary>Text of a language whose states are numbers, so that many texts can be tried without making frames.</summary>
internal abstract class TextFrame(Languages.ByteDfa dfa, int state, Continuation? below) : Frame(below)
{
    /// <summary>The language.</summary>
    public Languages.ByteDfa Dfa { get; } = dfa;

    /// <summary>Where in it the text is.</summary>
    public int State { get; } = state;

    /// <summary>The state that <see cref="Follow"/> and <see cref="Close"/> begin with: <see cref="State"/>, unless a frame keeps more.</summary>
    public virtual int Walk => State;

    /// <summary>Whether a quote ends the text, rather than whatever is not of it.</summary>
    public virtual bool IsQuoted => true;

    /// <summary>Whether all that its automaton allows is allowed.</summary>
    public virtual bool IsWide => true;

    /// <summary>The next state, or <see cref="Languages.ByteDfa.Dead"/>.</summary>
    public virtual int Follow(int state, byte b) => Dfa.Step(state, b);

    /// <summary>Whether the text may end at a state of <see cref="Follow"/>.</summary>
    public virtual bool MayClose(int state) => Dfa.Accepts(state);

    /// <summary>Reports what goes on when the text ends with a quote at a state; nothing if it may not.</summary>
    public virtual void Close(int state, Steps steps)
    {
    }
}

/// <summary>A set of frames, any of which may be what goes on; interned, so that equal ones are identical.</summary>
internal sealed class Continuation
{
    internal Continuation(Frame[] frames) => Frames = frames;

    /// <summary>The frames.</summary>
    public Frame[] Frames { get; }
}

/// <summary>Collects the frames a byte leads to.</summary>
internal sealed class Steps(Automaton automaton)
{
    private readonly List<Frame> _frames = [];

    /// <summary>The automaton, for making what frames need.</summary>
    public Automaton Automaton => automaton;

    /// <summary>The text so far, the byte at hand excluded, when it is a real one; null while only asking what would be possible.</summary>
    public Trail? Trail { get; private set; }

    /// <summary>Starts over.</summary>
    public Steps Begin(Trail? trail)
    {
        _frames.Clear();
        Trail = trail;
        return this;
    }

    /// <summary>A frame that goes on.</summary>
    public void Add(Frame frame) => _frames.Add(frame);

    /// <summary>What is below a frame that is complete.</summary>
    public void Complete(Continuation? below)
    {
        if (below is null)
            _frames.Add(EndFrame.Instance);
        else
            _frames.AddRange(below.Frames);
    }

    /// <summary>Steps a frame, and what is below it where it may be complete.</summary>
    public void Step(Frame frame, byte b)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        frame.Step(b, this);
        if (frame.CanEnd && frame.Below is { } below)
        {
            foreach (var next in below.Frames)
                Step(next, b);
        }
    }

    /// <summary>The frames so far; those that differ only below are one.</summary>
    public Frame[] ToFrames()
    {
        if (_frames.Count <= 1)
            return _frames.Count == 0 ? [] : [_frames[0]];
        var merged = new List<Frame>();
        foreach (var frame in _frames)
        {
            var known = merged.FindIndex(f => f.TopHash == frame.TopHash && f.SameTop(frame));
            if (known < 0)
                merged.Add(frame);
            else if (!ReferenceEquals(merged[known].Below, frame.Below))
                merged[known] = frame.Above(automaton.Join(merged[known].Below, frame.Below));
        }

        return [.. merged];
    }
}

/// <summary>The text is complete.</summary>
internal sealed class EndFrame : Frame
{
    private EndFrame()
        : base(null)
    {
    }

    /// <summary>The only one.</summary>
    public static EndFrame Instance { get; } = new();

    public override bool CanEnd => true;

    public override ByteSet First => default;

    public override int TopHash => 1;

    public override void Step(byte b, Steps steps)
    {
    }

    public override Frame Above(Continuation? below) => this;

    public override bool SameTop(Frame other) => other is EndFrame;
}
