using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Slm.Tokenization.Templates;

/// <summary>Python's json.dumps, and JSON read into the template's values.</summary>
internal static class JsonText
{
    internal sealed record Options(bool EnsureAscii, string? Indent, string ItemSeparator, string KeySeparator, bool SortKeys);

    public static string Write(object? value, Options options)
    {
        var text = new StringBuilder();
        Append(text, value, options, 0);
        RenderBudget.ChargeText(text.Length);
        return text.ToString();
    }

    private static void Append(StringBuilder text, object? value, Options options, int level)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        RenderBudget.Charge(1);
        if (text.Length > RenderBudget.Current.Limits.MaxOutputChars) RenderBudget.ChargeText(text.Length);
        switch (value)
        {
            case null: text.Append("null"); break;
            case bool b: text.Append(b ? "true" : "false"); break;
            case long n: text.Append(n.ToString(CultureInfo.InvariantCulture)); break;
            case double d: text.Append(Number(d)); break;
            case string s: AppendString(text, s, options.EnsureAscii); break;
            case PyDict dict:
                IEnumerable<KeyValuePair<object?, object?>> entries = dict.Entries;
                if (options.SortKeys) entries = PyCompare.SortBy(dict.Entries, entry => entry.Key);
                AppendAll(text, '{', '}', dict.Count, entries, options, level, entry =>
                {
                    AppendString(text, Key(entry.Key), options.EnsureAscii);
                    text.Append(options.KeySeparator);
                    Append(text, entry.Value, options, level + 1);
                });
                break;
            case PyList or PyTuple:
                var items = ((PySequence)value).Items;
                AppendAll(text, '[', ']', items.Count, items, options, level, item => Append(text, item, options, level + 1));
                break;
            default: throw TemplateException.Evaluation($"Object of type {PyText.TypeName(value)} is not JSON serializable");
        }
    }

    private static void AppendAll<T>(StringBuilder text, char open, char close, int count, IEnumerable<T> items, Options options, int level, Action<T> append)
    {
        text.Append(open);
        var first = true;
        foreach (var item in items)
        {
            if (!first) text.Append(options.ItemSeparator);
            first = false;
            NewLine(text, options.Indent, level + 1);
            append(item);
        }
        if (count > 0) NewLine(text, options.Indent, level);
        text.Append(close);
    }

    private static void NewLine(StringBuilder text, string? indent, int level)
    {
        if (indent is null) return;
        RenderBudget.ChargeText((long)indent.Length * level);
        text.Append('\n');
        for (var i = 0; i < level; i++) text.Append(indent);
    }

    private static string Number(double value) =>
        double.IsNaN(value) ? "NaN" : double.IsInfinity(value) ? (value > 0 ? "Infinity" : "-Infinity") : PyNumber.Repr(value);

    private static string Key(object? key) => key switch
    {
        string s => s,
        null => "null",
        bool b => b ? "true" : "false",
        long n => n.ToString(CultureInfo.InvariantCulture),
        double d => Number(d),
        _ => throw TemplateException.Evaluation($"keys must be str, int, float, bool or None, not {PyText.TypeName(key)}"),
    };

    private static void AppendString(StringBuilder text, string value, bool ensureAscii)
    {
        RenderBudget.Charge(1 + (value.Length / 8));
        text.Append('"');
        foreach (var c in value)
        {
            switch (c)
            {
                case '"': text.Append("\\\""); break;
                case '\\': text.Append("\\\\"); break;
                case '\n': text.Append("\\n"); break;
                case '\r': text.Append("\\r"); break;
                case '\t': text.Append("\\t"); break;
                case '\b': text.Append("\\b"); break;
                case '\f': text.Append("\\f"); break;
                case < ' ': text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"); break;
                case > '~' when ensureAscii && c != '\x7f': text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"); break;
                default: text.Append(c); break;
            }
        }
        text.Append('"');
    }

    /// <summary>A JSON document as template values: objects as dicts, whole numbers as ints, others as floats.</summary>
    public static object? Read(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var dict = new PyDict();
                foreach (var property in element.EnumerateObject()) dict.Set(property.Name, Read(property.Value));
                return dict;
            case JsonValueKind.Array: return new PyList([.. element.EnumerateArray().Select(Read)]);
            case JsonValueKind.String: return element.GetString();
            case JsonValueKind.Number:
                return element.TryGetInt64(out var n) && element.GetRawText().AsSpan().IndexOfAny('.', 'e', 'E') < 0 ? (object)n : element.GetDouble();
            case JsonValueKind.True: return true;
            case JsonValueKind.False: return false;
            default: return null;
        }
    }
}
