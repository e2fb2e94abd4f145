using System.Text;

namespace Slm.Tokenization.Templates;

/// <summary>Filters that give text.</summary>
internal static class TextFilters
{
    public static IReadOnlyDictionary<string, TemplateFilter> All { get; } = new Dictionary<string, TemplateFilter>
    {
        ["upper"] = (_, v, a) => StringMethods.Upper(Soft(v, "upper", a)),
        ["lower"] = (_, v, a) => StringMethods.Lower(Soft(v, "lower", a)),
        ["capitalize"] = (_, v, a) => StringMethods.Capitalize(Soft(v, "capitalize", a)),
        ["title"] = (_, v, a) => Title(Soft(v, "title", a)),
        ["trim"] = (_, v, a) => StringMethods.Strip(PyText.Str(v), a.Bind("trim", 0, "chars")[0], left: true, right: true),
        ["string"] = (_, v, a) => Soft(v, "string", a),
        ["safe"] = (_, v, a) => Soft(v, "safe", a),
        ["escape"] = (_, v, a) => Escape(Soft(v, "escape", a)),
        ["e"] = (_, v, a) => Escape(Soft(v, "e", a)),
        ["forceescape"] = (_, v, a) => Escape(Soft(v, "forceescape", a)),
        ["replace"] = Replace,
        ["indent"] = Indent,
        ["center"] = (_, v, a) => Center(PyText.Str(v), CallArguments.Integer(a.Bind("center", 0, "width")[0], 80)),
        ["truncate"] = Truncate,
        ["wordcount"] = (_, v, a) => WordCount(Soft(v, "wordcount", a)),
        ["format"] = Format,
        ["urlencode"] = UrlEncode,
        ["tojson"] = ToJson,
    };

    private static string Soft(object? value, string filter, CallArguments arguments)
    {
        arguments.Bind(filter, 0);
        var text = PyText.Str(value);
        RenderBudget.ChargeText(text.Length);
        return text;
    }

    /// <summary>A capital after blanks, hyphens and opening brackets only, unlike Python's str.title.</summary>
    private static string Title(string text)
    {
        var result = new StringBuilder(text.Length);
        var start = true;
        foreach (var c in text)
        {
            result.Append(start ? char.ToUpperInvariant(c) : char.ToLowerInvariant(c));
            start = PyText.IsSpace(c) || c is '-' or '(' or '{' or '[' or '<';
        }
        return result.ToString();
    }

    private static string Escape(string text)
    {
        RenderBudget.ChargeText(text.Length * 5L);
        return text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace(">", "&gt;", StringComparison.Ordinal).Replace("'", "&#39;", StringComparison.Ordinal)
            .Replace("\"", "&#34;", StringComparison.Ordinal);
    }

    private static string Replace(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("replace", 2, "old", "new", "count");
        var count = CallArguments.Given(v[2]) && v[2] is not null ? PyNumber.ToIndex(v[2]) : -1;
        return StringMethods.Replace(PyText.Str(value), PyText.Str(v[0]), PyText.Str(v[1]), count);
    }

    private static string Indent(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("indent", 0, "width", "first", "blank");
        var first = CallArguments.Flag(v[1], false);
        var blank = CallArguments.Flag(v[2], false);
        string indention;
        if (v[0] is string text)
        {
            indention = text;
        }
        else
        {
            var width = Math.Max(0, CallArguments.Integer(v[0], 4));
            RenderBudget.ChargeText(width);
            indention = new string(' ', (int)width);
        }
        var source = PyText.Str(value);
        var lines = StringMethods.SplitLines(source + "\n", keepEnds: false);
        RenderBudget.ChargeText(source.Length + ((long)lines.Count * (indention.Length + 1)));
        var result = new StringBuilder(first ? indention : "");
        for (var i = 0; i < lines.Count; i++)
        {
            var line = (string)lines[i]!;
            if (i > 0) result.Append('\n');
            if (i > 0 && (blank || line.Length > 0)) result.Append(indention);
            result.Append(line);
        }
        return result.ToString();
    }

    private static object? Center(string text, long width)
    {
        StringMethods.TryGet(text, "center", out var method);
        return ((PyFunction)method!).Call(new CallArguments([width], []));
    }

    private static string Truncate(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("truncate", 0, "length", "killwords", "end", "leeway");
        var text = PyText.Str(value);
        var end = CallArguments.Text(v[2], "...");
        var (length, leeway) = (CallArguments.Integer(v[0], 255), CallArguments.Integer(v[3], 5));
        var endLength = PyText.Length(end);
        if (length < endLength) throw TemplateException.Evaluation($"expected length >= {endLength}, got {length}");
        if (PyText.Length(text) <= length + leeway) return text;
        var cut = PyText.Substring(text, 0, (int)(length - endLength));
        if (CallArguments.Flag(v[1], false)) return cut + end;
        var blank = cut.LastIndexOf(' ');
        return (blank < 0 ? cut : cut[..blank]) + end;
    }

    private static long WordCount(string text)
    {
        var (count, inWord) = (0L, false);
        foreach (var c in text)
        {
            var isWord = char.IsLetterOrDigit(c) || c == '_';
            if (isWord && !inWord) count++;
            inWord = isWord;
        }
        return count;
    }

    private static string Format(Interpreter interpreter, object? value, CallArguments arguments)
    {
        if (arguments.Positional.Count > 0 && arguments.Named.Count > 0)
            throw TemplateException.Evaluation("can't handle positional and keyword arguments at the same time");
        if (arguments.Named.Count == 0) return PyFormat.Percent(PyText.Str(value), new PyTuple(arguments.Positional));
        var dict = new PyDict();
        foreach (var (name, item) in arguments.Named) dict.Set(name, item);
        return PyFormat.Percent(PyText.Str(value), dict);
    }

    private static string UrlEncode(Interpreter interpreter, object? value, CallArguments arguments)
    {
        arguments.Bind("urlencode", 0);
        if (value is not (PyDict or PyList or PyTuple)) return Quote(PyText.Str(value), "/", "%20");
        var pairs = value is PyDict dict ? dict.Entries.Select(e => (object?)new PyTuple([e.Key, e.Value])) : PyContainer.Iterate(value);
        return string.Join('&', pairs.Select(pair =>
        {
            var parts = PyContainer.Iterate(pair);
            if (parts.Count != 2) throw TemplateException.Evaluation("urlencode needs pairs");
            return Quote(PyText.Str(parts[0]), "", "+") + "=" + Quote(PyText.Str(parts[1]), "", "+");
        }));
    }

    private static string Quote(string text, string safe, string blank)
    {
        RenderBudget.ChargeText(text.Length * 9L);
        var result = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            var c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || "_.-~".Contains(c, StringComparison.Ordinal) || safe.Contains(c, StringComparison.Ordinal)) result.Append(c);
            else if (c == ' ') result.Append(blank);
            else result.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }
        return result.ToString();
    }

    /// <summary>json.dumps with the defaults of apply_chat_template: characters as they are, no HTML escapes.</summary>
    private static string ToJson(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = null;
        if (v[1] is string text)
        {
            indent = text;
        }
        else if (CallArguments.Given(v[1]) && v[1] is not null)
        {
            var width = Math.Max(0, PyNumber.ToIndex(v[1]));
            RenderBudget.ChargeText(width);
            indent = new string(' ', (int)width);
        }
        var (item, key) = (indent is null ? ", " : ",", ": ");
        if (CallArguments.Given(v[2]) && v[2] is not null)
        {
            var pair = PyContainer.Iterate(v[2]);
            if (pair.Count != 2) throw TemplateException.Evaluation("separators must be a pair");
            (item, key) = (PyText.Str(pair[0]), PyText.Str(pair[1]));
        }
        return JsonText.Write(value, new JsonText.Options(CallArguments.Flag(v[0], false), indent, item, key, CallArguments.Flag(v[3], false)));
    }
}
