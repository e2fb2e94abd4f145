using System.Globalization;
using System.Text;

namespace Slm.Tokenization.Templates;

/// <summary>Python's two ways to format: <c>"%d" % x</c> and <c>"{}".format(x)</c>.</summary>
internal static class PyFormat
{
    private const int MaxPrecision = 100;

    /// <summary>The % operator: <paramref name="values"/> is a tuple of values, a dict for %(name)s, or one value.</summary>
    public static string Percent(string format, object? values)
    {
        var result = new StringBuilder();
        var next = 0;
        var used = values is PyDict;
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                result.Append(format[i]);
                continue;
            }
            if (++i >= format.Length) throw TemplateException.Evaluation("incomplete format");
            object? value = null;
            var named = false;
            if (format[i] == '(')
            {
                var close = format.IndexOf(')', i);
                if (close < 0) throw TemplateException.Evaluation("incomplete format key");
                if (values is not PyDict dict) throw TemplateException.Evaluation("format requires a mapping");
                var key = format[(i + 1)..close];
                if (!dict.TryGet(key, out value)) throw TemplateException.Evaluation($"format key '{key}' is missing");
                named = true;
                i = close + 1;
            }
            var flags = "";
            for (; i < format.Length && "-+ #0".Contains(format[i], StringComparison.Ordinal); i++) flags += format[i];
            var width = ReadNumber(format, ref i, 0);
            var precision = -1;
            if (i < format.Length && format[i] == '.')
            {
                i++;
                precision = ReadNumber(format, ref i, 0);
            }
            if (i >= format.Length) throw TemplateException.Evaluation("incomplete format");
            if (format[i] == '%')
            {
                result.Append('%');
                continue;
            }
            if (!named)
            {
                var available = values is PyTuple tuple ? tuple.Items : [values];
                if (next >= available.Count) throw TemplateException.Evaluation("not enough arguments for format string");
                value = available[next++];
                used = true;
            }
            var body = Convert(format[i], value, flags, precision);
            RenderBudget.ChargeText(Math.Max(width, body.Length) + (long)result.Length);
            if (flags.Contains('-', StringComparison.Ordinal)) body = body.PadRight(width);
            else if (flags.Contains('0', StringComparison.Ordinal) && format[i] is not ('s' or 'r' or 'c')) body = ZeroPad(body, width);
            else body = body.PadLeft(width);
            result.Append(body);
        }
        if (values is PyTuple all ? next < all.Items.Count : !used) throw TemplateException.Evaluation("not all arguments converted during string formatting");
        return result.ToString();
    }

    private static string Convert(char kind, object? value, string flags, int precision)
    {
        var body = kind switch
        {
            's' => Cut(PyText.Str(value), precision),
            'r' or 'a' => Cut(PyText.Repr(value), precision),
            'c' => value is string s ? s : char.ConvertFromUtf32((int)PyNumber.ToIndex(value)),
            'd' or 'i' or 'u' => (value is double d ? PyNumber.Truncate(d) : Whole(value)).ToString(CultureInfo.InvariantCulture),
            'x' => Radix(Whole(value), 16),
            'X' => Radix(Whole(value), 16).ToUpperInvariant(),
            'o' => Radix(Whole(value), 8),
            'f' or 'F' or 'e' or 'E' or 'g' or 'G' => Real(kind, PyNumber.ToDouble(value), precision < 0 ? 6 : precision),
            _ => throw TemplateException.Evaluation($"unsupported format character '{kind}'"),
        };
        if (kind is not ('s' or 'r' or 'a' or 'c') && !body.StartsWith('-'))
        {
            if (flags.Contains('+', StringComparison.Ordinal)) body = "+" + body;
            else if (flags.Contains(' ', StringComparison.Ordinal)) body = " " + body;
        }
        return body;
    }

    /// <summary><c>"…".format(args)</c>: fields {}, {0}, {name}, with [index] and .key lookups, !r and !s, and format specs.</summary>
    public static string Format(string format, CallArguments arguments)
    {
        var result = new StringBuilder();
        var automatic = 0;
        for (var i = 0; i < format.Length; i++)
        {
            var c = format[i];
            if (c is '{' or '}' && i + 1 < format.Length && format[i + 1] == c)
            {
                result.Append(c);
                i++;
                continue;
            }
            if (c == '}') throw TemplateException.Evaluation("Single '}' encountered in format string");
            if (c != '{')
            {
                result.Append(c);
                continue;
            }
            var close = MatchingBrace(format, i);
            var field = format[(i + 1)..close];
            i = close;
            var colon = field.IndexOf(':', StringComparison.Ordinal);
            var spec = colon < 0 ? "" : field[(colon + 1)..];
            if (spec.Contains('{', StringComparison.Ordinal)) spec = Format(spec, arguments);
            var path = colon < 0 ? field : field[..colon];
            var bang = path.IndexOf('!', StringComparison.Ordinal);
            var conversion = bang < 0 ? "" : path[(bang + 1)..];
            if (bang >= 0) path = path[..bang];
            var value = Lookup(path, arguments, ref automatic);
            if (conversion == "r") value = PyText.Repr(value);
            else if (conversion == "s") value = PyText.Str(value);
            else if (conversion.Length > 0) throw TemplateException.Evaluation($"unknown conversion specifier '{conversion}'");
            result.Append(WithSpec(value, spec));
            RenderBudget.ChargeText(result.Length);
        }
        return result.ToString();
    }

    private static int MatchingBrace(string format, int open)
    {
        var depth = 0;
        for (var i = open; i < format.Length; i++)
        {
            if (format[i] == '{') depth++;
            else if (format[i] == '}' && --depth == 0) return i;
            if (depth > 2) break;
        }
        throw TemplateException.Evaluation("expected '}' before end of string");
    }

    private static object? Lookup(string path, CallArguments arguments, ref int automatic)
    {
        var end = path.AsSpan().IndexOfAny('.', '[');
        var first = end < 0 ? path : path[..end];
        object? value;
        if (first.Length == 0 || long.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out _))
        {
            var index = first.Length == 0 ? automatic++ : int.Parse(first, NumberStyles.None, CultureInfo.InvariantCulture);
            if (index >= arguments.Positional.Count) throw TemplateException.Evaluation($"Replacement index {index} out of range for positional args tuple");
            value = arguments.Positional[index];
        }
        else
        {
            var found = arguments.Named.Where(n => n.Key == first).ToArray();
            if (found.Length == 0) throw TemplateException.Evaluation($"format key '{first}' is missing");
            value = found[^1].Value;
        }
        while (end >= 0 && end < path.Length)
        {
            var rest = path[(end + 1)..];
            var isItem = path[end] == '[';
            var stop = isItem ? rest.IndexOf(']', StringComparison.Ordinal) : rest.AsSpan().IndexOfAny('.', '[');
            if (isItem && stop < 0) throw TemplateException.Evaluation("Missing ']' in format string");
            var key = stop < 0 ? rest : rest[..stop];
            value = isItem
                ? PyContainer.GetItem(value, long.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : key)
                : PyContainer.GetAttribute(value, key);
            if (value is UndefinedValue undefined) throw undefined.Fail();
            end = stop < 0 ? -1 : end + 1 + stop + (isItem ? 1 : 0);
        }
        return value;
    }

    /// <summary>Python's format(value, spec): [[fill]align][sign][#][0][width][,][.precision][type].</summary>
    private static string WithSpec(object? value, string spec)
    {
        if (spec.Length == 0) return PyText.Str(value);
        var i = 0;
        var (fill, align) = (' ', '\0');
        if (spec.Length > 1 && spec[1] is '<' or '>' or '^' or '=')
        {
            (fill, align) = (spec[0], spec[1]);
            i = 2;
        }
        else if (spec[0] is '<' or '>' or '^' or '=')
        {
            align = spec[i++];
        }
        var sign = i < spec.Length && spec[i] is '+' or '-' or ' ' ? spec[i++] : '-';
        if (i < spec.Length && spec[i] == '#') i++;
        if (i < spec.Length && spec[i] == '0' && align == '\0') (fill, align) = ('0', '=');
        var width = ReadNumber(spec, ref i, 0);
        var grouped = i < spec.Length && spec[i] is ',' or '_' ? spec[i++] : '\0';
        var precision = -1;
        if (i < spec.Length && spec[i] == '.')
        {
            i++;
            precision = ReadNumber(spec, ref i, 0);
        }
        var kind = i < spec.Length ? spec[i++] : '\0';
        if (i < spec.Length) throw TemplateException.Evaluation($"invalid format specifier '{spec}'");
        RenderBudget.ChargeText(width);
        if (value is string or null or PySequence or PyDict && kind is '\0' or 's')
        {
            var text = Cut(PyText.Str(value), precision);
            return align switch { '>' => text.PadLeft(width, fill), '^' => Center(text, width, fill), _ => text.PadRight(width, fill) };
        }
        var body = kind switch
        {
            'd' or '\0' or 'n' when value is long or bool && precision < 0 => Whole(value).ToString(CultureInfo.InvariantCulture),
            'x' => Radix(Whole(value), 16),
            'X' => Radix(Whole(value), 16).ToUpperInvariant(),
            'o' => Radix(Whole(value), 8),
            'b' => Radix(Whole(value), 2),
            '%' => Real('f', PyNumber.ToDouble(value) * 100, precision < 0 ? 6 : precision) + "%",
            'f' or 'F' or 'e' or 'E' or 'g' or 'G' => Real(kind, PyNumber.ToDouble(value), precision < 0 ? 6 : precision),
            '\0' when precision >= 0 => Real('g', PyNumber.ToDouble(value), precision),
            '\0' => PyText.Str(value),
            _ => throw TemplateException.Evaluation($"unknown format code '{kind}' for object of type '{PyText.TypeName(value)}'"),
        };
        if (grouped != '\0') body = Group(body, grouped);
        if (sign is '+' or ' ' && !body.StartsWith('-')) body = sign + body;
        return align switch
        {
            '<' => body.PadRight(width, fill),
            '^' => Center(body, width, fill),
            '=' => fill == '0' ? ZeroPad(body, width) : body.PadLeft(width, fill),
            _ => body.PadLeft(width, fill),
        };
    }

    private static string Group(string body, char separator)
    {
        var start = body.StartsWith('-') ? 1 : 0;
        var end = body.AsSpan().IndexOfAny('.', 'e', '%');
        if (end < 0) end = body.Length;
        var text = new StringBuilder(body);
        for (var i = end - 3; i > start; i -= 3) text.Insert(i, separator);
        return text.ToString();
    }

    private static string Center(string text, int width, char fill)
    {
        var missing = Math.Max(0, width - text.Length);
        return new string(fill, missing / 2) + text + new string(fill, missing - (missing / 2));
    }

    private static string ZeroPad(string body, int width)
    {
        if (body.Length >= width) return body;
        var sign = body[0] is '-' or '+' or ' ' ? 1 : 0;
        return body[..sign] + new string('0', width - body.Length) + body[sign..];
    }

    private static string Cut(string text, int precision) =>
        precision >= 0 && precision < PyText.Length(text) ? PyText.Substring(text, 0, precision) : text;

    private static long Whole(object? value) => value switch
    {
        bool or long => PyNumber.ToIndex(value),
        UndefinedValue undefined => throw undefined.Fail(),
        _ => throw TemplateException.Evaluation($"%d format: a real number is required, not {PyText.TypeName(value)}"),
    };

    private static string Radix(long value, int radix) =>
        value < 0 ? "-" + Radix(-value, radix) : radix == 10 ? value.ToString(CultureInfo.InvariantCulture) : System.Convert.ToString(value, radix);

    private static int ReadNumber(string text, ref int i, int fallback)
    {
        var start = i;
        while (i < text.Length && char.IsAsciiDigit(text[i])) i++;
        if (i == start) return fallback;
        if (!int.TryParse(text.AsSpan(start, i - start), NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value > 1_000_000)
            throw TemplateException.Limit("a format width above 1000000");
        return value;
    }

    /// <summary>A float with the format characters f, e and g of C.</summary>
    public static string Real(char kind, double value, int precision)
    {
        if (precision > MaxPrecision) throw TemplateException.Limit($"a precision above {MaxPrecision}");
        if (double.IsNaN(value) || double.IsInfinity(value)) return PyNumber.Repr(value);
        switch (kind)
        {
            case 'f' or 'F': return Fixed(value, precision);
            case 'e' or 'E': return Exponent(value, precision, kind);
            default:
                if (precision == 0) precision = 1;
                var scientific = Exponent(value, precision - 1, 'e');
                var exponent = int.Parse(scientific.AsSpan(scientific.IndexOf('e', StringComparison.Ordinal) + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
                if (exponent >= -4 && exponent < precision) return TrimZeros(Fixed(value, precision - 1 - exponent));
                var e = scientific.IndexOf('e', StringComparison.Ordinal);
                var text = TrimZeros(scientific[..e]) + scientific[e..];
                return kind == 'G' ? text.ToUpperInvariant() : text;
        }
    }

    private static string TrimZeros(string text) => text.Contains('.', StringComparison.Ordinal) ? text.TrimEnd('0').TrimEnd('.') : text;

    /// <summary>Exact decimal digits, ties to even as C's printf does.</summary>
    public static string Fixed(double value, int digits)
    {
        var exact = value.ToString("F" + (digits + 30).ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        var tail = exact.AsSpan(exact.Length - 30);
        var rounded = value.ToString("F" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        if (tail[0] != '5' || tail[1..].ContainsAnyExcept('0')) return rounded;
        var kept = exact[..^30].TrimEnd('.');
        return (kept[^1] - '0') % 2 == 0 ? kept : rounded;
    }

    private static string Exponent(double value, int digits, char e)
    {
        var text = value.ToString((e == 'E' ? "E" : "e") + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        var at = text.IndexOf(e, StringComparison.Ordinal);
        var exponent = int.Parse(text.AsSpan(at + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"{text[..at]}{e}{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}");
    }
}
