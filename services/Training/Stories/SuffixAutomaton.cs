namespace Slm.Training.Stories;

/// <summary>
/// Generalized suffix automaton (Blumer et al. 1985) of some sequences: accepts exactly their substrings. Streaming other
/// sequences through it gives, for each stored one, the longest substring shared with any of them, in linear time.
/// </summary>
internal sealed class SuffixAutomaton
{
    private readonly Dictionary<long, int> _next = [];
    private readonly List<List<int>> _symbols = [];
    private readonly List<int> _link = [];
    private readonly List<int> _length = [];
    private int[] _best = [];
    private bool _settled;

    public SuffixAutomaton() => State(0, -1);

    /// <summary>Adds a sequence. Symbols are at least 0.</summary>
    public void Add(ReadOnlySpan<int> sequence)
    {
        int last = 0;
        foreach (int symbol in sequence)
            last = Extend(last, symbol);
        _best = new int[_length.Count];
        _settled = false;
    }

    /// <summary>Marks everything the stored sequences share with this one. A symbol of -1 matches nothing.</summary>
    public void Stream(ReadOnlySpan<int> sequence)
    {
        int state = 0;
        int length = 0;
        foreach (int symbol in sequence)
        {
            int target;
            while (!_next.TryGetValue(Key(state, symbol), out target) && state != 0)
            {
                state = _link[state];
                length = _length[state];
            }

            if (!_next.TryGetValue(Key(state, symbol), out target))
            {
                length = 0;
                continue;
            }

            state = target;
            length++;
            if (length > _best[state])
                _best[state] = length;
        }

        _settled = false;
    }

    /// <summary>The longest substring of a stored sequence that any streamed one has: its end (exclusive) and length.</summary>
    public (int End, int Length) Longest(ReadOnlySpan<int> stored)
    {
        Settle();
        int state = 0;
        var best = (End: 0, Length: 0);
        for (int i = 0; i < stored.Length; i++)
        {
            state = _next[Key(state, stored[i])];
            if (_best[state] > best.Length)
                best = (i + 1, _best[state]);
        }

        return best;
    }

    // A match in a state is a match of all shorter suffixes; a state whose suffix link was matched has at least that match.
    private void Settle()
    {
        if (_settled)
            return;
        _settled = true;
        var order = Enumerable.Range(0, _length.Count).OrderBy(s => _length[s]).ToArray();
        for (int i = order.Length - 1; i > 0; i--)
        {
            int state = order[i];
            int link = _link[state];
            if (_best[state] > 0 && link > 0)
                _best[link] = _length[link];
        }

        foreach (int state in order)
        {
            if (state != 0 && _best[_link[state]] > _best[state])
                _best[state] = _best[_link[state]];
        }
    }

    private int Extend(int last, int symbol)
    {
        if (_next.TryGetValue(Key(last, symbol), out int known))
            return _length[known] == _length[last] + 1 ? known : Clone(last, symbol, known);

        int state = State(_length[last] + 1, 0);
        int p = last;
        while (p >= 0 && !_next.ContainsKey(Key(p, symbol)))
        {
            Set(p, symbol, state);
            p = _link[p];
        }

        if (p >= 0)
        {
            int q = _next[Key(p, symbol)];
            _link[state] = _length[q] == _length[p] + 1 ? q : Clone(p, symbol, q);
        }

        return state;
    }

    private int Clone(int p, int symbol, int q)
    {
        int clone = State(_length[p] + 1, _link[q]);
        foreach (int s in _symbols[q])
            Set(clone, s, _next[Key(q, s)]);
        _link[q] = clone;
        while (p >= 0 && _next.TryGetValue(Key(p, symbol), out int target) && target == q)
        {
            _next[Key(p, symbol)] = clone;
            p = _link[p];
        }

        return clone;
    }

    private int State(int length, int link)
    {
        _length.Add(length);
        _link.Add(link);
        _symbols.Add([]);
        return _length.Count - 1;
    }

    private void Set(int state, int symbol, int target)
    {
        if (_next.TryAdd(Key(state, symbol), target))
            _symbols[state].Add(symbol);
        else
            _next[Key(state, symbol)] = target;
    }

    private static long Key(int state, int symbol) => ((long)state << 32) | (uint)symbol;
}
