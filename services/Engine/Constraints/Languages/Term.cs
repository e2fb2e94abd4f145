namespace Slm.Engine.Constraints.Languages;

/// <summary>What a <see cref="Term"/> is made of.</summary>
internal enum TermKind
{
    /// <summary>No text at all.</summary>
    Empty,

    /// <summary>The empty text.</summary>
    Epsilon,

    /// <summary>One character of a set.</summary>
    Chars,

    /// <summary>A text of the first, then one of the second.</summary>
    Concat,

    /// <summary>A text of any of them.</summary>
    Alt,

    /// <summary>A text of all of them.</summary>
    And,

    /// <summary>A text that is none of it.</summary>
    Not,

    /// <summary>So many texts of it, one after another.</summary>
    Repeat,

    /// <summary>The rest of one of a list of words.</summary>
    Words,

    /// <summary>What a <see cref="CharMachine"/> accepts from a state on.</summary>
    Machine,
}

/// <summary>
/// A regular language over code points, closed under all Boolean operations: an expression whose derivative by a character is the language
/// of what may follow it (Brzozowski 1964). Terms come from a <see cref="TermPool"/>, which makes equal ones identical.
/// </summary>
internal sealed class Term
{
    internal Term(TermKind kind, Term[]? parts = null, CharSet? set = null, int min = 0, int max = 0, object? source = null, long state = 0)
    {
        Kind = kind;
        Parts = parts ?? [];
        Set = set ?? CharSet.None;
        Min = min;
        Max = max;
        Source = source;
        State = state;
    }

    /// <summary>Its number in the pool, in order of making.</summary>
    public int Id { get; internal set; }

    /// <summary>What it is made of.</summary>
    public TermKind Kind { get; }

    /// <summary>The terms it is made of.</summary>
    public Term[] Parts { get; }

    /// <summary>Of <see cref="TermKind.Chars"/>.</summary>
    public CharSet Set { get; }

    /// <summary>Fewest times of a repetition; first word of <see cref="TermKind.Words"/>.</summary>
    public int Min { get; }

    /// <summary>Most times of a repetition, -1 without a limit; end of the words.</summary>
    public int Max { get; }

    /// <summary>The word list or machine.</summary>
    public object? Source { get; }

    /// <summary>Characters of the words that have been read, or the machine's state.</summary>
    public long State { get; }

    /// <summary>Whether the empty text belongs to it.</summary>
    public bool Nullable { get; internal set; }

    /// <summary>Whether the term itself does not show that some text belongs to it: intersections, complements and machines.</summary>
    public bool MayBeEmpty { get; internal set; }

    /// <summary>Whether it has one of the marks of a text's ends in it.</summary>
    public bool HasMarks { get; internal set; }
}

/// <summary>A deterministic automaton over characters that is computed rather than stored.</summary>
internal abstract class CharMachine
{
    /// <summary>The characters that it tells apart; all others behave alike.</summary>
    public abstract IEnumerable<int> Alphabet { get; }

    /// <summary>Where it begins.</summary>
    public abstract long Start { get; }

    /// <summary>The next state; -1 if nothing can follow.</summary>
    public abstract long Step(long state, int codePoint);

    /// <summary>Whether the text may end here.</summary>
    public abstract bool Accepts(long state);
}

/// <summary>Words, sorted by code points, without repetition.</summary>
internal sealed class WordList
{
    /// <param name="words">As code points; sorted here.</param>
    public WordList(IEnumerable<int[]> words)
    {
        var sorted = words.ToList();
        sorted.Sort(static (a, b) => a.AsSpan().SequenceCompareTo(b));
        for (var i = sorted.Count - 1; i > 0; i--)
        {
            if (sorted[i].AsSpan().SequenceEqual(sorted[i - 1]))
                sorted.RemoveAt(i);
        }

        Words = [.. sorted];
    }

    /// <summary>The words.</summary>
    public int[][] Words { get; }

    /// <summary>The code points of a text.</summary>
    public static int[] CodePoints(string text)
    {
        var result = new List<int>(text.Length);
        foreach (var rune in text.EnumerateRunes())
            result.Add(rune.Value);
        return [.. result];
    }
}
