using System.Globalization;
using System.Numerics;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>
/// The texts of JSON numbers as languages. Exponents are offered only where a number is not restricted at all: with bounds, enough digits
/// and a suitable exponent make nearly any beginning the beginning of a valid number.
/// </summary>
internal sealed class NumberLanguage
{
    /// <summary>What plain numbers are written with.</summary>
    internal static readonly int[] Characters = [.. "-.0123456789".Select(c => (int)c)];

    private readonly TermPool _pool;
    private readonly bool _plainIntegers;

    public NumberLanguage(TermPool pool, bool plainIntegers)
    {
        _pool = pool;
        _plainIntegers = plainIntegers;
        Any = RegexLanguage.Whole(pool, @"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?");
        Distinct = RegexLanguage.Whole(pool, @"0|-?([1-9][0-9]*(\.[0-9]*[1-9])?|0\.[0-9]*[1-9])");
        Plain = plainIntegers ? Distinct : RegexLanguage.Whole(pool, @"-?(0|[1-9][0-9]*)(\.[0-9]+)?");
        Integer = RegexLanguage.Whole(pool, plainIntegers ? "0|-?[1-9][0-9]*" : @"-?(0|[1-9][0-9]*)(\.0+)?");
    }

    /// <summary>Every number.</summary>
    public Term Any { get; }

    /// <summary>Every number without an exponent; with plain integers in just one way, so that a value has no other spelling outside of a language.</summary>
    public Term Plain { get; }

    /// <summary>Every number that has a finite plain spelling, in just one way: as many texts as values.</summary>
    public Term Distinct { get; }

    /// <summary>Every integer, without an exponent.</summary>
    public Term Integer { get; }

    /// <summary>Numbers at least (or above) a bound.</summary>
    public Term AtLeast(DecimalNumber bound, bool exclusive) => _pool.And(Plain, _pool.Machine(new BoundMachine(bound, atLeast: true, exclusive)));

    /// <summary>Numbers at most (or below) a bound.</summary>
    public Term AtMost(DecimalNumber bound, bool exclusive) => _pool.And(Plain, _pool.Machine(new BoundMachine(bound, atLeast: false, exclusive)));

    /// <summary>Multiples.</summary>
    public Term MultipleOf(DecimalNumber factor) => factor is { Scale: 0, Mantissa.IsOne: true } ? Integer : _pool.And(Plain, _pool.Machine(new MultipleMachine(factor)));

    /// <summary>Every way to write one of these numbers without an exponent.</summary>
    public Term Values(IReadOnlyList<DecimalNumber> values)
    {
        var terms = new List<Term>();
        foreach (var group in values.Distinct().GroupBy(v => v.IsInteger))
        {
            var texts = group.SelectMany(v => v.Mantissa.IsZero ? _plainIntegers ? ["0"] : ["0", "-0"] : (IEnumerable<string>)[Text(v)]);
            var tail = _plainIntegers ? "" : group.Key ? @"(\.0+)?" : "0*";
            terms.Add(_pool.Concat(_pool.Words(texts), RegexLanguage.Whole(_pool, tail)));
        }

        return _pool.Alt(terms);
    }

    /// <summary>Numbers of both.</summary>
    public Term And(Term a, Term b) => a == Any ? b : b == Any ? a : _pool.And(a, b);

    /// <summary>Numbers of either.</summary>
    public Term Or(Term a, Term b) => a == Any || b == Any ? Any : _pool.Alt(a, b);

    /// <summary>Numbers that are none of it, without exponents.</summary>
    public Term Not(Term a) => a == Any ? _pool.Empty : a == _pool.Empty ? Any : a.Kind == TermKind.And && a.Parts.Length == 2 && a.Parts.Contains(Plain)
        && a.Parts.FirstOrDefault(p => p.Kind == TermKind.Not) is { } inner ? inner.Parts[0] : _pool.And(Plain, _pool.Not(a));

    private static string Text(DecimalNumber value) => (value.Mantissa.Sign < 0 ? "-" : "") + value.IntegerDigits + (value.IsInteger ? "" : "." + value.FractionDigits);
}
