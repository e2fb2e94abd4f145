using System.Runtime.CompilerServices;
namespace Slm.Engine.Constraints.Languages;

/// <summary>Makes terms and keeps equal ones identical. Not thread-safe.</summary>
internal sealed class TermPool
{
    private const int MaxFilteredWords = 4096;
    private readonly Dictionary<Term, Term> _terms = new(Structure.Instance);
    private readonly Dictionary<(int, int), Term> _derived = [];

    public TermPool()
    {
        Empty = Intern(new Term(TermKind.Empty));
        Epsilon = Intern(new Term(TermKind.Epsilon) { Nullable = true });
        AnyChar = Chars(CharSet.All);
        All = Intern(new Term(TermKind.Repeat, [AnyChar], max: -1) { Nullable = true });
    }

    /// <summary>No text.</summary>
    public Term Empty { get; }

    /// <summary>The empty text.</summary>
    public Term Epsilon { get; }

    /// <summary>Any one character.</summary>
    public Term AnyChar { get; }

    /// <summary>Any text.</summary>
    public Term All { get; }

    /// <summary>How many terms there are: a measure of the work done so far.</summary>
    public int Count => _terms.Count;

    /// <summary>One character of a set.</summary>
    public Term Chars(CharSet set) =>
        set.IsEmpty ? Empty : Intern(new Term(TermKind.Chars, set: set) { HasMarks = set.Range(set.RangeCount - 1).High >= CharSet.End });

    /// <summary>One text.</summary>
    public Term Literal(string text) => Words([text]);

    /// <summary>Any of these texts.</summary>
    public Term Words(IEnumerable<string> words) => Words(words.Select(WordList.CodePoints));

    /// <summary>One text, then another.</summary>
    public Term Concat(Term first, Term second)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (first == Empty || second == Empty)
            return Empty;
        if (first == Epsilon)
            return second;
        if (second == Epsilon)
            return first;
        if (first.Kind == TermKind.Concat)
            return Concat(first.Parts[0], Concat(first.Parts[1], second));
        if (first == All && second == All)
            return All;
        return Intern(new Term(TermKind.Concat, [first, second])
        {
            Nullable = first.Nullable && second.Nullable,
            MayBeEmpty = first.MayBeEmpty || second.MayBeEmpty,
            HasMarks = first.HasMarks || second.HasMarks,
        });
    }

    /// <summary>Several, one after another.</summary>
    public Term Concat(params ReadOnlySpan<Term> terms)
    {
        var result = Epsilon;
        for (var i = terms.Length - 1; i >= 0; i--)
            result = Concat(terms[i], result);
        return result;
    }

    /// <summary>It or the empty text.</summary>
    public Term Optional(Term term) => Alt([term, Epsilon]);

    /// <summary>Either of two.</summary>
    public Term Alt(Term a, Term b) => a == b || b == Empty ? a : a == Empty ? b : Alt([a, b]);

    /// <summary>Any of them.</summary>
    public Term Alt(IEnumerable<Term> terms)
    {
        var parts = new List<Term>();
        var set = CharSet.None;
        List<Term>? words = null;
        var stack = new Stack<Term>(terms.Reverse());
        while (stack.TryPop(out var term))
        {
            if (term == All)
                return All;
            switch (term.Kind)
            {
                case TermKind.Empty:
                    break;
                case TermKind.Alt:
                    foreach (var part in term.Parts)
                        stack.Push(part);
                    break;
                case TermKind.Chars:
                    set = set.Union(term.Set);
                    break;
                case TermKind.Words:
                    (words ??= []).Add(term);
                    break;
                default:
                    parts.Add(term);
                    break;
            }
        }

        if (!set.IsEmpty)
            parts.Add(Chars(set));
        if (words is not null)
            parts.Add(words.Count == 1 ? words[0] : Words(words.SelectMany(Rest)));
        Normalize(parts);
        if (parts.Count == 0)
            return Empty;
        if (parts.Count == 1)
            return parts[0];
        if (parts.Any(p => p.Kind == TermKind.Not && Array.BinarySearch([.. parts.Select(q => q.Id)], p.Parts[0].Id) >= 0))
            return All;
        return Intern(new Term(TermKind.Alt, [.. parts])
        {
            Nullable = parts.Any(p => p.Nullable),
            MayBeEmpty = parts.All(p => p.MayBeEmpty),
            HasMarks = parts.Any(p => p.HasMarks),
        });
    }

    /// <summary>Both of two.</summary>
    public Term And(Term a, Term b) => a == b || b == All ? a : a == All ? b : And([a, b]);

    /// <summary>All of them.</summary>
    public Term And(IEnumerable<Term> terms)
    {
        var parts = new List<Term>();
        CharSet? set = null;
        Term? words = null, length = null;
        var stack = new Stack<Term>(terms.Reverse());
        while (stack.TryPop(out var term))
        {
            if (term == Empty)
                return Empty;
            if (term == All)
                continue;
            switch (term.Kind)
            {
                case TermKind.And:
                    foreach (var part in term.Parts)
                        stack.Push(part);
                    break;
                case TermKind.Chars:
                    set = set is null ? term.Set : set.Intersect(term.Set);
                    break;
                case TermKind.Words when words is null:
                    words = term;
                    break;
                case TermKind.Repeat when term.Parts[0] == AnyChar:
                    length = length is null ? term : Repeat(AnyChar, Math.Max(length.Min, term.Min), Tighter(length.Max, term.Max));
                    if (length.Max >= 0 && length.Max < length.Min)
                        return Empty;
                    break;
                default:
                    parts.Add(term);
                    break;
            }
        }

        if (set is not null)
        {
            if (set.IsEmpty)
                return Empty;
            parts.Add(Chars(set));
        }

        if (length is not null)
            parts.Add(length);
        Normalize(parts);
        if (words is not null)
        {
            if (parts.Count == 0)
                return words;
            if (words.Max - words.Min <= MaxFilteredWords && !parts.Any(p => p.HasMarks))
                return Words(Rest(words).Where(w => parts.All(p => Matches(p, w))));
            parts.Add(words);
            Normalize(parts);
        }

        if (parts.Count == 0)
            return All;
        if (parts.Count == 1)
            return parts[0];
        if (parts.Contains(Epsilon))
            return parts.All(p => p.Nullable) ? Epsilon : Empty;
        if (parts.Any(p => p.Kind == TermKind.Not && parts.Contains(p.Parts[0])))
            return Empty;
        return Intern(new Term(TermKind.And, [.. parts])
        {
            Nullable = parts.All(p => p.Nullable),
            MayBeEmpty = true,
            HasMarks = parts.Any(p => p.HasMarks),
        });
    }

    /// <summary>Every text that is none of its own.</summary>
    public Term Not(Term term)
    {
        if (term == Empty)
            return All;
        if (term == All)
            return Empty;
        return term.Kind == TermKind.Not ? term.Parts[0]
            : Intern(new Term(TermKind.Not, [term]) { Nullable = !term.Nullable, MayBeEmpty = true, HasMarks = term.HasMarks });
    }

    /// <summary>What is of the first and not of the second.</summary>
    public Term Without(Term term, Term other) => And(term, Not(other));

    /// <summary>So many, one after another.</summary>
    /// <param name="term">One of them.</param>
    /// <param name="min">Fewest.</param>
    /// <param name="max">Most; -1 without a limit.</param>
    public Term Repeat(Term term, int min, int max)
    {
        if (term.Nullable)
            min = 0;
        if (max == 0 || term == Epsilon)
            return Epsilon;
        if (term == Empty)
            return min == 0 ? Epsilon : Empty;
        if (min == 1 && max == 1)
            return term;
        if (term.Kind == TermKind.Repeat && min == 0 && max == -1 && term.Max == -1 && term.Min <= 1)
            return Repeat(term.Parts[0], 0, -1);
        return Intern(new Term(TermKind.Repeat, [term], min: min, max: max)
        {
            Nullable = min == 0,
            MayBeEmpty = min > 0 && term.MayBeEmpty,
            HasMarks = term.HasMarks,
        });
    }

    /// <summary>What a machine accepts.</summary>
    public Term Machine(CharMachine machine) => Machine(machine, machine.Start);

    /// <summary>What may follow a character.</summary>
    public Term Derive(Term term, int c)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (term.Kind)
        {
            case TermKind.Empty or TermKind.Epsilon:
                return Empty;
            case TermKind.Chars:
                return term.Set.Contains(c) ? Epsilon : Empty;
            case TermKind.Words:
                return DeriveWords(term, c);
            case TermKind.Machine:
                var machine = (CharMachine)term.Source!;
                return Machine(machine, machine.Step(term.State, c));
        }

        if (_derived.TryGetValue((term.Id, c), out var known))
            return known;
        var result = term.Kind switch
        {
            TermKind.Concat => term.Parts[0].Nullable
                ? Alt(Concat(Derive(term.Parts[0], c), term.Parts[1]), Derive(term.Parts[1], c))
                : Concat(Derive(term.Parts[0], c), term.Parts[1]),
            TermKind.Alt => Alt(term.Parts.Select(p => Derive(p, c)).ToArray()),
            TermKind.And => DeriveAnd(term, c),
            TermKind.Not => Not(Derive(term.Parts[0], c)),
            _ => term == All ? c < CharSet.End ? All : Empty
                : Concat(Derive(term.Parts[0], c), Repeat(term.Parts[0], Math.Max(0, term.Min - 1), term.Max < 0 ? -1 : term.Max - 1)),
        };
        _derived[(term.Id, c)] = result;
        return result;
    }

    /// <summary>What may come before a character at the end: the texts w for which w and then the character belong to the term.</summary>
    public Term Before(Term term, int last)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return BeforeOf(term, last);
    }

    private Term BeforeOf(Term term, int last) => term.Kind switch
    {
        TermKind.Chars => term.Set.Contains(last) ? Epsilon : Empty,
        TermKind.Concat => Alt(
            Concat(term.Parts[0], Before(term.Parts[1], last)),
            term.Parts[1].Nullable ? Before(term.Parts[0], last) : Empty),
        TermKind.Alt => Alt(term.Parts.Select(p => Before(p, last)).ToArray()),
        TermKind.And => And(term.Parts.Select(p => Before(p, last)).ToArray()),
        TermKind.Not => Not(Before(term.Parts[0], last)),
        TermKind.Repeat => Concat(
            Repeat(term.Parts[0], Math.Max(0, term.Min - 1), term.Max < 0 ? -1 : term.Max - 1), Before(term.Parts[0], last)),
        _ => Empty,
    };

    /// <summary>The term without the marks that can no longer be read.</summary>
    public Term WithoutMarks(Term term)
    {
        if (!term.HasMarks)
            return term;
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return term.Kind switch
        {
            TermKind.Chars => Chars(term.Set.Intersect(CharSet.All)),
            TermKind.Concat => Concat(WithoutMarks(term.Parts[0]), WithoutMarks(term.Parts[1])),
            TermKind.Alt => Alt(term.Parts.Select(WithoutMarks).ToArray()),
            TermKind.And => And(term.Parts.Select(WithoutMarks).ToArray()),
            TermKind.Not => Not(WithoutMarks(term.Parts[0])),
            TermKind.Repeat => Repeat(WithoutMarks(term.Parts[0]), term.Min, term.Max),
            _ => term,
        };
    }

    /// <summary>Whether a text belongs to it.</summary>
    public bool Matches(Term term, ReadOnlySpan<int> text)
    {
        foreach (var c in text)
        {
            term = Derive(term, c);
            if (term == Empty)
                return false;
        }

        return term.Nullable;
    }

    private static int Tighter(int a, int b) => a < 0 ? b : b < 0 ? a : Math.Min(a, b);

    private static IEnumerable<int[]> Rest(Term words)
    {
        var list = ((WordList)words.Source!).Words;
        for (var i = words.Min; i < words.Max; i++)
            yield return list[i][(int)words.State..];
    }

    private static void Normalize(List<Term> parts)
    {
        parts.Sort(static (a, b) => a.Id.CompareTo(b.Id));
        for (var i = parts.Count - 1; i > 0; i--)
        {
            if (parts[i] == parts[i - 1])
                parts.RemoveAt(i);
        }
    }

    private Term DeriveAnd(Term term, int c)
    {
        var parts = new Term[term.Parts.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = Derive(term.Parts[i], c);
            if (parts[i] == Empty)
                return Empty;
        }

        return And(parts);
    }

    private Term Words(IEnumerable<int[]> words)
    {
        var list = new WordList(words);
        return Words(list, 0, list.Words.Length, 0);
    }

    /// <summary>The rests of words low to high, of which so many characters have been read.</summary>
    private Term Words(WordList list, int low, int high, int read)
    {
        if (low == high)
            return Empty;
        if (high == low + 1 && list.Words[low].Length == read)
            return Epsilon;
        return Intern(new Term(TermKind.Words, min: low, max: high, source: list, state: read) { Nullable = list.Words[low].Length == read });
    }

    private Term DeriveWords(Term term, int c)
    {
        var list = (WordList)term.Source!;
        var at = (int)term.State;
        var low = Bound(list, term, at, c);
        var high = low;
        if (low < term.Max && list.Words[low][at] == c)
            high = Bound(list, term, at, c + 1);
        return Words(list, low, high, at + 1);
    }

    /// <summary>The first word whose next character is at least c; the one that ends here comes before all.</summary>
    private static int Bound(WordList list, Term term, int at, int c)
    {
        var (low, high) = (term.Min, term.Max);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (list.Words[middle].Length <= at || list.Words[middle][at] < c)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private Term Machine(CharMachine machine, long state) =>
        state < 0 ? Empty : Intern(new Term(TermKind.Machine, source: machine, state: state) { Nullable = machine.Accepts(state), MayBeEmpty = true });

    private Term Intern(Term term)
    {
        if (_terms.TryGetValue(term, out var known))
            return known;
        term.Id = _terms.Count;
        _terms.Add(term, term);
        return term;
    }

    private sealed class Structure : IEqualityComparer<Term>
    {
        public static Structure Instance { get; } = new();

        public bool Equals(Term? x, Term? y) =>
            ReferenceEquals(x, y) || (x!.Kind == y!.Kind && x.Min == y.Min && x.Max == y.Max && x.State == y.State && ReferenceEquals(x.Source, y.Source)
                && x.Parts.AsSpan().SequenceEqual(y.Parts) && x.Set.Equals(y.Set));

        public int GetHashCode(Term term)
        {
            var hash = default(HashCode);
            hash.Add((int)term.Kind);
            hash.Add(term.Min);
            hash.Add(term.Max);
            hash.Add(term.State);
            hash.Add(term.Set.GetHashCode());
            foreach (var part in term.Parts)
                hash.Add(part.Id);
            return hash.ToHashCode();
        }
    }
}
