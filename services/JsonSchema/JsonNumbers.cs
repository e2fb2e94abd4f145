using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Slm.JsonSchema;

/// <summary>A JSON number as digits times a power of ten, so that comparing and dividing are exact.</summary>
internal readonly record struct JsonNumbers(BigInteger Digits, int Exponent)
{
    /// <summary>Powers of ten beyond this are compared by their size alone.</summary>
    private const int MostDigits = 5000;

    public static JsonNumbers Of(JsonElement element)
    {
        var text = element.GetRawText();
        var mark = text.IndexOfAny(['e', 'E']);
        var exponent = 0;
        if (mark >= 0)
        {
            exponent = int.TryParse(text.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var e) ? Math.Clamp(e, -MostDigits, MostDigits)
                : text[mark + 1] == '-' ? -MostDigits : MostDigits;
            text = text[..mark];
        }

        var point = text.IndexOf('.', StringComparison.Ordinal);
        if (point >= 0)
        {
            exponent -= text.Length - point - 1;
            text = text.Remove(point, 1);
        }

        var digits = BigInteger.Parse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (digits.IsZero)
            return new(0, 0);
        while (!digits.IsZero && (digits % 10).IsZero)
        {
            digits /= 10;
            exponent++;
        }

        return new(digits, exponent);
    }

    public bool IsInteger => Exponent >= 0;

    public int CompareTo(JsonNumbers other)
    {
        var shared = Math.Min(Exponent, other.Exponent);
        return At(shared).CompareTo(other.At(shared));
    }

    public bool IsMultipleOf(JsonNumbers unit)
    {
        var shared = Math.Min(Exponent, unit.Exponent);
        return (At(shared) % unit.At(shared)).IsZero;
    }

    private BigInteger At(int exponent) => Digits * BigInteger.Pow(10, Exponent - exponent);
}
