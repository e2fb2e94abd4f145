namespace Slm.Engine.Speculation;

/// <summary>
/// Proposes from tokens that somebody else expects of the answer, such as a smaller model's answer to the same prompt. While the
/// answer keeps to them they follow; where it has left them, they follow again behind the place where its last tokens stand.
/// </summary>
internal static class GivenDraft
{
    /// <summary>Longest run of last tokens that is looked for.</summary>
    private const int LongestMatch = 8;

    /// <summary>Shortest run that shows where an answer that has left the draft is in it.</summary>
    private const int ShortestMatch = 2;

    /// <summary>Fills <paramref name="proposal"/>; returns how many tokens.</summary>
    /// <param name="draft">What is expected.</param>
    /// <param name="answer">The answer so far.</param>
    /// <param name="proposal">Room for what is proposed to follow.</param>
    public static int Propose(ReadOnlySpan<int> draft, ReadOnlySpan<int> answer, Span<int> proposal)
    {
        var at = Next(draft, answer);
        var count = Math.Min(proposal.Length, draft.Length - at);
        draft.Slice(at, count).CopyTo(proposal);
        return count;
    }

    /// <summary>Where the draft goes on behind the answer; its end if that is not known.</summary>
    private static int Next(ReadOnlySpan<int> draft, ReadOnlySpan<int> answer)
    {
        if (draft.StartsWith(answer))
            return answer.Length;
        for (var length = Math.Min(LongestMatch, answer.Length); length >= ShortestMatch; length--)
        {
            var run = answer[^length..];
            // A draft with one token wrong is still in step.
            if (answer.Length <= draft.Length && draft[..answer.Length].EndsWith(run))
                return answer.Length;
            var found = draft.IndexOf(run);
            if (found >= 0)
                return found + length;
        }

        return draft.Length;
    }
}
