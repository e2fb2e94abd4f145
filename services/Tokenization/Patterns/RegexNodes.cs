using System.Runtime.CompilerServices;

namespace Slm.Tokenization.Patterns;

/// <summary>One attempt to match: the text, and how much backtracking is still allowed.</summary>
internal ref struct MatchState(ReadOnlySpan<int> text, Span<LoopFrame> loops, long budget)
{
    public ReadOnlySpan<int> Text = text;

    /// <summary>The repetition each group loop is in.</summary>
    public Span<LoopFrame> Loops = loops;

    public long Budget = budget;

    public void Spend(int steps)
    {
        Budget -= steps;
        if (Budget < 0)
            throw new TokenizerFormatException("a split pattern backtracks without bound on this text");
    }
}

/// <summary>Repetitions done, and where the current one began.</summary>
internal readonly record struct LoopFrame(int Done, int At);

/// <summary>A node of a compiled pattern: matches itself at a position, then what follows it. Returns the end of the whole match, or -1.</summary>
internal abstract class RegexNode
{
    public RegexNode? Next { get; set; }

    public abstract int Match(ref MatchState state, int at);

    /// <summary>Goes on with the rest of the pattern.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected int Continue(ref MatchState state, int at) => Next is null ? at : Next.Match(ref state, at);
}

internal sealed class ClassNode(CharClass set) : RegexNode
{
    public CharClass Set => set;

    public override int Match(ref MatchState state, int at) =>
        at < state.Text.Length && set.Contains(state.Text[at]) ? Continue(ref state, at + 1) : -1;
}

/// <summary>A repeated single code point: no recursion per repetition.</summary>
internal sealed class ClassLoopNode(CharClass set, int min, int max, LoopKind kind) : RegexNode
{
    public override int Match(ref MatchState state, int at)
    {
        var text = state.Text;
        var limit = (int)Math.Min(text.Length, (long)at + max);
        if (kind == LoopKind.Lazy)
        {
            for (var end = at; ; end++)
            {
                if (end - at >= min)
                {
                    state.Spend(1);
                    var r = Continue(ref state, end);
                    if (r >= 0)
                        return r;
                }

                if (end >= limit || !set.Contains(text[end]))
                    return -1;
            }
        }

        var stop = at;
        while (stop < limit && set.Contains(text[stop]))
            stop++;
        state.Spend(stop - at);
        if (stop - at < min)
            return -1;
        if (Next is null)
            return stop;
        if (kind == LoopKind.Possessive)
            return Continue(ref state, stop);
        for (var end = stop; end >= at + min; end--)
        {
            state.Spend(1);
            var r = Continue(ref state, end);
            if (r >= 0)
                return r;
        }

        return -1;
    }
}

internal enum LoopKind
{
    Greedy,
    Lazy,
    Possessive,
}

/// <summary>Joins what follows an alternation or a group.</summary>
internal sealed class EmptyNode : RegexNode
{
    public override int Match(ref MatchState state, int at) => Continue(ref state, at);
}

/// <summary>Ends a sub-pattern that is matched on its own (lookaround, atomic group).</summary>
internal sealed class AcceptNode : RegexNode
{
    public override int Match(ref MatchState state, int at) => at;
}

internal sealed class AlternationNode(RegexNode[] branches) : RegexNode
{
    public override int Match(ref MatchState state, int at)
    {
        foreach (var branch in branches)
        {
            state.Spend(1);
            var r = branch.Match(ref state, at);
            if (r >= 0)
                return r;
        }

        return -1;
    }
}

/// <summary>A repeated group. Every repetition is a call, so the depth is bounded and said so when exceeded.</summary>
internal sealed class GroupLoopNode(int index, int min, int max, LoopKind kind) : RegexNode
{
    /// <summary>The body; its tail is a <see cref="GroupLoopEndNode"/> of this loop.</summary>
    public RegexNode Body { get; set; } = null!;

    public override int Match(ref MatchState state, int at)
    {
        var outer = state.Loops[index];
        var r = Repeat(ref state, at, 0, -1);
        state.Loops[index] = outer;
        return r;
    }

    public int End(ref MatchState state, int at)
    {
        var frame = state.Loops[index];
        var r = Repeat(ref state, at, frame.Done, frame.At);
        state.Loops[index] = frame;
        return r;
    }

    private int Repeat(ref MatchState state, int at, int done, int last)
    {
        state.Spend(1);
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new TokenizerFormatException("a split pattern repeats a group too many times on this text");
        if (at == last && done > min)
            return -1;
        if (done < min)
            return Again(ref state, at, done);
        if (kind == LoopKind.Lazy)
        {
            var lazy = Continue(ref state, at);
            return lazy >= 0 || done >= max ? lazy : Again(ref state, at, done);
        }

        var r = done < max ? Again(ref state, at, done) : -1;
        return r >= 0 ? r : Continue(ref state, at);
    }

    private int Again(ref MatchState state, int at, int done)
    {
        state.Loops[index] = new LoopFrame(done + 1, at);
        return Body.Match(ref state, at);
    }
}

internal sealed class GroupLoopEndNode(GroupLoopNode loop) : RegexNode
{
    public override int Match(ref MatchState state, int at) => loop.End(ref state, at);
}

/// <summary>A sub-pattern matched once, without giving anything back.</summary>
internal sealed class AtomicNode(RegexNode body) : RegexNode
{
    public override int Match(ref MatchState state, int at)
    {
        var end = body.Match(ref state, at);
        return end < 0 ? -1 : Continue(ref state, end);
    }
}

internal sealed class LookaheadNode(RegexNode body, bool negative) : RegexNode
{
    public override int Match(ref MatchState state, int at) =>
        body.Match(ref state, at) >= 0 == negative ? -1 : Continue(ref state, at);
}

/// <summary>A lookbehind over a fixed number of code points.</summary>
internal sealed class LookbehindNode(RegexNode body, int width, bool negative) : RegexNode
{
    public override int Match(ref MatchState state, int at)
    {
        var found = at >= width && body.Match(ref state, at - width) == at;
        return found == negative ? -1 : Continue(ref state, at);
    }
}

internal sealed class AnchorNode(AnchorKind kind) : RegexNode
{
    public override int Match(ref MatchState state, int at)
    {
        var text = state.Text;
        var ok = kind switch
        {
            AnchorKind.TextStart => at == 0,
            AnchorKind.TextEnd => at == text.Length,
            AnchorKind.LineStart => at == 0 || text[at - 1] == '\n',
            AnchorKind.LineEnd => at == text.Length || text[at] == '\n',
            AnchorKind.TextEndOrFinalNewline => at == text.Length || (at == text.Length - 1 && text[at] == '\n'),
            _ => (at > 0 && CharClass.IsWord(text[at - 1])) != (at < text.Length && CharClass.IsWord(text[at])) == (kind == AnchorKind.WordBoundary),
        };
        return ok ? Continue(ref state, at) : -1;
    }
}

internal enum AnchorKind
{
    TextStart,
    TextEnd,
    TextEndOrFinalNewline,
    LineStart,
    LineEnd,
    WordBoundary,
    NotWordBoundary,
}
