using Slm.Tokenization.Text;

namespace Slm.Tokenization.PreTokenizers;

/// <summary>What becomes of the text a split pattern matches.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Cuts a piece at matches.</summary>
internal static class MatchSplitter
{
    /// <summary>Appends the parts of <paramref name="piece"/> to <paramref name="output"/>; match positions are relative to the piece.</summary>
    /// <param name="invert">Treats the text between matches as the matches.</param>
    public static void Split(TextPiece piece, List<(int Start, int End)> matches, SplitBehavior behavior, bool invert, List<TextPiece> output)
    {
        var parts = new List<(int Start, int End, bool IsMatch)>(matches.Count * 2 + 1);
        var at = 0;
        foreach (var (start, end) in matches)
        {
            if (start > at)
                parts.Add((at, start, invert));
            parts.Add((start, end, !invert));
            at = end;
        }

        if (at < piece.Length)
            parts.Add((at, piece.Length, invert));

        switch (behavior)
        {
            case SplitBehavior.Removed: parts.RemoveAll(static p => p.IsMatch); break;
            case SplitBehavior.Contiguous: Merge(parts, static (a, b) => a.IsMatch == b.IsMatch); break;
            case SplitBehavior.MergedWithPrevious: Merge(parts, static (a, b) => b.IsMatch && !a.IsMatch); break;
            case SplitBehavior.MergedWithNext: MergeWithNext(parts); break;
            default: break;
        }

        foreach (var (start, end, _) in parts)
            output.Add(new TextPiece(piece.Buffer, piece.From + start, piece.From + end));
    }

    private static void Merge(List<(int Start, int End, bool IsMatch)> parts, Func<(int, int, bool IsMatch), (int, int, bool IsMatch), bool> joins)
    {
        var n = 0;
        for (var i = 0; i < parts.Count; i++)
        {
            if (n > 0 && joins(parts[n - 1], parts[i]))
                parts[n - 1] = (parts[n - 1].Start, parts[i].End, parts[i].IsMatch);
            else
                parts[n++] = parts[i];
        }

        parts.RemoveRange(n, parts.Count - n);
    }

    // From the end: a match joins what follows it, unless that is a match (or has just been joined by one).
    private static void MergeWithNext(List<(int Start, int End, bool IsMatch)> parts)
    {
        var n = parts.Count;
        for (var i = parts.Count - 1; i >= 0; i--)
        {
            if (n < parts.Count && parts[i].IsMatch && !parts[n].IsMatch)
                parts[n] = (parts[i].Start, parts[n].End, true);
            else
                parts[--n] = parts[i];
        }

        parts.RemoveRange(0, n);
    }
}
