using System.Globalization;
using System.Text.Json.Nodes;
using Slm.V1;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Slm.Router.Policies;

/// <summary>
/// Reads the fields of a YAML mapping and notes what is wrong, with line and field, instead of stopping there; what a faulty
/// field is read as does not matter then.
/// </summary>
internal sealed class YamlReader
{
    private readonly YamlMappingNode? _node;
    private readonly string _place;
    private readonly List<PolicyProblem> _problems;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    public YamlReader(YamlNode node, string place, List<PolicyProblem> problems)
    {
        (_place, _problems, Line) = (place, problems, (int)node.Start.Line);
        _node = node as YamlMappingNode;
        if (_node is null)
            Add(Line, place, "must be 'name: value' lines.");
    }

    /// <summary>Where it begins.</summary>
    public int Line { get; }

    /// <summary>Notes a problem of a field.</summary>
    public void Problem(string name, string message) => Add(LineOf(name), Place(name), message);

    public bool Has(string name) => Find(name) is not null;

    public string? OptionalText(string name) => Scalar(name)?.Value;

    public string Text(string name, string remedy)
    {
        if (OptionalText(name) is { Length: > 0 } text)
            return text;
        if (Find(name) is null or YamlScalarNode)
            Problem(name, $"is missing. Give {remedy}.");
        return "";
    }

    public double? Number(string name, double low, double high)
    {
        if (Scalar(name) is not { Value: { } text })
            return null;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) && number >= low && number <= high)
            return number;
        Problem(name, string.Create(CultureInfo.InvariantCulture, $"is '{text}' but must be a number {Range(low, high)}."));
        return null;
    }

    public int? Whole(string name, int low, int high)
    {
        if (Scalar(name) is not { Value: { } text })
            return null;
        if (int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= low && number <= high)
            return number;
        Problem(name, string.Create(CultureInfo.InvariantCulture, $"is '{text}' but must be a whole number from {low} to {high}."));
        return null;
    }

    public bool? Flag(string name)
    {
        if (Scalar(name) is not { Value: { } text })
            return null;
        if (text is "true" or "false")
            return text == "true";
        Problem(name, $"is '{text}' but must be true or false.");
        return null;
    }

    public T? Choice<T>(string name)
        where T : struct, Enum
    {
        if (Scalar(name) is not { Value: { } text })
            return null;
        foreach (var value in Enum.GetValues<T>())
        {
            if (string.Equals(text, value.ToString(), StringComparison.OrdinalIgnoreCase))
                return value;
        }

        Problem(name, $"is '{text}' but must be one of {string.Join(", ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant()))}.");
        return null;
    }

    public YamlReader? Section(string name) => Find(name) is { } child ? new YamlReader(child, Place(name), _problems) : null;

    /// <summary>The elements of a list.</summary>
    public IReadOnlyList<(YamlNode Node, string Place)> List(string name)
    {
        if (Find(name) is not { } child)
            return [];
        if (child is YamlSequenceNode list)
            return [.. list.Children.Select((node, i) => (node, $"{Place(name)}[{i}]"))];
        Problem(name, "must be a list, one '- ' for each.");
        return [];
    }

    public IReadOnlyList<YamlReader> Sections(string name) => [.. List(name).Select(item => new YamlReader(item.Node, item.Place, _problems))];

    public IReadOnlyList<string> Texts(string name) => [.. List(name).Select(item =>
    {
        if (item.Node is YamlScalarNode { Value: { Length: > 0 } text })
            return text;
        Add((int)item.Node.Start.Line, item.Place, "must be a single value.");
        return "";
    })];

    public IReadOnlyList<double> Numbers(string name) => [.. Texts(name).Select(text =>
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number))
            return number;
        Problem(name, $"has '{text}', which is no number.");
        return 0.0;
    })];

    /// <summary>A part as JSON: plain scalars as YAML's core schema reads them, quoted ones as strings. A block of text is JSON itself.</summary>
    public string? Json(string name) => Find(name) switch
    {
        null => null,
        YamlScalarNode { Style: ScalarStyle.Literal or ScalarStyle.Folded } text => text.Value,
        var node => ToJson(node)?.ToJsonString() ?? "null",
    };

    /// <summary>Notes fields nobody asked for.</summary>
    public void RefuseOthers()
    {
        foreach (var key in _node?.Children.Keys ?? [])
        {
            var name = (key as YamlScalarNode)?.Value ?? key.ToString();
            if (!_known.Contains(name))
                Add((int)key.Start.Line, _place.Length == 0 ? name : $"{_place}.{name}", $"is not known here. Known are {string.Join(", ", _known.Order(StringComparer.Ordinal))}.");
        }
    }

    private static string Range(double low, double high) => (double.IsInfinity(low), double.IsInfinity(high)) switch
    {
        (true, true) => "",
        (true, false) => string.Create(CultureInfo.InvariantCulture, $"of at most {high}"),
        (false, true) => string.Create(CultureInfo.InvariantCulture, $"of at least {low}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"from {low} to {high}"),
    };

    private static JsonNode? ToJson(YamlNode node)
    {
        switch (node)
        {
            case YamlMappingNode mapping:
                return new JsonObject(mapping.Children.Select(c => KeyValuePair.Create((c.Key as YamlScalarNode)?.Value ?? c.Key.ToString(), ToJson(c.Value))));
            case YamlSequenceNode list:
                return new JsonArray([.. list.Children.Select(ToJson)]);
            case YamlScalarNode { Style: ScalarStyle.Plain } plain:
                return plain.Value switch
                {
                    null or "" or "~" or "null" => null,
                    "true" => JsonValue.Create(true),
                    "false" => JsonValue.Create(false),
                    var text when IsJsonNumber(text) => JsonNode.Parse(text),
                    var text => JsonValue.Create(text),
                };
            default:
                return JsonValue.Create(((YamlScalarNode)node).Value);
        }
    }

    private static bool IsJsonNumber(string text)
    {
        if (text.Length == 0 || !(char.IsAsciiDigit(text[^1]) && (char.IsAsciiDigit(text[0]) || text[0] == '-')))
            return false;
        try
        {
            return JsonNode.Parse(text) is not null;
        }
        catch (System.Text.Json.JsonException)
        {
            return false;
        }
    }

    private YamlScalarNode? Scalar(string name)
    {
        var found = Find(name);
        if (found is not null and not YamlScalarNode)
            Problem(name, "must be a single value.");
        return found as YamlScalarNode;
    }

    private YamlNode? Find(string name)
    {
        _known.Add(name);
        return _node is not null && _node.Children.TryGetValue(new YamlScalarNode(name), out var child)
            && child is not YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" } ? child : null;
    }

    private int LineOf(string name) =>
        _node?.Children.FirstOrDefault(c => c.Key is YamlScalarNode { Value: { } key } && key == name).Key is { } found ? (int)found.Start.Line : Line;

    private string Place(string name) => _place.Length == 0 ? name : $"{_place}.{name}";

    private void Add(int line, string field, string message) => _problems.Add(new PolicyProblem { Line = line, Field = field, Message = message });
}
