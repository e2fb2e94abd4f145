using System.Globalization;
using System.Text;
using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>The text form of wishes and maps: the grammar is with <see cref="PlacementWish"/> and <see cref="PlacementMap"/>.</summary>
internal static class PlacementText
{
    private const int MaxCount = 1 << 16;
    private const int MaxNumber = 1 << 16;
    private const int MaxText = 1 << 20;
    private const string ExpertsClause = "experts";
    private const string Example = "Give auto, items such as stages=2,experts=4,replicas=2,label:zone=a, or a map such as 0-7@a,8-15@b.";

    public static PlacementWish Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var trimmed = text.Trim();
        if (trimmed.Length == 0)
            throw Bad($"the text is empty. {Example}");
        if (trimmed.Length > MaxText)
            throw Bad($"the text has {trimmed.Length} characters. Give at most {MaxText}.");
        if (trimmed == "auto")
            return PlacementWish.Auto;
        return trimmed.Contains('@', StringComparison.Ordinal) ? new PlacementWish { Map = ParseMap(trimmed) } : ParseItems(trimmed);
    }

    public static string Format(PlacementWish wish)
    {
        if (wish.Map is { } map)
            return Format(map);
        var items = new List<string>();
        void Add(string name, int? value)
        {
            if (value is { } number)
                items.Add(string.Create(CultureInfo.InvariantCulture, $"{name}={number}"));
        }

        Add("stages", wish.Stages);
        Add("experts", wish.ExpertGroups);
        Add("replicas", wish.Replicas);
        items.AddRange(wish.RequiredLabels.OrderBy(label => label.Key, StringComparer.Ordinal).Select(label => $"label:{label.Key}={label.Value}"));
        return items.Count == 0 ? "auto" : string.Join(',', items);
    }

    public static string Format(PlacementMap map)
    {
        var text = new StringBuilder();
        foreach (var replica in map.Replicas)
        {
            if (text.Length > 0)
                text.Append('|');
            text.AppendJoin(',', replica.Stages.Select(stage => $"{Range(stage.Range.First, stage.Range.End - 1)}@{stage.Machine}"));
            foreach (var clause in replica.Experts)
            {
                text.Append(';').Append(ExpertsClause);
                if (clause.Layers is { } layers)
                    text.Append('[').Append(Range(layers.First, layers.End - 1)).Append(']');
                text.Append(':').AppendJoin(',', clause.Groups.Select(group => $"{Ranges(group.Experts)}@{group.Machine}"));
            }
        }

        return text.ToString();
    }

    private static PlacementWish ParseItems(string text)
    {
        int? stages = null, experts = null, replicas = null;
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var item in text.Split(',').Select(part => part.Trim()))
        {
            var equals = item.IndexOf('=', StringComparison.Ordinal);
            if (equals < 0)
                throw Bad(item == "auto" ? "'auto' stands alone. Leave it out beside other items, which leave the rest to the planner too." : $"'{item}' is not known. {Example}");
            var (name, value) = (item[..equals], item[(equals + 1)..]);
            switch (name)
            {
                case "stages":
                    Set(ref stages, name, value);
                    break;
                case "experts":
                    Set(ref experts, name, value);
                    break;
                case "replicas":
                    Set(ref replicas, name, value);
                    break;
                case var label when label.StartsWith("label:", StringComparison.Ordinal):
                    var key = label["label:".Length..];
                    if (!IsName(key, "=") || !IsName(value, "="))
                        throw Bad($"'{item}' is no label. Give label:NAME=VALUE without blanks and , ; | @ = in either.");
                    if (!labels.TryAdd(key, value))
                        throw Bad($"the label '{key}' occurs twice. Give it once.");
                    break;
                default:
                    throw Bad($"'{name}' is not known. {Example}");
            }
        }

        return new PlacementWish { Stages = stages, ExpertGroups = experts, Replicas = replicas, RequiredLabels = labels };
    }

    private static void Set(ref int? target, string name, string value)
    {
        if (target is not null)
            throw Bad($"'{name}' occurs twice. Give it once.");
        if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > MaxCount)
            throw Bad($"{name} is '{value}'. Give a whole number from 1 to {MaxCount}.");
        target = number;
    }

    private static PlacementMap ParseMap(string text) => new([.. text.Split('|').Select(ParseReplica)]);

    private static MappedReplica ParseReplica(string text)
    {
        var parts = text.Split(';').Select(part => part.Trim()).ToArray();
        var stages = parts[0].Split(',').Select(ParseStage).ToArray();
        return new MappedReplica(stages, [.. parts.Skip(1).Select(ParseClause)]);
    }

    private static MappedStage ParseStage(string text)
    {
        var (range, machine) = AtMachine(text.Trim(), "a stage", "0-7@a");
        return new MappedStage(ParseRange(range), machine);
    }

    private static MappedExperts ParseClause(string text)
    {
        const string Form = "Give experts:0-15@c,16-31@d, or experts[0-7]:… for some layers only.";
        if (!text.StartsWith(ExpertsClause, StringComparison.Ordinal))
            throw Bad($"'{text}' follows a semicolon and does not say where experts are. {Form}");
        var rest = text[ExpertsClause.Length..];
        LayerRange? layers = null;
        if (rest.StartsWith('['))
        {
            var close = rest.IndexOf(']', StringComparison.Ordinal);
            if (close < 0)
                throw Bad($"'{text}' opens a bracket and does not close it. {Form}");
            layers = ParseRange(rest[1..close]);
            rest = rest[(close + 1)..];
        }

        if (!rest.StartsWith(':'))
            throw Bad($"'{text}' has no colon before its groups. {Form}");
        return new MappedExperts(layers, [.. rest[1..].Split(',').Select(ParseGroup)]);
    }

    private static MappedGroup ParseGroup(string text)
    {
        var (ranges, machine) = AtMachine(text.Trim(), "a group of experts", "0-15@c");
        var experts = new SortedSet<int>();
        foreach (var range in ranges.Split('+').Select(ParseRange))
        {
            for (var expert = range.First; expert < range.End; expert++)
            {
                if (!experts.Add(expert))
                    throw Bad($"expert {expert} occurs twice in '{text}'. Give it once.");
            }
        }

        return new MappedGroup([.. experts], machine);
    }

    private static (string Before, string Machine) AtMachine(string text, string what, string example)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        if (at < 0)
            throw Bad($"'{text}' names no machine. Give {what} as {example}.");
        var machine = text[(at + 1)..];
        return IsName(machine, "")
            ? (text[..at], machine)
            : throw Bad($"'{machine}' in '{text}' is no name of a machine. Give one without blanks and , ; | @.");
    }

    private static LayerRange ParseRange(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var (first, last) = dash < 0 ? (text, text) : (text[..dash], text[(dash + 1)..]);
        if (!Number(first, out var begin) || !Number(last, out var end))
            throw Bad($"'{text}' is no range. Give numbers up to {MaxNumber - 1}, such as 0-7 or 3.");
        return begin > end ? throw Bad($"the range '{text}' ends before it begins. Give {end}-{begin}.") : new LayerRange(begin, end + 1);
    }

    private static bool Number(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number < MaxNumber;

    private static bool IsName(string text, string alsoNot) =>
        text.Length > 0 && !text.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c is ',' or ';' or '|' or '@' || alsoNot.Contains(c, StringComparison.Ordinal));

    private static string Ranges(IReadOnlyList<int> numbers)
    {
        var ranges = new List<string>();
        for (var i = 0; i < numbers.Count;)
        {
            var end = i + 1;
            while (end < numbers.Count && numbers[end] == numbers[end - 1] + 1)
                end++;
            ranges.Add(Range(numbers[i], numbers[end - 1]));
            i = end;
        }

        return string.Join('+', ranges);
    }

    private static string Range(int first, int last) =>
        first == last ? first.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{first}-{last}");

    private static PlacementException Bad(string message) => new(PlacementFault.BadWish, $"placement: {message}");
}
