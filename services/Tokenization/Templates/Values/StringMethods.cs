using System.Text;

namespace Slm.Tokenization.Templates;

/// <summary>The methods of Python's str.</summary>
internal static class StringMethods
{
    private delegate object? Method(string self, CallArguments arguments);

    private static readonly Dictionary<string, Method> Methods = new(StringComparer.Ordinal)
    {
        ["upper"] = (s, a) => Plain("upper", a, Upper(s)),
        ["lower"] = (s, a) => Plain("lower", a, Lower(s)),
        ["casefold"] = (s, a) => Plain("casefold", a, Lower(s).Replace("ß", "ss", StringComparison.Ordinal)),
        ["capitalize"] = (s, a) => Plain("capitalize", a, Capitalize(s)),
        ["title"] = (s, a) => Plain("title", a, Title(s)),
        ["swapcase"] = (s, a) => Plain("swapcase", a, string.Concat(s.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c)))),
        ["strip"] = (s, a) => Strip(s, Optional("strip", a, "/chars"), left: true, right: true),
        ["lstrip"] = (s, a) => Strip(s, Optional("lstrip", a, "/chars"), left: true, right: false),
        ["rstrip"] = (s, a) => Strip(s, Optional("rstrip", a, "/chars"), left: false, right: true),
        ["startswith"] = (s, a) => HasAffix("startswith", s, a, (t, p) => t.StartsWith(p, StringComparison.Ordinal)),
        ["endswith"] = (s, a) => HasAffix("endswith", s, a, (t, p) => t.EndsWith(p, StringComparison.Ordinal)),
        ["removeprefix"] = (s, a) => Need("removeprefix", a.Bind("removeprefix", 1, "/prefix")[0]) is var p && s.StartsWith(p, StringComparison.Ordinal) ? s[p.Length..] : s,
        ["removesuffix"] = (s, a) => Need("removesuffix", a.Bind("removesuffix", 1, "/suffix")[0]) is { Length: > 0 } p && s.EndsWith(p, StringComparison.Ordinal) ? s[..^p.Length] : s,
        ["split"] = (s, a) => Split(s, a.Bind("split", 0, "sep", "maxsplit"), fromRight: false),
        ["rsplit"] = (s, a) => Split(s, a.Bind("rsplit", 0, "sep", "maxsplit"), fromRight: true),
        ["splitlines"] = (s, a) => new PyList(SplitLines(s, CallArguments.Flag(a.Bind("splitlines", 0, "keepends")[0], false))),
        ["partition"] = (s, a) => Partition(s, Need("partition", a.Bind("partition", 1, "/sep")[0]), last: false),
        ["rpartition"] = (s, a) => Partition(s, Need("rpartition", a.Bind("rpartition", 1, "/sep")[0]), last: true),
        ["replace"] = (s, a) => a.Bind("replace", 2, "/old", "/new", "count") is var v
            ? Replace(s, Need("replace", v[0]), Need("replace", v[1]), CallArguments.Integer(v[2], -1)) : null,
        ["find"] = (s, a) => Find("find", s, a, last: false, required: false),
        ["rfind"] = (s, a) => Find("rfind", s, a, last: true, required: false),
        ["index"] = (s, a) => Find("index", s, a, last: false, required: true),
        ["rindex"] = (s, a) => Find("rindex", s, a, last: true, required: true),
        ["count"] = (s, a) => Count(s, Need("count", a.Bind("count", 1, "/sub")[0])),
        ["join"] = (s, a) => Join(s, a.Bind("join", 1, "/iterable")[0]),
        ["format"] = PyFormat.Format,
        ["isdigit"] = (s, a) => Every("isdigit", a, s, char.IsDigit),
        ["isdecimal"] = (s, a) => Every("isdecimal", a, s, char.IsDigit),
        ["isnumeric"] = (s, a) => Every("isnumeric", a, s, char.IsNumber),
        ["isalpha"] = (s, a) => Every("isalpha", a, s, char.IsLetter),
        ["isalnum"] = (s, a) => Every("isalnum", a, s, char.IsLetterOrDigit),
        ["isspace"] = (s, a) => Every("isspace", a, s, PyText.IsSpace),
        ["isupper"] = (s, a) => Plain("isupper", a, IsUpper(s)),
        ["islower"] = (s, a) => Plain("islower", a, IsLower(s)),
        ["isascii"] = (s, a) => Plain("isascii", a, s.All(char.IsAscii)),
        ["istitle"] = (s, a) => Plain("istitle", a, s.Any(char.IsLetter) && Title(s) == s),
        ["zfill"] = (s, a) => Pad(s, a.Bind("zfill", 1, "/width"), "zfill"),
        ["ljust"] = (s, a) => Pad(s, a.Bind("ljust", 1, "/width", "/fill"), "ljust"),
        ["rjust"] = (s, a) => Pad(s, a.Bind("rjust", 1, "/width", "/fill"), "rjust"),
        ["center"] = (s, a) => Pad(s, a.Bind("center", 1, "/width", "/fill"), "center"),
        ["expandtabs"] = (s, a) => ExpandTabs(s, CallArguments.Integer(a.Bind("expandtabs", 0, "tabsize")[0], 8)),
    };

    public static bool TryGet(string self, string name, out object? member)
    {
        member = Methods.TryGetValue(name, out var method)
            ? new PyFunction($"built-in method {name} of str object", arguments =>
            {
                RenderBudget.Charge(1 + (self.Length / 16));
                return method(self, arguments);
            })
            : null;
        return member is not null;
    }

    /// <summary>Pays for a search before it is made; the worst case is needle times text.</summary>
    public static void ChargeSearch(string text, string part) =>
        RenderBudget.Charge(1 + ((1L + (text.Length / 64)) * (1 + (part.Length / 16))));

    private static object Plain(string name, CallArguments arguments, object value)
    {
        arguments.Bind(name, 0);
        return value;
    }

    private static object? Optional(string name, CallArguments arguments, string parameter) => arguments.Bind(name, 0, parameter)[0];

    private static string Need(string method, object? value) => value as string ??
        throw TemplateException.Evaluation($"{method}() argument must be str, not {PyText.TypeName(value)}");

    private static object Every(string name, CallArguments arguments, string text, Func<char, bool> test)
    {
        arguments.Bind(name, 0);
        return text.Length > 0 && text.All(test);
    }

    private static bool IsUpper(string text) => text.Any(char.IsUpper) && !text.Any(char.IsLower);

    private static bool IsLower(string text) => text.Any(char.IsLower) && !text.Any(char.IsUpper);

    public static string Upper(string text) => text.Replace("ß", "SS", StringComparison.Ordinal).ToUpperInvariant();

    /// <summary>Lower case with the two rules that look beyond one character: İ becomes two, and a sigma that ends a word is ς.</summary>
    public static string Lower(string text)
    {
        if (!text.AsSpan().ContainsAny('İ', 'Σ')) return text.ToLowerInvariant();
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == 'İ') result.Append("i\u0307");
            else if (text[i] != 'Σ') result.Append(char.ToLowerInvariant(text[i]));
            else result.Append(i > 0 && char.IsLetter(text[i - 1]) && (i + 1 == text.Length || !char.IsLetter(text[i + 1])) ? 'ς' : 'σ');
        }
        return result.ToString();
    }

    public static string Capitalize(string text)
    {
        if (text.Length == 0) return text;
        var first = char.IsHighSurrogate(text[0]) && text.Length > 1 ? 2 : 1;
        return Upper(text[..first]) + Lower(text[first..]);
    }

    /// <summary>A capital after everything that is no letter.</summary>
    private static string Title(string text)
    {
        var result = new StringBuilder(text.Length);
        var afterLetter = false;
        foreach (var c in text)
        {
            result.Append(afterLetter ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
            afterLetter = char.IsLetter(c);
        }
        return result.ToString();
    }

    public static string Strip(string text, object? chars, bool left, bool right)
    {
        if (!CallArguments.Given(chars) || chars is null)
        {
            if (left) text = PyText.TrimStart(text);
            return right ? PyText.TrimEnd(text) : text;
        }
        var set = new HashSet<Rune>();
        foreach (var rune in Need("strip", chars).EnumerateRunes()) set.Add(rune);
        var (start, end) = (0, text.Length);
        while (left && start < end && Rune.TryGetRuneAt(text, start, out var rune) && set.Contains(rune)) start += rune.Utf16SequenceLength;
        while (right && end > start)
        {
            var size = end - 2 >= start && char.IsLowSurrogate(text[end - 1]) ? 2 : 1;
            if (!Rune.TryGetRuneAt(text, end - size, out var rune) || !set.Contains(rune)) break;
            end -= size;
        }
        return text[start..end];
    }

    private static bool HasAffix(string name, string text, CallArguments arguments, Func<string, string, bool> test)
    {
        var values = arguments.Bind(name, 1, "/affix", "/start", "/end");
        if (CallArguments.Given(values[1]))
        {
            text = (string)PyContainer.Slice(text, values[1], CallArguments.Given(values[2]) ? values[2] : null, null)!;
        }
        if (values[0] is PyTuple tuple) return tuple.Items.Any(item => test(text, Need(name, item)));
        if (values[0] is UndefinedValue undefined) throw undefined.Fail();
        return test(text, values[0] as string ??
            throw TemplateException.Evaluation($"{name} first arg must be str or a tuple of str, not {PyText.TypeName(values[0])}"));
    }

    private static PyList Split(string text, object?[] values, bool fromRight)
    {
        var max = CallArguments.Integer(values[1], -1);
        if (max < 0) max = long.MaxValue;
        var parts = new List<object?>();
        if (!CallArguments.Given(values[0]) || values[0] is null)
        {
            SplitWords(text, max, fromRight, parts);
        }
        else
        {
            var separator = Need("split", values[0]);
            if (separator.Length == 0) throw TemplateException.Evaluation("empty separator");
            ChargeSearch(text, separator);
            if (fromRight)
            {
                var end = text.Length;
                while (max-- > 0 && end >= separator.Length && text.LastIndexOf(separator, end - 1, StringComparison.Ordinal) is var i and >= 0)
                {
                    parts.Add(text[(i + separator.Length)..end]);
                    end = i;
                }
                parts.Add(text[..end]);
            }
            else
            {
                var start = 0;
                while (max-- > 0 && text.IndexOf(separator, start, StringComparison.Ordinal) is var i and >= 0)
                {
                    parts.Add(text[start..i]);
                    start = i + separator.Length;
                }
                parts.Add(text[start..]);
            }
        }
        if (fromRight) parts.Reverse();
        RenderBudget.ChargeItems(parts.Count);
        return new PyList(parts);
    }

    private static void SplitWords(string text, long max, bool fromRight, List<object?> parts)
    {
        if (fromRight)
        {
            var end = text.Length;
            while (true)
            {
                while (end > 0 && PyText.IsSpace(text[end - 1])) end--;
                if (end == 0) return;
                var start = end;
                if (max-- <= 0) start = 0;
                else while (start > 0 && !PyText.IsSpace(text[start - 1])) start--;
                parts.Add(text[start..end]);
                end = start;
            }
        }
        var at = 0;
        while (true)
        {
            while (at < text.Length && PyText.IsSpace(text[at])) at++;
            if (at == text.Length) return;
            var start = at;
            if (max-- <= 0) at = text.Length;
            else while (at < text.Length && !PyText.IsSpace(text[at])) at++;
            parts.Add(text[start..at]);
        }
    }

    /// <summary>Lines as Python's splitlines cuts them: also at \v, \f, the separators \x1c-\x1e, \x85, U+2028 and U+2029.</summary>
    public static List<object?> SplitLines(string text, bool keepEnds)
    {
        var lines = new List<object?>();
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is not ('\n' or '\r' or '\v' or '\f' or '\x1c' or '\x1d' or '\x1e' or '\x85' or '\u2028' or '\u2029')) continue;
            var end = i;
            if (text[i] == '\r' && i + 1 < text.Length && text[i + 1] == '\n') i++;
            lines.Add(text[start..(keepEnds ? i + 1 : end)]);
            start = i + 1;
        }
        if (start < text.Length) lines.Add(text[start..]);
        RenderBudget.ChargeItems(lines.Count);
        return lines;
    }

    private static PyTuple Partition(string text, string separator, bool last)
    {
        if (separator.Length == 0) throw TemplateException.Evaluation("empty separator");
        ChargeSearch(text, separator);
        var i = last ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        if (i < 0) return new PyTuple(last ? ["", "", text] : [text, "", ""]);
        return new PyTuple([text[..i], separator, text[(i + separator.Length)..]]);
    }

    /// <summary>Python's replace; a negative count replaces all.</summary>
    public static string Replace(string text, string old, string with, long count)
    {
        ChargeSearch(text, old);
        if (count == 0) return text;
        var found = Math.Min(count < 0 ? long.MaxValue : count, old.Length == 0 ? PyText.Length(text) + 1L : CountOf(text, old));
        if (found == 0) return text;
        RenderBudget.ChargeText(text.Length + (found * ((long)with.Length - old.Length)));
        var result = new StringBuilder();
        if (old.Length == 0)
        {
            foreach (var rune in text.EnumerateRunes())
            {
                if (found-- > 0) result.Append(with);
                result.Append(rune.ToString());
            }
            if (found > 0) result.Append(with);
            return result.ToString();
        }
        var start = 0;
        for (; found > 0; found--)
        {
            var i = text.IndexOf(old, start, StringComparison.Ordinal);
            result.Append(text, start, i - start).Append(with);
            start = i + old.Length;
        }
        return result.Append(text, start, text.Length - start).ToString();
    }

    private static long Count(string text, string part)
    {
        ChargeSearch(text, part);
        return part.Length == 0 ? PyText.Length(text) + 1L : CountOf(text, part);
    }

    private static long CountOf(string text, string part)
    {
        var count = 0L;
        for (var i = text.IndexOf(part, StringComparison.Ordinal); i >= 0; i = text.IndexOf(part, i + part.Length, StringComparison.Ordinal)) count++;
        return count;
    }

    private static object Find(string name, string text, CallArguments arguments, bool last, bool required)
    {
        var values = arguments.Bind(name, 1, "/sub", "/start", "/end");
        var part = Need(name, values[0]);
        ChargeSearch(text, part);
        var length = PyText.Length(text);
        var start = CallArguments.Integer(values[1], 0);
        if (start < 0) start = Math.Max(0, start + length);
        var searched = (string)PyContainer.Slice(text, start, CallArguments.Given(values[2]) ? values[2] : null, null)!;
        var i = last ? searched.LastIndexOf(part, StringComparison.Ordinal) : searched.IndexOf(part, StringComparison.Ordinal);
        if (last && part.Length == 0) i = searched.Length;
        if (i < 0 && required) throw TemplateException.Evaluation("substring not found");
        return i < 0 ? -1L : start + PyText.CodePointIndex(searched, i);
    }

    private static string Join(string separator, object? iterable)
    {
        var parts = new List<string>();
        long length = 0;
        foreach (var item in PyContainer.Iterate(iterable))
        {
            parts.Add(item as string ??
                throw TemplateException.Evaluation($"sequence item {parts.Count}: expected str instance, {PyText.TypeName(item)} found"));
            length += parts[^1].Length + separator.Length;
            RenderBudget.Charge(1);
        }
        RenderBudget.ChargeText(length);
        return string.Join(separator, parts);
    }

    private static string Pad(string text, object?[] values, string kind)
    {
        var width = PyNumber.ToIndex(values[0]);
        var fill = values.Length > 1 && CallArguments.Given(values[1]) ? Need(kind, values[1]) : " ";
        if (PyText.Length(fill) != 1) throw TemplateException.Evaluation("The fill character must be exactly one character long");
        var missing = width - PyText.Length(text);
        if (missing <= 0) return text;
        RenderBudget.ChargeText(width * fill.Length);
        string Fill(long n) => fill.Length == 1 ? new string(fill[0], (int)n) : string.Concat(Enumerable.Repeat(fill, (int)n));
        switch (kind)
        {
            case "ljust": return text + Fill(missing);
            case "rjust": return Fill(missing) + text;
            case "zfill":
                var sign = text.StartsWith('-') || text.StartsWith('+') ? 1 : 0;
                return text[..sign] + new string('0', (int)missing) + text[sign..];
            default:
                var left = (missing / 2) + (missing & width & 1);
                return Fill(left) + text + Fill(missing - left);
        }
    }

    private static string ExpandTabs(string text, long size)
    {
        if (size is < 0 or > 1000) size = Math.Clamp(size, 0, 1000);
        RenderBudget.ChargeText(text.Length + (CountOf(text, "\t") * size));
        var result = new StringBuilder();
        var column = 0;
        foreach (var c in text)
        {
            if (c == '\t')
            {
                var blanks = size == 0 ? 0 : (int)(size - (column % size));
                result.Append(' ', blanks);
                column += blanks;
            }
            else
            {
                result.Append(c);
                column = c is '\n' or '\r' ? 0 : column + 1;
            }
        }
        return result.ToString();
    }
}
