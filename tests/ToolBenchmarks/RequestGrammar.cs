using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Slm.Tools.Calls;

namespace Slm.ToolBenchmarks;

/// <summary>Requests in words and the calls that answer them. A pure function of the random numbers it is given.</summary>
internal sealed class RequestGrammar(Random random)
{
    private static readonly string[] Cities =
    [
        "Oslo", "Lyon", "Porto", "Graz", "Turin", "Ghent", "Malmo", "Cork", "Delft", "Basel", "Paris", "London", "Madrid", "Vienna", "Prague", "Rome", "Berlin", "Dublin", "Lisbon", "Athens",
        "Warsaw", "Bergen", "Leeds", "Bath", "York", "Nice", "Bern", "Bonn", "Pisa", "Siena",
    ];

    private static readonly string[] Names = ["Anna", "Ben", "Clara", "David", "Emma", "Finn", "Grace", "Henry", "Ida", "Jack", "Kate", "Leo", "Mia", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tina", "Uma"];
    private static readonly string[] Relations = ["Mom", "Dad", "Grandma", "Uncle Tom", "my sister", "my boss"];
    private static readonly string[] Items =
    [
        "apple", "book", "tent", "towel", "lamp", "pen", "candle", "blanket", "map", "cup", "brush", "shirt", "hat", "loaf of bread", "bag of rice", "box of eggs", "bottle of milk", "jar of honey", "ball", "torch",
    ];

    private static readonly string[] Adjectives = ["red", "blue", "big", "small", "new", "old", "green", "warm", "cheap", "yellow"];
    private static readonly string[] Openings = ["Please ", "Could you ", "Can you ", "I want you to ", "Would you ", "I need you to "];
    private static readonly string[] Syllables = ["ba", "ro", "mi", "ta", "len", "dor", "vi", "ka", "sun", "wel", "to", "ri", "mar", "pe", "no", "gal", "fi", "hol", "stra", "qui"];
    private static readonly string[] Numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    private static readonly string[] Idle =
    [
        "Tell me a joke about {0}.", "What do you think of {0}?", "Write a poem about {0}.", "Why do people like {0}?", "I am fond of {0}.", "Who invented {0}?", "Are you afraid of {0}?", "Let us talk about {0}.",
    ];

    private static readonly string[] Subjects = ["rain", "cats", "trains", "cheese", "the moon", "football", "gardens", "old books", "the sea", "chess", "bread", "winter", "jazz", "kitchens", "alarms", "messages"];

    private static readonly string[] All = [.. Toolbox.Functions.Select(f => f.Name)];

    /// <summary>One case of a category.</summary>
    public ToolCase Next(string category, string id)
    {
        var names = Shuffled(All);
        switch (category)
        {
            case "simple":
                return Case([names[0]], 1, 1);
            case "multiple":
                return Case(names[..random.Next(2, 5)], 1, 1);
            case "parallel":
                return Case([names[0]], random.Next(2, 4), 1);
            case "parallel_multiple":
                var different = random.Next(2, 4);
                return Case(names[..random.Next(different, 5)], different, different);
            case "irrelevance":
                var offered = names[..random.Next(1, 4)];
                var request = random.Next(3) == 0
                    ? string.Format(CultureInfo.InvariantCulture, Pick(Idle), Pick(Subjects) + (random.Next(4) == 0 ? " and " + Pick(Subjects) : ""))
                    : Sentence([Ask(names[^1]).Words]);
                return new ToolCase(id, category, offered, request, []);
            default:
                throw new ArgumentException($"There is no category '{category}'.", nameof(category));
        }

        ToolCase Case(string[] tools, int calls, int functions)
        {
            var asked = Enumerable.Range(0, calls).Select(i => Ask(tools[i % functions])).ToArray();
            return new ToolCase(id, category, Shuffled(tools), Sentence([.. asked.Select(a => a.Words)]), [.. asked.Select((a, i) => new FunctionCall($"call_{i}", a.Name, Spaced(a.Arguments)))]);
        }
    }

    /// <summary>What an assistant says of the results of its calls.</summary>
    public static string Report(IReadOnlyList<string> results) => results.Count == 1 ? $"Done: {results[0]}" : $"Done: {string.Join("; ", results)}";

    /// <summary>What an assistant says where no function helps.</summary>
    public const string NoTool = "None of my tools can do that.";

    private (string Name, string Words, JsonObject Arguments) Ask(string name)
    {
        var (words, arguments) = name switch
        {
            "convert" => Convert(),
            "alarm" => Alarm(),
            "weather" => Weather(),
            "book" => Book(),
            "light" => Light(),
            "play" => Play(),
            "add_item" => AddItem(),
            "send" => Send(),
            "translate" => Translate(),
            "calculate" => Calculate(),
            "add_days" => AddDays(),
            _ => Trains(),
        };
        return (name, words, arguments);
    }

    private (string, JsonObject) Convert()
    {
        var from = Pick(Toolbox.Units);
        var to = Pick([.. Toolbox.Units.Where(u => u.Kind == from.Kind && u.Code != from.Code)]);
        var value = Value();
        var (a, b) = (Pick(from.Words), Pick(to.Words));
        return (Pick([$"convert {value} {a} to {b}", $"turn {value} {a} into {b}", $"tell me how many {b} {value} {a} are"]), Of(("value", value), ("from", from.Code), ("to", to.Code)));
    }

    private (string, JsonObject) Alarm()
    {
        var (hour, morning) = (random.Next(1, 13), random.Next(2) == 0);
        var minute = random.Next(3) == 0 ? Pick([0, 15, 30, 45]) : random.Next(60);
        var half = morning ? "in the morning" : Pick(["in the evening", "in the afternoon", "at night"]);
        var time = minute switch
        {
            0 => Pick([$"{hour}", $"{Numbers[hour - 1]}", $"{hour}:00"]),
            15 => Pick([$"quarter past {Numbers[hour - 1]}", $"{hour}:15"]),
            30 => Pick([$"half past {Numbers[hour - 1]}", $"{hour}:30"]),
            _ => $"{hour}:{minute:00}",
        };
        return (Pick([$"set an alarm for {time} {half}", $"wake me at {time} {half}", $"let the alarm ring at {time} {half}"]), Of(("hour", hour), ("minute", minute), ("half", morning ? "am" : "pm")));
    }

    private (string, JsonObject) Weather()
    {
        var (city, day) = (City(), Pick(Toolbox.Days));
        return (Pick([$"tell me the weather in {city} on {Big(day)}", $"look up the {Big(day)} weather in {city}", $"find out if it will rain in {city} on {Big(day)}"]), Of(("city", city), ("day", day)));
    }

    private (string, JsonObject) Book()
    {
        var (place, people, day) = (Place(), random.Next(2, 21), Pick(Toolbox.Days));
        var count = people <= 12 && random.Next(3) == 0 ? Numbers[people - 1] : $"{people}";
        return (Pick([$"book a table for {count} at {place} on {Big(day)}", $"reserve a {Big(day)} table for {count} people at {place}", $"get us a table at {place} for {count} guests on {Big(day)}"]),
            Of(("place", place), ("people", people), ("day", day)));
    }

    private (string, JsonObject) Light()
    {
        var (room, on) = (Pick(Toolbox.Rooms), random.Next(2) == 0);
        if (on && random.Next(2) == 0)
        {
            var percent = random.Next(1, 101);
            return (Pick([$"set the {room} light to {percent} percent", $"turn the light in the {room} on at {percent} percent"]), Of(("room", room), ("on", true), ("brightness", percent)));
        }

        var state = on ? "on" : "off";
        return (Pick([$"turn {state} the light in the {room}", $"switch the {room} light {state}", $"turn the {room} light {state}"]), Of(("room", room), ("on", on)));
    }

    private (string, JsonObject) Play()
    {
        var genre = Pick(Toolbox.Genres);
        var arguments = Of(("genre", genre));
        var words = Pick([$"play some {genre}", $"put on {genre} music", $"play {genre}"]);
        if (random.Next(2) == 0)
        {
            var volume = random.Next(11);
            arguments["volume"] = volume;
            words += $" at volume {volume}";
        }

        if (random.Next(2) == 0)
        {
            var room = Pick(Toolbox.Rooms);
            arguments["room"] = room;
            words += $" in the {room}";
        }

        return (words, arguments);
    }

    private (string, JsonObject) AddItem()
    {
        var item = (random.Next(2) == 0 ? Pick(Adjectives) + " " : "") + Pick(Items);
        var list = Pick(Toolbox.Lists);
        if (random.Next(2) == 0)
            return (Pick([$"put a {item} on my {list} list", $"add a {item} to the {list} list"]), Of(("item", item), ("list", list)));
        var count = random.Next(2, 30);
        var many = count <= 12 && random.Next(3) == 0 ? Numbers[count - 1] : $"{count}";
        return (Pick([$"put {many} times {item} on my {list} list", $"add {item}, {many} of it, to the {list} list"]), Of(("item", item), ("count", count), ("list", list)));
    }

    private (string, JsonObject) Send()
    {
        var (to, text) = (random.Next(4) == 0 ? Pick(Relations) : random.Next(3) == 0 ? Invented() : Pick(Names), Message());
        return (Pick([$"tell {to} that {text}", $"send {to} a message: {text}", $"let {to} know that {text}", $"write to {to} that {text}"]), Of(("to", to), ("text", text)));
    }

    private (string, JsonObject) Translate()
    {
        var (text, language) = (random.Next(2) == 0 ? Message() : $"the {Pick(Adjectives)} {Pick(Items)}", Pick(Toolbox.Languages));
        return (Pick([$"translate \"{text}\" into {Big(language)}", $"say \"{text}\" in {Big(language)}", $"give me the {Big(language)} for \"{text}\""]), Of(("text", text), ("language", language)));
    }

    private (string, JsonObject) Calculate()
    {
        var (a, b, operation) = (Value(), Value(), random.Next(4));
        return operation switch
        {
            0 => (Pick([$"add {a} and {b}", $"work out {a} plus {b}"]), Of(("operation", "add"), ("a", a), ("b", b))),
            1 when random.Next(2) == 0 => (Pick([$"take {b} from {a}", $"subtract {b} from {a}"]), Of(("operation", "subtract"), ("a", a), ("b", b))),
            1 => ($"work out {a} minus {b}", Of(("operation", "subtract"), ("a", a), ("b", b))),
            2 => (Pick([$"multiply {a} by {b}", $"work out {a} times {b}"]), Of(("operation", "multiply"), ("a", a), ("b", b))),
            _ => ($"divide {a} by {b}", Of(("operation", "divide"), ("a", a), ("b", b))),
        };
    }

    private (string, JsonObject) AddDays()
    {
        var (month, day, days) = (random.Next(1, 13), random.Next(1, 29), random.Next(2, 90));
        var name = CultureInfo.InvariantCulture.DateTimeFormat.GetMonthName(month);
        return (Pick([$"find the date {days} days after {name} {day}", $"say which day comes {days} days after {day} {name}", $"count {days} days on from the {day} of {name}"]),
            Of(("month", month), ("day", day), ("days", days)));
    }

    private (string, JsonObject) Trains()
    {
        var (from, to) = (City(), City());
        var arguments = Of(("from", from), ("to", to));
        var words = Pick([$"find a train from {from} to {to}", $"look for trains to {to} from {from}", $"show me how to get from {from} to {to} by train"]);
        if (random.Next(2) == 0)
        {
            var day = Pick(Toolbox.Days);
            arguments["day"] = day;
            words += $" on {Big(day)}";
        }

        return (words, arguments);
    }

    private string Message() => Pick([
        $"dinner is at {Numbers[random.Next(12)]}", "I will be late", $"the {Pick(Items)} is {Pick(Adjectives)}", $"{Pick(Names)} has the {Pick(Items)}", $"we are in {City()}",
        $"I lost the {Pick(Adjectives)} {Pick(Items)}", $"the train to {City()} is late", "I am at home", $"{Pick(Names)} is ill",
    ]);

    private string City() => random.Next(3) == 0 ? Invented() : Pick(Cities);

    private string Place() => Pick([$"Chez {Pick(Names)}", $"The {Big(Pick(Adjectives))} {Big(Pick(Items[..13]))}", Invented(), $"{Pick(Names)}'s"]);

    /// <summary>A name that stands in no list: it has to be copied.</summary>
    private string Invented() => Big(string.Concat(Enumerable.Range(0, random.Next(2, 4)).Select(_ => Pick(Syllables))));

    private object Value() => random.Next(4) == 0 ? Math.Round((random.Next(1, 100) + (random.Next(1, 10) / 10.0)), 1) : random.Next(3) == 0 ? random.Next(100, 1000) : random.Next(2, 100);

    private string Sentence(IReadOnlyList<string> words)
    {
        var text = words.Count switch
        {
            1 => words[0],
            2 => Pick([$"{words[0]} and {words[1]}", $"{words[0]}, then {words[1]}", $"{words[0]}. Also {words[1]}"]),
            _ => Pick([$"{string.Join(", ", words.SkipLast(1))} and {words[^1]}", $"{string.Join(", then ", words)}"]),
        };
        if (random.Next(2) == 0)
            return Big(text) + ".";
        var opening = Pick(Openings);
        return opening + text + (opening[0] is 'C' or 'W' ? "?" : ".");
    }

    private T Pick<T>(T[] from) => from[random.Next(from.Length)];

    private string[] Shuffled(string[] from)
    {
        var copy = from.ToArray();
        random.Shuffle(copy);
        return copy;
    }

    private static string Big(string words) => char.ToUpperInvariant(words[0]) + words[1..];

    private static JsonObject Of(params (string Name, object Value)[] arguments) => new(arguments.Select(a => KeyValuePair.Create(a.Name, JsonSerializer.SerializeToNode(a.Value))));

    /// <summary>JSON as models write it, with a space behind commas and colons.</summary>
    private static string Spaced(JsonObject arguments) => $"{{{string.Join(", ", arguments.Select(a => $"\"{a.Key}\": {a.Value!.ToJsonString(Plain)}"))}}}";

    private static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
