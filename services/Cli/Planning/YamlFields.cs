using System.Globalization;
using Slm.Engine.Execution;
using YamlDotNet.RepresentationModel;

namespace Slm.Cli.Planning;

/// <summary>The fields of one YAML mapping. What is missing, unknown or out of range is named with its place.</summary>
internal sealed class YamlFields
{
    private readonly YamlMappingNode _node;
    private readonly string _place;
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <param name="node">The mapping.</param>
    /// <param name="place">Where it is, such as machines[2].</param>
    /// <exception cref="CliException">It is no mapping.</exception>
    public YamlFields(YamlNode node, string place)
    {
        _place = place;
        _node = node as YamlMappingNode ?? throw Error("", "no mapping", "'name: value' lines");
    }

    public string Text(string name) => Scalar(name) is { Length: > 0 } text ? text : throw Error(name, "missing", "a name");

    public string? OptionalText(string name) => Scalar(name);

    public int Whole(string name, int standard, int most) => Scalar(name) switch
    {
        null => standard,
        var text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= 1 && value <= most
            ? value : throw Error(name, $"'{text}'", $"a whole number from 1 to {most}"),
    };

    /// <summary>A number of at least 0, such as 0.5 or 6e11; required without a standard.</summary>
    public double Number(string name, double? standard = null) => Scalar(name) switch
    {
        null => standard ?? throw Error(name, "missing", "a number above 0"),
        var text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= 0 && double.IsFinite(value)
            ? value : throw Error(name, $"'{text}'", "a number, such as 0.5 or 6e11"),
    };

    /// <summary>Bytes, such as 32GiB.</summary>
    public long? Size(string name) => Scalar(name) switch
    {
        null => null,
        var text => ByteSize.TryParse(text, out var bytes) ? bytes : throw Error(name, $"'{text}'", ByteSize.Rule),
    };

    public long RequiredSize(string name) => Size(name) ?? throw Error(name, "missing", ByteSize.Rule);

    /// <summary>A nested mapping; null if it is not there.</summary>
    public YamlFields? Section(string name) => Find(name) is { } child ? new YamlFields(child, Place(name)) : null;

    /// <summary>The mappings of a list; none if it is not there.</summary>
    public IEnumerable<YamlFields> List(string name) => Find(name) switch
    {
        null => [],
        YamlSequenceNode list => list.Children.Select((child, index) => new YamlFields(child, $"{Place(name)}[{index}]")),
        _ => throw Error(name, "no list", "one '- ' for each"),
    };

    /// <summary>All fields as texts.</summary>
    public IReadOnlyDictionary<string, string> Texts() => _node.Children.Keys.Select(key => ((YamlScalarNode)key).Value!).ToDictionary(name => name, Text, StringComparer.Ordinal);

    /// <summary>Refuses fields nobody asked for.</summary>
    public void RefuseOthers()
    {
        foreach (var key in _node.Children.Keys)
        {
            if (key is not YamlScalarNode { Value: { } name } || !_known.Contains(name))
                throw Error(key.ToString(), "not known", string.Join(", ", _known));
        }
    }

    public CliException Error(string name, string value, string remedy) => new($"--machines: {Place(name)} is {value}. Give {remedy}.");

    private string? Scalar(string name) => Find(name) switch
    {
        null => null,
        YamlScalarNode scalar => scalar.Value,
        _ => throw Error(name, "a list or mapping", "a single value"),
    };

    private YamlNode? Find(string name)
    {
        _known.Add(name);
        return _node.Children.TryGetValue(new YamlScalarNode(name), out var child) && child is not YamlScalarNode { Value: null or "" or "~" or "null" } ? child : null;
    }

    private string Place(string name) => (_place, name) switch
    {
        ("", "") => "the document",
        ("", _) => name,
        (_, "") => _place,
        _ => $"{_place}.{name}",
    };
}
