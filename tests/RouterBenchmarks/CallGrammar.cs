using System.Globalization;

namespace Slm.RouterBenchmarks;

/// <summary>
/// Requests in words and the calls that answer them, for four tools: <c>convert</c> copies, <c>add_days</c> copies and maps words,
/// <c>stock</c> fills slots, <c>book</c> has to add two numbers. A pure function of the random numbers it is given.
/// </summary>
internal sealed class CallGrammar(Random random)
{
    private static readonly (string Word, string Code)[] Units =
    [
        ("kilometres", "km"), ("miles", "mi"), ("metres", "m"), ("feet", "ft"), ("kilograms", "kg"), ("pounds", "lb"), ("litres", "l"), ("gallons", "gal"),
        ("grams", "g"), ("ounces", "oz"), ("inches", "in"), ("centimetres", "cm"),
    ];

    private static readonly string[] Months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
    private static readonly string[] Weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    private static readonly string[] Colours = ["red", "blue", "green", "black", "white", "yellow", "grey", "brown"];
    private static readonly string[] Items = ["chair", "lamp", "table", "shelf", "sofa", "desk", "rug", "mirror", "clock", "basket"];
    private static readonly string[] Cities = ["Oslo", "Lyon", "Porto", "Graz", "Turin", "Ghent", "Malmo", "Cork", "Delft", "Basel"];
    private static readonly string[] Idle =
    [
        "Tell me a joke about {0}.", "What do you think of {0}?", "Write a poem about {0}.", "Why do people like {0}?", "I am fond of {0}.", "Who invented {0}?",
    ];

    private static readonly string[] Subjects = ["rain", "cats", "trains", "cheese", "the moon", "football", "gardens", "old books", "the sea", "chess", "bread", "winter"];

    /// <summary>One request of a category.</summary>
    public CallCase Next(string category)
    {
        switch (category)
        {
            case "simple":
                var one = Call(random.Next(4));
                return new CallCase(category, Sentence(one.Words), [one]);
            case "multiple":
                // Two tools are spoken of, one is wanted.
                var (wanted, other) = Two(different: true);
                return new CallCase(category, random.Next(2) == 0
                    ? $"Do not {other.Words}, {wanted.Words}."
                    : $"{Sentence(wanted.Words)[..^1]} instead of what I said before: {other.Words}.", [wanted]);
            case "parallel":
                var (first, second) = Two(different: false);
                return new CallCase(category, $"{Sentence(first.Words)[..^1]} and {second.Words}.", [first, second]);
            case "parallel_multiple":
                var (a, b) = Two(different: true);
                return new CallCase(category, random.Next(2) == 0 ? $"{Sentence(a.Words)[..^1]} and then {b.Words}." : $"{Sentence(b.Words)[..^1]}, but first {a.Words}.", [a, b]);
            case "irrelevance":
                return new CallCase(category, string.Format(CultureInfo.InvariantCulture, Pick(Idle), Pick(Subjects) + (random.Next(3) == 0 ? " and " + Pick(Subjects) : "")), []);
            default:
                throw new ArgumentException($"There is no category '{category}'.", nameof(category));
        }
    }

    private (ToolCall, ToolCall) Two(bool different)
    {
        var first = random.Next(4);
        var second = different ? (first + 1 + random.Next(3)) % 4 : first;
        return (Call(first), Call(second));
    }

    private ToolCall Call(int tool) => tool switch { 0 => Convert(), 1 => AddDays(), 2 => Stock(), _ => Book() };

    private ToolCall Convert()
    {
        var (from, to) = (random.Next(Units.Length), random.Next(Units.Length - 1));
        to += to >= from ? 1 : 0;
        var value = random.Next(2, 100);
        var (f, t) = (Units[from], Units[to]);
        return new ToolCall("convert", random.Next(3) switch
        {
            0 => $"convert {value} {f.Word} to {t.Word}",
            1 => $"give me {value} {f.Word} in {t.Word}",
            _ => $"turn {value} {f.Word} into {t.Word}",
        }, [("value", value), ("from", f.Code), ("to", t.Code)]);
    }

    private ToolCall AddDays()
    {
        var (month, day, days) = (random.Next(12), random.Next(1, 29), random.Next(2, 60));
        return new ToolCall("add_days", random.Next(3) switch
        {
            0 => $"find the date {days} days after {Months[month]} {day}",
            1 => $"say which day comes {days} days after {day} {Months[month]}",
            _ => $"count {days} days on from the {day} of {Months[month]}",
        }, [("month", month + 1), ("day", day), ("days", days)]);
    }

    private ToolCall Stock()
    {
        var (colour, item, city) = (Pick(Colours), Pick(Items), Pick(Cities));
        return new ToolCall("stock", random.Next(3) switch
        {
            0 => $"check how many {colour} {item}s we have in {city}",
            1 => $"look up the {city} stock of {item}s in {colour}",
            _ => $"see if there is a {colour} {item} left in {city}",
        }, [("item", item), ("colour", colour), ("city", city)]);
    }

    private ToolCall Book()
    {
        var (adults, children, day) = (random.Next(1, 30), random.Next(1, 30), random.Next(7));
        return new ToolCall("book", random.Next(3) switch
        {
            0 => $"book a table for {adults} adults and {children} children on {Weekdays[day]}",
            1 => $"reserve seats on {Weekdays[day]} for {adults} guests plus {children} more",
            _ => $"get us a {Weekdays[day]} table, {adults} of us and {children} friends",
        }, [("people", adults + children), ("day", Weekdays[day][..3].ToLowerInvariant())]);
    }

    private T Pick<T>(T[] from) => from[random.Next(from.Length)];

    private static string Sentence(string words) => char.ToUpperInvariant(words[0]) + words[1..] + ".";
}
