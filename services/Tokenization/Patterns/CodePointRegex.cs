namespace Slm.Tokenization.Patterns;

/// <summary>
/// Regular expressions over code points, in the syntax of the engines tokenizer files are written for (Oniguruma,
/// Rust): classes with \p{…}, nesting and intersection, greedy, lazy and possessive repetition, lookaround, (?i:…).
/// Backtracking is bounded: a hostile pattern or text ends in an exception, never in a hang or a stack overflow.
/// </summary>
internal sealed class CodePointRegex
{
    private readonly RegexNode _root;
    private readonly int _loops;

    public CodePointRegex(string pattern)
    {
        Pattern = pattern;
        (_root, _loops) = new RegexParser(pattern).Parse();
    }

    public string Pattern { get; }

    /// <summary>A pattern that matches exactly the given text.</summary>
    public static string Escape(string literal) =>
        string.Concat(literal.Select(c => "\\^$.|?*+()[]{}&-~#".Contains(c, StringComparison.Ordinal) ? $"\\{c}" : $"{c}"));

    /// <summary>All matches from left to right, without overlap, as [start, end). Empty matches are left out.</summary>
    public List<(int Start, int End)> Matches(ReadOnlySpan<int> text)
    {
        var matches = new List<(int, int)>();
        Span<LoopFrame> loops = _loops <= 16 ? stackalloc LoopFrame[_loops] : new LoopFrame[_loops];
        var state = new MatchState(text, loops, 20_000_000 + (1000L * text.Length));
        for (var at = 0; at < text.Length;)
        {
            var end = _root.Match(ref state, at);
            if (end > at)
            {
                matches.Add((at, end));
                at = end;
            }
            else
            {
                state.Spend(1);
                at++;
            }
        }

        return matches;
    }
}
