namespace Slm.Engine.Speculation;

/// <summary>Proposes what followed the last tokens where they stood before in prompt or answer.</summary>
internal static class PromptLookup
{
    /// <summary>Longest run of last tokens that is looked for.</summary>
    public const int LongestMatch = 5;

    /// <summary>Shortest run: fewer tokens repeat without meaning anything.</summary>
    public const int ShortestMatch = 2;

    /// <summary>Fills <paramref name="proposal"/> from the newest place where the longest run stood; returns how many tokens.</summary>
    public static int Propose(ReadOnlySpan<int> tokens, Span<int> proposal)
    {
        for (var length = Math.Min(LongestMatch, tokens.Length - 1); length >= ShortestMatch; length--)
        {
            var at = tokens[..^1].LastIndexOf(tokens[^length..]);
            if (at < 0)
                continue;

            // The continuation may run into the end of the text, which it then repeats.
            var next = at + length;
            var period = tokens.Length - next;
            for (var i = 0; i < proposal.Length; i++)
                proposal[i] = tokens[next + (i % period)];
            return proposal.Length;
        }

        return 0;
    }
}
