using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace Slm.Tokenization.Templates;

/// <summary>Python's str() and repr(), and strings counted in code points.</summary>
internal static class PyText
{
    /// <summary>Python's str.isspace for one character.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    public static string TrimEnd(string text)
    {
        var end = text.Length;
        while (end > 0 && IsSpace(text[end - 1])) end--;
        return text[..end];
    }

    public static string TrimStart(string text)
    {
        var start = 0;
        while (start < text.Length && IsSpace(text[start])) start++;
        return text[start..];
    }

    public static string TypeName(object? value) => value switch
    {
        null => "NoneType",
        bool => "bool",
        long => "int",
        double => "float",
        string => "str",
        PyList => "list",
        PyTuple => "tuple",
        PyRange => "range",
        PyDict => "dict",
        PyView view => view.Kind,
        PyIterator => "generator",
        UndefinedValue => "Undefined",
        NamespaceValue => "Namespace",
        PyCallable => "function",
        _ => "object",
    };

    /// <summary>What <c>{{ value }}</c> prints.</summary>
    public static string Str(object? value)
    {
        switch (value)
        {
            case string s: return s;
            case UndefinedValue: return "";
            default:
                var text = new StringBuilder();
                AppendRepr(text, value);
                return text.ToString();
        }
    }

    public static string Repr(object? value)
    {
        var text = new StringBuilder();
        AppendRepr(text, value);
        return text.ToString();
    }

    private static void AppendRepr(StringBuilder text, object? value)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        RenderBudget.Charge(1);
        if (text.Length > RenderBudget.Current.Limits.MaxOutputChars) RenderBudget.ChargeText(text.Length);
        switch (value)
        {
            case null: text.Append("None"); break;
            case bool b: text.Append(b ? "True" : "False"); break;
            case long n: text.Append(n.ToString(CultureInfo.InvariantCulture)); break;
            case double d: text.Append(PyNumber.Repr(d)); break;
            case string s: AppendQuoted(text, s); break;
            case PyTuple tuple:
                text.Append('(');
                AppendItems(text, tuple.Items);
                text.Append(tuple.Items.Count == 1 ? ",)" : ")");
                break;
            case PyRange range:
                text.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}");
                text.Append(range.Step == 1 ? ")" : string.Create(CultureInfo.InvariantCulture, $", {range.Step})"));
                break;
            case PySequence list:
                text.Append('[');
                AppendItems(text, list.Items);
                text.Append(']');
                break;
            case PyView view:
                text.Append(view.Kind).Append("([");
                AppendItems(text, view.Items);
                text.Append("])");
                break;
            case PyDict dict: AppendDict(text, dict.Entries); break;
            case NamespaceValue ns:
                text.Append("<Namespace ");
                AppendDict(text, [.. ns.Attributes.Select(a => new KeyValuePair<object?, object?>(a.Key, a.Value))]);
                text.Append('>');
                break;
            case UndefinedValue: text.Append("Undefined"); break;
            case PyCallable callable: text.Append('<').Append(callable.Name).Append('>'); break;
            default: text.Append('<').Append(TypeName(value)).Append(" object>"); break;
        }
    }

    private static void AppendItems(StringBuilder text, IReadOnlyList<object?> items)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (i > 0) text.Append(", ");
            AppendRepr(text, items[i]);
        }
    }

    private static void AppendDict(StringBuilder text, IReadOnlyList<KeyValuePair<object?, object?>> entries)
    {
        text.Append('{');
        for (var i = 0; i < entries.Count; i++)
        {
            if (i > 0) text.Append(", ");
            AppendRepr(text, entries[i].Key);
            text.Append(": ");
            AppendRepr(text, entries[i].Value);
        }
        text.Append('}');
    }

    private static void AppendQuoted(StringBuilder text, string value)
    {
        RenderBudget.ChargeText(value.Length);
        var quote = value.Contains('\'', StringComparison.Ordinal) && !value.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        text.Append(quote);
        foreach (var rune in value.EnumerateRunes())
        {
            var code = rune.Value;
            if (code == quote || code == '\\') text.Append('\\').Append((char)code);
            else if (code == '\n') text.Append("\\n");
            else if (code == '\r') text.Append("\\r");
            else if (code == '\t') text.Append("\\t");
            else if (IsPrintable(rune)) text.Append(rune.ToString());
            else if (code < 0x100) text.Append(CultureInfo.InvariantCulture, $"\\x{code:x2}");
            else if (code < 0x10000) text.Append(CultureInfo.InvariantCulture, $"\\u{code:x4}");
            else text.Append(CultureInfo.InvariantCulture, $"\\U{code:x8}");
        }
        text.Append(quote);
    }

    private static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not
        (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or
        UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or
        UnicodeCategory.SpaceSeparator);

    private static bool HasSurrogates(string text) => text.AsSpan().ContainsAnyInRange('\ud800', '\udfff');

    /// <summary>Length in code points.</summary>
    public static int Length(string text)
    {
        RenderBudget.Charge(1 + (text.Length / 64));
        if (!HasSurrogates(text)) return text.Length;
        var count = 0;
        foreach (var _ in text.EnumerateRunes()) count++;
        return count;
    }

    /// <summary>The index in code points of a position in UTF-16 units.</summary>
    public static int CodePointIndex(string text, int utf16) => utf16 < 0 ? -1 : Length(text[..utf16]);

    /// <summary>The text's code points, each as a string.</summary>
    public static IReadOnlyList<object?> CodePoints(string text)
    {
        RenderBudget.ChargeItems(text.Length);
        var points = new List<object?>(text.Length);
        foreach (var rune in text.EnumerateRunes()) points.Add(rune.ToString());
        return points;
    }

    /// <summary>A slice with a step of 1, both ends already in range, in code points.</summary>
    public static string Substring(string text, int start, int length)
    {
        RenderBudget.ChargeText(length);
        if (length <= 0) return "";
        if (!HasSurrogates(text)) return text.Substring(start, length);
        RenderBudget.Charge(text.Length / 8);
        int from = 0, at = 0, index = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (index == start) from = at;
            if (index == start + length) return text[from..at];
            at += rune.Utf16SequenceLength;
            index++;
        }
        return text[from..];
    }
}
