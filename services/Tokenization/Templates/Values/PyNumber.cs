using System.Globalization;

namespace Slm.Tokenization.Templates;

/// <summary>Python's numbers: bool counts as int, ints are 64-bit here and overflow is an error.</summary>
internal static class PyNumber
{
    public static bool IsNumber(object? value) => value is bool or long or double;

    public static double ToDouble(object? value) => value switch
    {
        bool b => b ? 1 : 0,
        long n => n,
        double d => d,
        _ => throw TemplateException.Evaluation($"must be a number, not {PyText.TypeName(value)}"),
    };

    /// <summary>An int where Python wants an index.</summary>
    public static long ToIndex(object? value) => value switch
    {
        bool b => b ? 1 : 0,
        long n => n,
        UndefinedValue undefined => throw undefined.Fail(),
        _ => throw TemplateException.Evaluation($"'{PyText.TypeName(value)}' object cannot be interpreted as an integer"),
    };

    /// <summary>Python's repr of a float: the shortest digits that read back, exponents from 1e16 and below 1e-4.</summary>
    public static string Repr(double value)
    {
        if (double.IsNaN(value)) return "nan";
        if (double.IsInfinity(value)) return value > 0 ? "inf" : "-inf";
        if (value == 0) return double.IsNegative(value) ? "-0.0" : "0.0";
        var scientific = value.ToString("E16", CultureInfo.InvariantCulture);
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        var sign = value < 0 ? "-" : "";
        var magnitude = shortest.TrimStart('-');
        var exponent = int.Parse(scientific.AsSpan(scientific.IndexOf('E') + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var e = magnitude.IndexOf('E', StringComparison.Ordinal);
        var mantissa = e < 0 ? magnitude : magnitude[..e];
        var digits = mantissa.Replace(".", "", StringComparison.Ordinal).TrimStart('0').TrimEnd('0');
        if (digits.Length == 0) digits = "0";
        if (e >= 0) exponent = int.Parse(magnitude.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (exponent is < -4 or >= 16)
        {
            var fraction = digits.Length > 1 ? "." + digits[1..] : "";
            return string.Create(CultureInfo.InvariantCulture, $"{sign}{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
        }
        if (exponent < 0) return sign + "0." + new string('0', -exponent - 1) + digits;
        return digits.Length <= exponent + 1
            ? sign + digits.PadRight(exponent + 1, '0') + ".0"
            : sign + digits[..(exponent + 1)] + "." + digits[(exponent + 1)..];
    }

    public static object Negate(object? value) => value switch
    {
        bool b => (object)(b ? -1L : 0L),
        long n => n == long.MinValue ? throw Overflow() : -n,
        double d => -d,
        UndefinedValue undefined => throw undefined.Fail(),
        _ => throw TemplateException.Evaluation($"bad operand type for unary -: '{PyText.TypeName(value)}'"),
    };

    public static object Plus(object? value) => value switch
    {
        bool b => b ? 1L : 0L,
        long or double => value,
        UndefinedValue undefined => throw undefined.Fail(),
        _ => throw TemplateException.Evaluation($"bad operand type for unary +: '{PyText.TypeName(value)}'"),
    };

    /// <summary>Both operands are numbers.</summary>
    public static object Arithmetic(string op, object? left, object? right)
    {
        if (left is double || right is double || op == "/") return Real(op, ToDouble(left), ToDouble(right));
        var (a, b) = (ToIndex(left), ToIndex(right));
        try
        {
            return op switch
            {
                "+" => checked(a + b),
                "-" => checked(a - b),
                "*" => checked(a * b),
                "//" => b == 0 ? throw ZeroDivision() : FloorDivide(a, b),
                "%" => b == 0 ? throw ZeroDivision() : b == -1 ? 0L : ((a % b) + b) % b,
                "**" => Power(a, b),
                _ => throw TemplateException.Evaluation($"unknown operator {op}"),
            };
        }
        catch (OverflowException)
        {
            throw Overflow();
        }
    }

    private static long FloorDivide(long a, long b)
    {
        if (b == -1) return checked(-a);
        var quotient = a / b;
        return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
    }

    private static object Power(long a, long b)
    {
        if (b < 0) return a == 0 ? throw ZeroDivision() : Math.Pow(a, b);
        if (a is 0 or 1) return b == 0 ? 1L : a;
        if (a == -1) return b % 2 == 0 ? 1L : -1L;
        if (b > 63) throw Overflow();
        var result = 1L;
        for (var i = 0; i < b; i++) result = checked(result * a);
        return result;
    }

    private static double Real(string op, double a, double b) => op switch
    {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => b == 0 ? throw ZeroDivision() : a / b,
        "//" => b == 0 ? throw ZeroDivision() : Math.Floor(a / b),
        "%" => b == 0 ? throw ZeroDivision() : FloatModulo(a, b),
        "**" => Math.Pow(a, b),
        _ => throw TemplateException.Evaluation($"unknown operator {op}"),
    };

    private static double FloatModulo(double a, double b)
    {
        var rest = a % b;
        return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }

    /// <summary>Python's int(text, base); false if the text is none.</summary>
    public static bool TryParseInt(string text, int radix, out long value)
    {
        value = 0;
        var s = PyText.TrimStart(PyText.TrimEnd(text));
        var negative = s.StartsWith('-');
        if (negative || s.StartsWith('+')) s = s[1..];
        var prefix = radix switch { 16 => "0x", 8 => "0o", 2 => "0b", _ => "" };
        if (prefix.Length > 0 && s.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)) s = s[2..];
        if (s.Length == 0 || s[0] == '_' || s[^1] == '_' || s.Contains("__", StringComparison.Ordinal)) return false;
        foreach (var c in s)
        {
            if (c == '_') continue;
            var digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10 : 99;
            if (digit >= radix) return false;
            try
            {
                value = checked((value * radix) + digit);
            }
            catch (OverflowException)
            {
                throw Overflow();
            }
        }
        if (negative) value = -value;
        return true;
    }

    /// <summary>Python's float(text); false if the text is none.</summary>
    public static bool TryParseFloat(string text, out double value)
    {
        var s = PyText.TrimStart(PyText.TrimEnd(text)).Replace("_", "", StringComparison.Ordinal);
        if (double.TryParse(s, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
            CultureInfo.InvariantCulture, out value))
        {
            return true;
        }
        (var ok, value) = s.TrimStart('+').ToLowerInvariant() switch
        {
            "inf" or "infinity" => (true, double.PositiveInfinity),
            "-inf" or "-infinity" => (true, double.NegativeInfinity),
            "nan" or "-nan" => (true, double.NaN),
            _ => (false, 0.0),
        };
        return ok;
    }

    /// <summary>Truncates towards zero, as Python's int(float).</summary>
    public static long Truncate(double value)
    {
        if (double.IsNaN(value)) throw TemplateException.Evaluation("cannot convert float NaN to integer");
        if (Math.Abs(value) >= 9.2233720368547758e18) throw Overflow();
        return (long)value;
    }

    public static TemplateException Overflow() => TemplateException.Evaluation("an integer does not fit 64 bits");

    private static TemplateException ZeroDivision() => TemplateException.Evaluation("division by zero");
}
