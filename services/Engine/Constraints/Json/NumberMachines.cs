using System.Numerics;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>Texts of plain decimal numbers on one side of a bound. The text itself must be a number already: <see cref="NumberLanguage.Plain"/>.</summary>
/// <remarks>
/// State: bit 0-1 relation of the digits so far to the bound's (0 equal, 1 less, 2 greater), bit 2 minus sign, bit 3 in the fraction, bit 4 a digit
/// other than 0 seen, bits 8.. digits read of the part at hand.
/// </remarks>
internal sealed class BoundMachine(DecimalNumber bound, bool atLeast, bool exclusive) : CharMachine
{
    private const int Equal = 0, Less = 1, Greater = 2, Minus = 4, Fraction = 8, NonZero = 16, Count = 256;
    private readonly string _integer = bound.IntegerDigits;
    private readonly string _fraction = bound.FractionDigits;

    public override IEnumerable<int> Alphabet => NumberLanguage.Characters;

    public override long Start => 0;

    public override long Step(long state, int codePoint)
    {
        var relation = state & 3;
        var read = state / Count;
        var flags = state & (Minus | Fraction | NonZero);
        switch (codePoint)
        {
            case '-' when state == 0:
                return Minus;
            case '.' when (flags & Fraction) == 0 && read > 0:
                return Pack(AfterInteger(relation, read), flags | Fraction, 0);
            case >= '0' and <= '9':
                if (codePoint != '0')
                    flags |= NonZero;
                if ((flags & Fraction) == 0)
                {
                    if (read < _integer.Length)
                        return Pack(relation == Equal ? Compare(codePoint, _integer[(int)read]) : relation, flags, read + 1);
                    return Pack(Greater, flags, _integer.Length + 1);
                }

                if (relation != Equal)
                    return Pack(relation, flags, 0);
                return read < _fraction.Length ? Pack(Compare(codePoint, _fraction[(int)read]), flags, read + 1)
                    : Pack(codePoint == '0' ? Equal : Greater, flags, read);
            default:
                return -1;
        }
    }

    public override bool Accepts(long state)
    {
        var read = state / Count;
        var inFraction = (state & Fraction) != 0;
        if (!inFraction && read == 0)
            return false;
        var magnitude = inFraction ? ((state & 3) == Equal && read < _fraction.Length ? Less : state & 3) : EndOfInteger(state & 3, read);
        var negative = (state & Minus) != 0 && (state & NonZero) != 0;
        var order = bound.Mantissa.Sign < 0
            ? (negative ? -Sign(magnitude) : 1)
            : negative ? -1 : bound.Mantissa.IsZero ? ((state & NonZero) != 0 ? 1 : 0) : Sign(magnitude);
        return order == 0 ? !exclusive : order > 0 == atLeast;
    }

    private static long Pack(long relation, long flags, long read) => relation | flags | (read * Count);

    private static int Compare(int digit, char other) => digit < other ? Less : digit > other ? Greater : Equal;

    private static int Sign(long relation) => relation == Less ? -1 : relation == Greater ? 1 : 0;

    private long AfterInteger(long relation, long read) => read < _integer.Length ? Less : read > _integer.Length ? Greater : relation;

    private long EndOfInteger(long relation, long read)
    {
        var result = AfterInteger(relation, read);
        return result == Equal && _fraction.Length > 0 ? Less : result;
    }
}

/// <summary>Texts of plain decimal numbers that are multiples of one.</summary>
/// <remarks>State: remainder of the digits so far, times <see cref="Stride"/>, plus 0 before any digit, 1 in the integer, 2 + digits of the fraction.</remarks>
internal sealed class MultipleMachine : CharMachine
{
    private const int Stride = 512;
    private readonly long _modulus;
    private readonly int _scale;

    /// <param name="factor">Above 0.</param>
    public MultipleMachine(DecimalNumber factor)
    {
        _modulus = (long)factor.Mantissa;
        _scale = factor.Scale;
    }

    /// <summary>Largest mantissa: the automaton has about as many states.</summary>
    public static BigInteger MaxMantissa => 20_000;

    public override IEnumerable<int> Alphabet => NumberLanguage.Characters;

    public override long Start => 0;

    public override long Step(long state, int codePoint)
    {
        var (remainder, phase) = (state / Stride, state % Stride);
        switch (codePoint)
        {
            case '-' when phase == 0:
                return state;
            case '.' when phase == 1:
                return (remainder * Stride) + 2;
            case >= '0' and <= '9':
                if (phase >= 2 + _scale)
                    return codePoint == '0' ? state : -1;
                return (((remainder * 10) + codePoint - '0') % _modulus * Stride) + (phase < 2 ? 1 : phase + 1);
            default:
                return -1;
        }
    }

    public override bool Accepts(long state)
    {
        var (remainder, phase) = (state / Stride, state % Stride);
        if (phase is 0)
            return false;
        for (var digits = phase == 1 ? 0 : phase - 2; digits < _scale && remainder != 0; digits++)
            remainder = remainder * 10 % _modulus;
        return remainder == 0;
    }
}
