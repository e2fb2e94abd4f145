using System.Runtime.CompilerServices;
namespace Slm.Engine.Constraints.Languages;

/// <summary>The languages of regular expressions.</summary>
/// <remarks>
/// The text is read with a mark before and one behind it, which anchors match and other parts of the expression do not. Deriving by
/// the first and dividing by the last leaves the language over plain texts. A lookahead is an intersection with all that follows.
/// </remarks>
internal static class RegexLanguage
{
    private const int StartMark = CharSet.End;
    private const int EndMark = CharSet.End + 1;
    private const int MaxAnchors = 3;
    private static readonly CharSet Marked = CharSet.Of([(0, 0xD7FF), (0xE000, EndMark)]);

    /// <summary>Texts in which the pattern matches somewhere, as JSON Schema's "pattern" means it.</summary>
    /// <exception cref="ConstraintException">The pattern is malformed or not supported.</exception>
    public static Term Search(TermPool pool, string pattern)
    {
        var anything = pool.Repeat(pool.Chars(Marked), 0, -1);
        return Unmark(pool, pool.Concat(anything, Build(pool, RegexSyntax.Parse(pattern), anything)));
    }

    /// <summary>Texts that the pattern matches from beginning to end.</summary>
    /// <exception cref="ConstraintException">The pattern is malformed or not supported.</exception>
    public static Term Whole(TermPool pool, string pattern)
    {
        var edge = pool.Chars(CharSet.Of(EndMark));
        var start = pool.Chars(CharSet.Of(StartMark));

        // An anchor inside takes the mark for itself, so that both are optional around.
        return Unmark(pool, pool.Concat(pool.Optional(start), Build(pool, RegexSyntax.Parse(pattern), pool.Optional(edge))));
    }

    /// <summary>The texts that match with marks around them; as many as the expression has anchors at one place.</summary>
    private static Term Unmark(TermPool pool, Term term)
    {
        var starts = pool.Empty;
        for (var i = 0; i < MaxAnchors && term != pool.Empty; i++)
            starts = pool.Alt(starts, term = pool.Derive(term, StartMark));
        var result = pool.Empty;
        for (var i = 0; i < MaxAnchors && starts != pool.Empty; i++)
            result = pool.Alt(result, pool.WithoutMarks(starts = pool.Before(starts, EndMark)));
        return result;
    }

    /// <summary>The expression, then what follows.</summary>
    private static Term Build(TermPool pool, RegexNode node, Term rest)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (node)
        {
            case RegexNode.Set set:
                return pool.Concat(pool.Chars(set.Members), rest);
            case RegexNode.Anchor anchor:
                return pool.Concat(pool.Chars(CharSet.Of(anchor.End ? EndMark : StartMark)), rest);
            case RegexNode.Sequence sequence:
                for (var i = sequence.Parts.Count - 1; i >= 0; i--)
                    rest = Build(pool, sequence.Parts[i], rest);
                return rest;
            case RegexNode.Choice choice when !HasLook(choice):
                return pool.Concat(pool.Alt(choice.Parts.Select(p => Build(pool, p, pool.Epsilon)).ToArray()), rest);
            case RegexNode.Choice choice:
                return pool.Alt(choice.Parts.Select(p => Build(pool, p, rest)).ToArray());
            case RegexNode.Loop loop when !HasLook(loop):
                return pool.Concat(pool.Repeat(Build(pool, loop.Body, pool.Epsilon), loop.Min, loop.Max), rest);
            case RegexNode.Loop { Min: 0, Max: 1 } optional:
                return pool.Alt(Build(pool, optional.Body, rest), rest);
            case RegexNode.Look look:
                var anything = pool.Repeat(pool.Chars(Marked), 0, -1);
                var ahead = Build(pool, look.Body, anything);
                return pool.And(look.Negative ? pool.Not(ahead) : ahead, rest);
            default:
                throw new ConstraintException("", "pattern", "A lookahead inside a repetition is not supported.");
        }
    }

    private static bool HasLook(RegexNode node) => node switch
    {
        RegexNode.Look => true,
        RegexNode.Sequence sequence => sequence.Parts.Any(HasLook),
        RegexNode.Choice choice => choice.Parts.Any(HasLook),
        RegexNode.Loop loop => HasLook(loop.Body),
        _ => false,
    };
}
