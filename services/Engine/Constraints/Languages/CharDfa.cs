namespace Slm.Engine.Constraints.Languages;

/// <summary>
/// The deterministic automaton of a term, made as far as it is asked for. Its states are derivatives; a state from which no text of the
/// language can be reached is no state. Characters that no part of the term tells apart share a class. Not thread-safe.
/// </summary>
internal sealed class CharDfa
{
    /// <summary>No text of the language goes on this way.</summary>
    public const int Dead = -1;

    private const int Unknown = -2;
    private const int Surrogates = -1;
    private const int MaxSearch = 100_000;
    private readonly TermPool _pool;
    private readonly int[] _starts;
    private readonly int[] _classes;
    private readonly int[] _representatives;
    private readonly int[] _ascii = new int[128];
    private readonly Dictionary<Term, int> _states = [];
    private readonly List<Term> _terms = [];
    private readonly List<int[]> _next = [];
    private readonly Dictionary<Term, bool> _live = [];

    public CharDfa(TermPool pool, Term term)
    {
        _pool = pool;
        (_starts, _classes, _representatives) = Classes(term);
        for (var c = 0; c < _ascii.Length; c++)
            _ascii[c] = _classes[IntervalOf(c)];
        Start = IsLive(term) ? StateOf(term) : Dead;
    }

    /// <summary>The first state, or <see cref="Dead"/> if the language is empty.</summary>
    public int Start { get; }

    /// <summary>States so far.</summary>
    public int Count => _terms.Count;

    /// <summary>The language of what may follow a state.</summary>
    public Term TermOf(int state) => _terms[state];

    /// <summary>Whether the text may end here.</summary>
    public bool Accepts(int state) => _terms[state].Nullable;

    /// <summary>The next state, or <see cref="Dead"/>.</summary>
    public int Step(int state, int codePoint) => StepClass(state, codePoint < 128 ? _ascii[codePoint] : _classes[IntervalOf(codePoint)]);

    /// <summary>The state of a term that is one of the automaton's, or <see cref="Dead"/>.</summary>
    public int Find(Term term) => _states.GetValueOrDefault(term, Dead);

    /// <summary>Whether some character of a range can follow.</summary>
    public bool CanStep(int state, int low, int high)
    {
        for (var i = IntervalOf(low); i < _starts.Length && _starts[i] <= high; i++)
        {
            if (StepClass(state, _classes[i]) != Dead)
                return true;
        }

        return false;
    }

    /// <summary>The states that characters of a range lead to.</summary>
    public IEnumerable<int> Next(int state, int low, int high)
    {
        for (var i = IntervalOf(low); i < _starts.Length && _starts[i] <= high; i++)
        {
            var next = StepClass(state, _classes[i]);
            if (next != Dead)
                yield return next;
        }
    }

    /// <summary>How many texts the language has, at most <paramref name="limit"/>.</summary>
    public int CountTexts(int limit)
    {
        if (Start == Dead)
            return 0;
        var counts = new Dictionary<int, int>();
        var open = new HashSet<int>();
        var budget = 20_000;
        return Texts(Start);

        int Texts(int state)
        {
            if (counts.TryGetValue(state, out var known))
                return known;

            // Every state is live: whatever comes back to itself makes as many texts as one likes.
            if (!open.Add(state) || --budget < 0 || open.Count > 2000)
                return limit;
            long sum = Accepts(state) ? 1 : 0;
            for (var i = 0; i < _starts.Length && sum < limit; i++)
            {
                var next = StepClass(state, _classes[i]);
                if (next == Dead)
                    continue;
                var end = i + 1 < _starts.Length ? _starts[i + 1] : CharSet.End;
                sum += Math.Min(limit, (long)Texts(next) * Math.Min(limit, end - _starts[i]));
            }

            open.Remove(state);
            return counts[state] = (int)Math.Min(limit, sum);
        }
    }

    private int StepClass(int state, int @class)
    {
        if (@class == Surrogates)
            return Dead;
        var row = _next[state];
        if (row[@class] == Unknown)
        {
            var term = _pool.Derive(_terms[state], _representatives[@class]);
            row[@class] = IsLive(term) ? StateOf(term) : Dead;
        }

        return row[@class];
    }

    private int StateOf(Term term)
    {
        if (_states.TryGetValue(term, out var known))
            return known;
        var row = new int[_representatives.Length];
        Array.Fill(row, Unknown);
        _terms.Add(term);
        _next.Add(row);
        return _states[term] = _terms.Count - 1;
    }

    /// <summary>Whether any text belongs to a term: a search for an accepting derivative.</summary>
    private bool IsLive(Term term)
    {
        if (term == _pool.Empty)
            return false;
        if (!term.MayBeEmpty || term.Nullable)
            return true;
        if (_live.TryGetValue(term, out var known))
            return known;
        var parents = new Dictionary<Term, Term?> { [term] = null };
        var queue = new Queue<Term>();
        queue.Enqueue(term);
        while (queue.TryDequeue(out var current))
        {
            foreach (var representative in _representatives)
            {
                var next = _pool.Derive(current, representative);
                if (next == _pool.Empty || parents.ContainsKey(next))
                    continue;
                if (_live.TryGetValue(next, out known) && !known)
                    continue;
                if (known || next.Nullable || !next.MayBeEmpty)
                {
                    for (var on = current; on is not null; on = parents[on])
                        _live[on] = true;
                    return true;
                }

                if (parents.Count >= MaxSearch)
                    throw new ConstraintTooLargeException("", "", $"Whether any text satisfies this combination of rules is not decided within {MaxSearch} states. Use a shorter pattern or smaller bounds.");
                parents.Add(next, current);
                queue.Enqueue(next);
            }
        }

        foreach (var dead in parents.Keys)
            _live[dead] = false;
        return false;
    }

    private int IntervalOf(int codePoint)
    {
        var i = Array.BinarySearch(_starts, codePoint);
        return i >= 0 ? i : ~i - 1;
    }

    /// <summary>Cuts the code points where some part of the term tells neighbours apart, and joins cuts that all parts treat alike.</summary>
    private static (int[] Starts, int[] Classes, int[] Representatives) Classes(Term root)
    {
        var sets = new HashSet<CharSet> { CharSet.All };
        var single = new HashSet<int>();
        var seen = new HashSet<Term>();
        var stack = new Stack<Term>([root]);
        while (stack.TryPop(out var term))
        {
            if (!seen.Add(term))
                continue;
            foreach (var part in term.Parts)
                stack.Push(part);
            if (term.Kind == TermKind.Chars)
                sets.Add(term.Set);
            if (term.Source is CharMachine machine)
                single.UnionWith(machine.Alphabet);
            if (term.Source is WordList list)
            {
                for (var i = term.Min; i < term.Max; i++)
                    single.UnionWith(list.Words[i].AsSpan((int)term.State).ToArray());
            }
        }

        var cuts = new SortedSet<int> { 0 };
        foreach (var set in sets)
        {
            foreach (var (low, high) in set.Ranges())
            {
                cuts.Add(low);
                cuts.Add(high + 1);
            }
        }

        foreach (var c in single)
        {
            cuts.Add(c);
            cuts.Add(c + 1);
        }

        cuts.RemoveWhere(static c => c >= CharSet.End);
        var starts = cuts.ToArray();
        var classes = new int[starts.Length];
        var representatives = new List<int>();
        var members = sets.ToArray();
        var known = new Dictionary<string, int>();
        var signature = new char[members.Length];
        for (var i = 0; i < starts.Length; i++)
        {
            if (starts[i] is >= 0xD800 and <= 0xDFFF)
            {
                classes[i] = Surrogates;
                continue;
            }

            if (single.Contains(starts[i]))
            {
                classes[i] = representatives.Count;
                representatives.Add(starts[i]);
                continue;
            }

            for (var j = 0; j < members.Length; j++)
                signature[j] = members[j].Contains(starts[i]) ? '1' : '0';
            var key = new string(signature);
            if (!known.TryGetValue(key, out var @class))
            {
                known[key] = @class = representatives.Count;
                representatives.Add(starts[i]);
            }

            classes[i] = @class;
        }

        return (starts, classes, [.. representatives]);
    }
}
