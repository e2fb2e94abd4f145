using System.Globalization;
using System.Text.Json;
using Slm.Tools.Calls;
using Slm.Tools.Functions;

namespace Slm.ToolBenchmarks;

/// <summary>
/// The functions of the set, which really run: pure functions of their arguments, over small tables where they need a world. Results are
/// JSON, and two calls are taken for the same if they give the same result.
/// </summary>
public static class Toolbox
{
    /// <summary>Units and how many of the first of their kind one is.</summary>
    internal static readonly (string Code, string[] Words, string Kind, double Factor)[] Units =
    [
        ("m", ["metres", "meters"], "length", 1), ("km", ["kilometres", "kilometers"], "length", 1000), ("mi", ["miles"], "length", 1609.344), ("ft", ["feet"], "length", 0.3048),
        ("g", ["grams"], "weight", 1), ("kg", ["kilograms", "kilos"], "weight", 1000), ("lb", ["pounds"], "weight", 453.59237), ("oz", ["ounces"], "weight", 28.349523125),
    ];

    internal static readonly string[] Days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    internal static readonly string[] Rooms = ["kitchen", "bedroom", "garage", "hall", "bathroom", "garden"];
    internal static readonly string[] Genres = ["jazz", "rock", "folk", "opera", "blues"];
    internal static readonly string[] Lists = ["shopping", "packing", "reading", "wish"];
    internal static readonly string[] Languages = ["french", "german", "spanish", "italian", "dutch"];
    internal static readonly string[] Operations = ["add", "subtract", "multiply", "divide"];

    /// <summary>All functions, by name.</summary>
    public static IReadOnlyList<FunctionSpec> Functions { get; } =
    [
        Spec("convert", "Converts a quantity to another unit of its kind.", """{"value": {"type": "number"}, "from": UNIT, "to": UNIT}""", ["value", "from", "to"]),
        Spec("alarm", "Sets an alarm.", """{"hour": {"type": "integer", "minimum": 1, "maximum": 12}, "minute": {"type": "integer", "minimum": 0, "maximum": 59}, "half": {"enum": ["am", "pm"]}}""", ["hour", "minute", "half"]),
        Spec("weather", "The weather of a city on a day.", """{"city": {"type": "string", "minLength": 1, "maxLength": 60}, "day": DAY}""", ["city", "day"]),
        Spec("book", "Books a table.", """{"place": {"type": "string", "minLength": 1, "maxLength": 60}, "people": {"type": "integer", "minimum": 1, "maximum": 99}, "day": DAY}""", ["place", "people", "day"]),
        Spec("light", "Switches the light of a room, and dims it if asked to.", """{"room": ROOM, "on": {"type": "boolean"}, "brightness": {"type": "integer", "minimum": 1, "maximum": 100}}""", ["room", "on"]),
        Spec("play", "Plays music.", """{"genre": GENRE, "volume": {"type": "integer", "minimum": 0, "maximum": 10}, "room": ROOM}""", ["genre"]),
        Spec("add_item", "Puts something on a list.", """{"item": {"type": "string", "minLength": 1, "maxLength": 60}, "count": {"type": "integer", "minimum": 1}, "list": LIST}""", ["item", "list"]),
        Spec("send", "Sends somebody a message.", """{"to": {"type": "string", "minLength": 1, "maxLength": 60}, "text": {"type": "string", "minLength": 1, "maxLength": 60}}""", ["to", "text"]),
        Spec("translate", "Translates words.", """{"text": {"type": "string", "minLength": 1, "maxLength": 60}, "language": LANGUAGE}""", ["text", "language"]),
        Spec("calculate", "Calculates with two numbers.", """{"operation": OPERATION, "a": {"type": "number"}, "b": {"type": "number"}}""", ["operation", "a", "b"]),
        Spec("add_days", "The date some days after another.", """{"month": {"type": "integer", "minimum": 1, "maximum": 12}, "day": {"type": "integer", "minimum": 1, "maximum": 31}, "days": {"type": "integer", "minimum": 0}}""", ["month", "day", "days"]),
        Spec("trains", "Trains from one city to another.", """{"from": {"type": "string", "minLength": 1, "maxLength": 60}, "to": {"type": "string", "minLength": 1, "maxLength": 60}, "day": DAY}""", ["from", "to"]),
    ];

    /// <summary>A registry that runs some of the functions.</summary>
    public static FunctionRegistry Registry(IEnumerable<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        var registry = new FunctionRegistry();
        foreach (var name in names)
            registry.Register(Function(name), (arguments, _) => Task.FromResult(Run(name, arguments)));
        return registry;
    }

    /// <summary>A function by its name.</summary>
    public static FunctionSpec Function(string name) => Functions.First(f => f.Name == name);

    private static string Run(string name, JsonElement arguments)
    {
        string Text(string key) => arguments.GetProperty(key).GetString()!;
        double Number(string key) => arguments.GetProperty(key).GetDouble();
        // 3 and 3.0 are one integer of JSON Schema.
        int Integer(string key) => checked((int)Number(key));
        T? Maybe<T>(string key, Func<string, T> read)
            where T : struct => arguments.TryGetProperty(key, out _) ? read(key) : null;
        object result = name switch
        {
            "convert" => Convert(Number("value"), Text("from"), Text("to")),
            "alarm" => new { alarm = string.Create(CultureInfo.InvariantCulture, $"{(Integer("hour") % 12) + (Text("half") == "pm" ? 12 : 0):00}:{Integer("minute"):00}") },
            "weather" => new { city = Text("city"), day = Text("day"), sky = new[] { "sun", "rain", "snow", "clouds" }[Hash(Text("city") + Text("day")) % 4], degrees = (Hash(Text("day") + Text("city")) % 35) - 5 },
            "book" => new { place = Text("place"), people = Integer("people"), day = Text("day"), number = 1000 + (Hash(Text("place")) % 9000) },
            "light" => new { room = Text("room"), on = arguments.GetProperty("on").GetBoolean(), brightness = Maybe("brightness", Integer) },
            "play" => new { genre = Text("genre"), volume = Maybe("volume", Integer), room = arguments.TryGetProperty("room", out var room) ? room.GetString() : null },
            "add_item" => new { item = Text("item"), count = Maybe("count", Integer) ?? 1, list = Text("list") },
            "send" => new { to = Text("to"), text = Text("text") },
            "translate" => new { text = Text("text"), language = Text("language") },
            "calculate" => new { result = Calculate(Text("operation"), Number("a"), Number("b")) },
            "add_days" => new { date = new DateOnly(2026, Integer("month"), Integer("day")).AddDays(Integer("days")).ToString("d MMMM", CultureInfo.InvariantCulture) },
            "trains" => new { from = Text("from"), to = Text("to"), day = arguments.TryGetProperty("day", out var day) ? day.GetString() : null, departs = 5 + (Hash(Text("from") + Text("to")) % 18) },
            _ => throw new ArgumentException($"There is no function '{name}'.", nameof(name)),
        };
        return JsonSerializer.Serialize(new { function = name, result });
    }

    private static object Convert(double value, string from, string to)
    {
        var (a, b) = (Units.First(u => u.Code == from), Units.First(u => u.Code == to));
        return a.Kind == b.Kind ? new { value = Math.Round(value * a.Factor / b.Factor, 6), unit = to }
            : throw new ArgumentException($"{from} is a unit of {a.Kind}, {to} of {b.Kind}.");
    }

    private static double Calculate(string operation, double a, double b) => Math.Round(operation switch
    {
        "add" => a + b,
        "subtract" => a - b,
        "multiply" => a * b,
        _ => b != 0 ? a / b : throw new ArgumentException("Nothing can be divided by zero."),
    }, 6);

    private static FunctionSpec Spec(string name, string description, string properties, string[] required)
    {
        static string Enum(IEnumerable<string> values) => $$"""{"enum": {{JsonSerializer.Serialize(values)}}}""";
        properties = properties.Replace("UNIT", Enum(Units.Select(u => u.Code)), StringComparison.Ordinal).Replace("DAY", Enum(Days), StringComparison.Ordinal)
            .Replace("ROOM", Enum(Rooms), StringComparison.Ordinal).Replace("GENRE", Enum(Genres), StringComparison.Ordinal).Replace("LIST", Enum(Lists), StringComparison.Ordinal)
            .Replace("LANGUAGE", Enum(Languages), StringComparison.Ordinal).Replace("OPERATION", Enum(Operations), StringComparison.Ordinal);
        return new FunctionSpec(name, description, $$"""{"type": "object", "properties": {{properties}}, "required": {{JsonSerializer.Serialize(required)}}, "additionalProperties": false}""");
    }

    private static int Hash(string text) => text.Aggregate(17, (hash, c) => ((hash * 31) + c) & 0xFFFFFF);
}
