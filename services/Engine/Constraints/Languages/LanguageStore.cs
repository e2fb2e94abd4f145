namespace Slm.Engine.Constraints.Languages;

/// <summary>The automata of terms, one for each term and encoding. Not thread-safe.</summary>
internal sealed class LanguageStore(TermPool pool)
{
    private readonly Dictionary<(Term, TextEncoding), ByteDfa> _automata = [];
    private readonly Dictionary<Term, bool> _empty = [];
    private readonly Dictionary<Term, ByteDfa> _shared = [];

    /// <summary>Says that an automaton of all constraints is that of a term, within JSON strings.</summary>
    public void Share(Term term, ByteDfa automaton) => _shared[term] = automaton;

    /// <summary>The automaton of a term.</summary>
    public ByteDfa Get(Term term, TextEncoding encoding)
    {
        if (!_automata.TryGetValue((term, encoding), out var dfa))
            _automata[(term, encoding)] = dfa = _shared.TryGetValue(term, out var shared) && encoding == shared.Encoding ? shared : new ByteDfa(pool, term, encoding);
        return dfa;
    }

    /// <summary>The same place in the automaton of all texts, where all texts may follow: what is known of it is known already.</summary>
    public (ByteDfa Dfa, int State) Simplify(ByteDfa dfa, int state)
    {
        if (!dfa.TryWhole(state, out var chars) || dfa.Chars.TermOf(chars) != pool.All)
            return (dfa, state);
        var all = Get(pool.All, dfa.Encoding);
        return (all, all.Start);
    }

    /// <summary>Whether no text belongs to a term.</summary>
    public bool IsEmpty(Term term)
    {
        if (term == pool.Empty)
            return true;
        if (!term.MayBeEmpty || term.Nullable)
            return false;
        if (!_empty.TryGetValue(term, out var known))
            _empty[term] = known = new CharDfa(pool, term).Start == CharDfa.Dead;
        return known;
    }

    /// <summary>How many texts belong to a term, at most <paramref name="limit"/>.</summary>
    public int Count(Term term, int limit) => term == pool.Empty ? 0 : term.Kind == TermKind.Words ? Math.Min(limit, term.Max - term.Min) : new CharDfa(pool, term).CountTexts(limit);
}
