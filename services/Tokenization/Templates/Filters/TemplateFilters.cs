namespace Slm.Tokenization.Templates;

internal delegate object? TemplateFilter(Interpreter interpreter, object? value, CallArguments arguments);

/// <summary>Filters by name.</summary>
internal static class TemplateFilters
{
    private static readonly Dictionary<string, TemplateFilter> All = new(
        TextFilters.All.Concat(NumberFilters.All).Concat(SequenceFilters.All), StringComparer.Ordinal);

    public static bool Exists(string name) => All.ContainsKey(name);

    public static TemplateFilter Get(string name) =>
        All.TryGetValue(name, out var filter) ? filter : throw TemplateException.Evaluation($"no filter named '{name}'");

    /// <summary>Reads an attribute path such as "a.b.0" from an item, as the filters' <c>attribute</c> parameter does.</summary>
    public static object? Attribute(object? item, object? path, object? fallback)
    {
        var value = item;
        if (path is string text)
        {
            foreach (var part in text.Split('.'))
            {
                RenderBudget.Charge(1);
                value = PyContainer.GetItem(value, part.Length > 0 && part.All(char.IsAsciiDigit) && long.TryParse(part, out var n) ? n : part);
            }
        }
        else
        {
            value = PyContainer.GetItem(value, path);
        }
        return value is UndefinedValue && CallArguments.Given(fallback) && fallback is not null ? fallback : value;
    }

    /// <summary>The key that Jinja's sorting filters compare: text without case unless asked otherwise.</summary>
    public static object? Key(object? value, bool caseSensitive) => !caseSensitive && value is string text ? StringMethods.Lower(text) : value;
}
