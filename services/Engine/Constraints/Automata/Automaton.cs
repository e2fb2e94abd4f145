namespace Slm.Engine.Constraints.Automata;

/// <summary>
/// The automaton of a constraint over bytes: a set of stacks, made as far as texts lead into it. Its members are used by one thread at a time,
/// under <see cref="Lock"/>.
/// </summary>
internal sealed class Automaton
{
    /// <summary>Places that are remembered; beyond it all are forgotten and made anew as they are visited.</summary>
    private const int MaxPositions = 4_000;

    private readonly Dictionary<Frame[], Position> _positions = new(FrameSets.Instance);
    private readonly Dictionary<Frame[], Continuation> _continuations = new(FrameSets.Instance);

    private readonly Steps _steps;

    public Automaton()
    {
        _steps = new Steps(this);
        Dead = new Position(this, []);
        Start = Dead;
    }

    /// <summary>Held by whoever uses positions.</summary>
    public Lock Lock { get; } = new();

    /// <summary>Where texts begin.</summary>
    public Position Start { get; private set; }

    /// <summary>Where no valid text goes on.</summary>
    public Position Dead { get; }

    /// <summary>Whether it asks for earlier parts of the text.</summary>
    public bool NeedsTrail { get; set; }

    /// <summary>Whether some array may not have equal items, so that a token with two of them must be tried in full.</summary>
    public bool HasUnique { get; set; }

    /// <summary>Sets where texts begin.</summary>
    public void Begin(params Frame[] frames) => Start = PositionOf(frames);

    /// <summary>Lets go of all places that nobody holds; they are made anew when texts lead there.</summary>
    public void Forget()
    {
        _positions.Clear();
        _continuations.Clear();
        if (!Start.IsDead)
            Start = PositionOf(Start.Frames);
    }

    /// <summary>One frame to go on with.</summary>
    public Continuation Then(Frame frame) => Intern([frame]);

    /// <summary>Either of two.</summary>
    public Continuation? Join(Continuation? a, Continuation? b)
    {
        if (a is null || b is null || ReferenceEquals(a, b))
            return a ?? b;
        var frames = a.Frames.ToList();
        foreach (var frame in b.Frames)
        {
            if (!frames.Exists(f => FrameSets.Same(f, frame)))
                frames.Add(frame);
        }

        return Intern([.. frames]);
    }

    internal Position Step(Position position, byte b, Trail? trail)
    {
        var steps = _steps.Begin(trail);
        foreach (var frame in position.Frames)
            steps.Step(frame, b);
        return PositionOf(steps.ToFrames());
    }

    internal Position PositionOf(Frame[] frames)
    {
        if (frames.Length == 0)
            return Dead;
        if (_positions.TryGetValue(frames, out var known))
            return known;
        if (_positions.Count >= MaxPositions)
            Forget();

        return _positions[frames] = new Position(this, frames);
    }

    private Continuation Intern(Frame[] frames)
    {
        if (!_continuations.TryGetValue(frames, out var known))
            _continuations[frames] = known = new Continuation(frames);
        return known;
    }

    /// <summary>Frames are equal if their tops are and what is below is identical.</summary>
    private sealed class FrameSets : IEqualityComparer<Frame[]>
    {
        public static FrameSets Instance { get; } = new();

        public static bool Same(Frame a, Frame b) => ReferenceEquals(a, b) || (ReferenceEquals(a.Below, b.Below) && a.TopHash == b.TopHash && a.SameTop(b));

        public bool Equals(Frame[]? x, Frame[]? y)
        {
            if (x!.Length != y!.Length)
                return false;
            for (var i = 0; i < x.Length; i++)
            {
                if (!Same(x[i], y[i]))
                    return false;
            }

            return true;
        }

        public int GetHashCode(Frame[] frames)
        {
            var hash = frames.Length;
            foreach (var frame in frames)
                hash = (hash * 31) + (frame.TopHash * 17) + System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(frame.Below);
            return hash;
        }
    }
}
