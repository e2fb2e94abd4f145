using System.Globalization;
using YamlDotNet.RepresentationModel;

namespace Slm.Training.Configuration;

/// <summary>A problem of a configuration.</summary>
/// <param name="Field">Path of the field, such as <c>training.tokens</c>.</param>
/// <param name="Value">What stands there.</param>
/// <param name="Allowed">What may.</param>
public sealed record ConfigProblem(string Field, string Value, string Allowed)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Field}: {Value}; allowed: {Allowed}";
}

/// <summary>A configuration with problems, all of them.</summary>
public sealed class ConfigException(string source, IReadOnlyList<ConfigProblem> problems)
    : Exception($"{source} has {problems.Count} problem{(problems.Count == 1 ? "" : "s")}:\n" + string.Join('\n', problems.Select(p => "  " + p)))
{
    /// <summary>Every problem found.</summary>
    public IReadOnlyList<ConfigProblem> Problems { get; } = problems;
}

/// <summary>Reads the fields of one YAML mapping; collects problems instead of throwing, and knows which fields were asked for.</summary>
internal sealed class YamlFields(YamlMappingNode? node, string path, List<ConfigProblem> problems)
{
    private readonly List<string> _known = [];

    /// <summary>A nested mapping; an absent one has only defaults.</summary>
    public YamlFields Section(string name)
    {
        _known.Add(name);
        var child = Find(name);
        if (child is not null and not YamlMappingNode && !IsEmpty(child))
            Report(name, Text(child), "a mapping");
        return new YamlFields(child as YamlMappingNode, Path(name), problems);
    }

    /// <summary>A text.</summary>
    public string Text(string name, string? standard, Func<string, bool>? valid = null, string allowed = "a text")
    {
        var text = Scalar(name);
        if (text is null)
        {
            if (standard is null)
                Report(name, "missing", allowed);
            return standard ?? "";
        }

        if (valid is not null && !valid(text))
            Report(name, text, allowed);
        return text;
    }

    /// <summary>A text or null.</summary>
    public string? OptionalText(string name) => Scalar(name);

    /// <summary>A whole number in a range, a multiple of <paramref name="multiple"/>; null standard: required.</summary>
    public long Integer(string name, long? standard, long least, long most, long multiple = 1)
    {
        var allowed = $"a whole number {least}…{most}" + (multiple > 1 ? $", a multiple of {multiple}" : "");
        var text = Scalar(name);
        if (text is null)
        {
            if (standard is null)
                Report(name, "missing", allowed);
            return standard ?? least;
        }

        if (long.TryParse(text.Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most && value % multiple == 0)
            return value;
        Report(name, text, allowed);
        return standard ?? least;
    }

    /// <summary>A number in a range.</summary>
    public double Number(string name, double standard, double least, double most)
    {
        var text = Scalar(name);
        if (text is null)
            return standard;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most)
            return value;
        Report(name, text, string.Create(CultureInfo.InvariantCulture, $"a number {least}…{most}"));
        return standard;
    }

    /// <summary>One of some names.</summary>
    public TEnum Choice<TEnum>(string name, TEnum standard, IReadOnlyDictionary<string, TEnum> choices)
    {
        var text = Scalar(name);
        if (text is null)
            return standard;
        if (choices.TryGetValue(text, out var value))
            return value;
        Report(name, text, string.Join(", ", choices.Keys));
        return standard;
    }

    /// <summary>Whether a field is there.</summary>
    public bool Has(string name)
    {
        _known.Add(name);
        return Find(name) is not null;
    }

    /// <summary>Adds a problem about a field.</summary>
    public void Report(string name, string value, string allowed) => problems.Add(new ConfigProblem(Path(name), value, allowed));

    /// <summary>Reports fields nobody asked for.</summary>
    public void RefuseOthers()
    {
        if (node is null)
            return;
        foreach (var key in node.Children.Keys)
            if (!_known.Contains(Text(key)))
                Report(Text(key), "unknown field", string.Join(", ", _known));
    }

    private string? Scalar(string name)
    {
        _known.Add(name);
        var child = Find(name);
        if (child is null || IsEmpty(child))
            return null;
        if (child is YamlScalarNode)
            return Text(child);
        Report(name, "a list or mapping", "a single value");
        return null;
    }

    private YamlNode? Find(string name) => node is not null && node.Children.TryGetValue(new YamlScalarNode(name), out var child) ? child : null;

    private string Path(string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static bool IsEmpty(YamlNode child) => child is YamlScalarNode { Value: null or "" or "null" or "~" };

    private static string Text(YamlNode child) => child is YamlScalarNode scalar ? scalar.Value ?? "" : child.NodeType.ToString();
}
