using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>
/// The keys of an object that have been written and may not come again: followed beside the automaton of a class of keys that has
/// too many for a few of them to matter, so that no automaton has to be made for what is left.
/// </summary>
internal sealed class UsedKeys
{
    private readonly ByteDfa _keys;
    private readonly Dictionary<(int State, int Used), int> _pairs = [];
    private readonly List<(int State, int Used)> _states = [];

    public UsedKeys(TermPool pool, IEnumerable<string> keys, TextEncoding encoding) => _keys = new ByteDfa(pool, pool.Words(keys), encoding);

    /// <summary>No character yet.</summary>
    public int Start => _keys.Start;

    /// <summary>The next state; <see cref="ByteDfa.Dead"/> when it can be none of the keys.</summary>
    public int Follow(int used, byte b) => used == ByteDfa.Dead ? used : _keys.Step(used, b);

    /// <summary>A number for a state of a class and one of the keys.</summary>
    public int Pair(int state, int used)
    {
        if (_pairs.TryGetValue((state, used), out var known))
            return known;
        _states.Add((state, used));
        return _pairs[(state, used)] = _states.Count - 1;
    }

    /// <summary>The next of those numbers, or <see cref="ByteDfa.Dead"/>.</summary>
    public int Step(ByteDfa dfa, int pair, byte b)
    {
        var (state, used) = _states[pair];
        var next = dfa.Step(state, b);
        return next == ByteDfa.Dead ? next : Pair(next, Follow(used, b));
    }

    /// <summary>Whether a new key may end here.</summary>
    public bool MayClose(ByteDfa dfa, int pair)
    {
        var (state, used) = _states[pair];
        return dfa.Accepts(state) && (used == ByteDfa.Dead || !_keys.Accepts(used));
    }
}
