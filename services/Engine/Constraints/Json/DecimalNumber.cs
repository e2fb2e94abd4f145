using System.Globalization;
using System.Numerics;

namespace Slm.Engine.Constraints.Json;

/// <summary>A number of a JSON text, exactly: mantissa / 10^scale, with the least scale, at least 0.</summary>
internal readonly record struct DecimalNumber(BigInteger Mantissa, int Scale)
{
    private const int MaxExponent = 400;

    /// <summary>Whether it has no fraction.</summary>
    public bool IsInteger => Scale == 0;

    /// <summary>Digits before the point, without sign: "0" for fractions.</summary>
    public string IntegerDigits => BigInteger.Divide(BigInteger.Abs(Mantissa), BigInteger.Pow(10, Scale)).ToString(CultureInfo.InvariantCulture);

    /// <summary>Digits behind the point, none for integers.</summary>
    public string FractionDigits => Scale == 0 ? ""
        : BigInteger.Remainder(BigInteger.Abs(Mantissa), BigInteger.Pow(10, Scale)).ToString(CultureInfo.InvariantCulture).PadLeft(Scale, '0');

    /// <summary>Reads a JSON number; false if its exponent is beyond 400 either way.</summary>
    public static bool TryParse(string text, out DecimalNumber number)
    {
        number = default;
        var e = text.AsSpan().IndexOfAny('e', 'E');
        var exponent = 0;
        if (e >= 0 && (!int.TryParse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent) || Math.Abs(exponent) > MaxExponent))
            return false;
        var digits = e >= 0 ? text[..e] : text;
        var point = digits.IndexOf('.');
        var scale = point >= 0 ? digits.Length - point - 1 : 0;
        var mantissa = BigInteger.Parse(point >= 0 ? digits.Remove(point, 1) : digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        scale -= exponent;
        if (scale < 0)
        {
            mantissa *= BigInteger.Pow(10, -scale);
            scale = 0;
        }

        while (scale > 0 && (mantissa % 10).IsZero)
        {
            mantissa /= 10;
            scale--;
        }

        number = new DecimalNumber(mantissa, mantissa.IsZero ? 0 : scale);
        return true;
    }
}
