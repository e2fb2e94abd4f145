using System.Collections.Concurrent;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>The formats of JSON Schema as languages. Names the specification does not have are annotations.</summary>
internal static class Formats
{
    private const int MaxShared = 4000;
    private const string Date = @"(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29|\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))";
    // RFC 3339; leap seconds where the offset is none.
    private const string TimeOfDay = @"(([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)|23:59:60(\.\d+)?([Zz]|[+-]00:00))";
    private const string Octet = @"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)";
    private const string Ipv4 = Octet + @"(\." + Octet + "){3}";
    private const string Label = "[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
    private const string Unreserved = @"[A-Za-z0-9._~-]";
    private const string Encoded = "%[0-9A-Fa-f]{2}";
    private const string Delimiter = "[!$&'()*+,;=]";
    private const string PathChar = "(" + Unreserved + "|" + Encoded + "|" + Delimiter + "|[:@])";

    private static readonly string Ipv6 = MakeIpv6();
    private static readonly string UriTail = $@"(\?({PathChar}|[/?])*)?(#({PathChar}|[/?])*)?";
    private static readonly string Authority =
        $@"(({Unreserved}|{Encoded}|{Delimiter}|:)*@)?(\[({Ipv6}|[vV][0-9A-Fa-f]+\.({Unreserved}|{Delimiter}|:)+)\]|({Unreserved}|{Encoded}|{Delimiter})*)(:\d*)?";

    private static readonly string UriText =
        $"[A-Za-z][A-Za-z0-9+.-]*:(//{Authority}(/{PathChar}*)*|/({PathChar}+(/{PathChar}*)*)?|{PathChar}+(/{PathChar}*)*|){UriTail}";

    private static readonly string RelativeText =
        $"(//{Authority}(/{PathChar}*)*|/({PathChar}+(/{PathChar}*)*)?|({Unreserved}|{Encoded}|{Delimiter}|@)+(/{PathChar}*)*|){UriTail}";

    private static readonly Dictionary<string, string> Patterns = new(StringComparer.Ordinal)
    {
        ["date"] = Date,
        ["time"] = TimeOfDay,
        ["date-time"] = $"({Date})[Tt]{TimeOfDay}",
        ["duration"] = @"P((\d+W)|(\d+Y(\d+M(\d+D)?)?|\d+M(\d+D)?|\d+D)(T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S))?|T(\d+H(\d+M(\d+S)?)?|\d+M(\d+S)?|\d+S))",
        ["email"] = $@"([A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~-]+)*|""([ !#-\[\]-~]|\\[ -~])*"")@({Label}(\.{Label})*|\[({Ipv4}|IPv6:{Ipv6})\])",

        // RFC 1123. Labels with "--" in third and fourth place are internationalized ones (RFC 5891), whose rules are not regular: none is offered.
        ["hostname"] = $@"(?=.{{1,253}}$)(?!..--)(?!.*\...--){Label}(\.{Label})*",
        ["ipv4"] = Ipv4,
        ["ipv6"] = Ipv6,
        ["uri"] = UriText,
        ["uri-reference"] = $"({UriText}|{RelativeText})",
        ["uuid"] = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
        ["json-pointer"] = "(/([^~/]|~[01])*)*",
        ["relative-json-pointer"] = "(0|[1-9][0-9]*)(#|(/([^~/]|~[01])*)*)",
    };

    private static readonly ConcurrentDictionary<(string Name, TextEncoding Encoding), Lazy<ByteDfa?>> SharedAutomata = [];

    private static readonly string[] NotRegular = ["regex", "idn-email", "idn-hostname", "iri", "iri-reference", "uri-template"];

    /// <summary>Whether the specification has a format of that name that is not enforced here.</summary>
    public static bool IsUnsupported(string name) => NotRegular.Contains(name);

    /// <summary>The texts of a format; null for names that are annotations.</summary>
    public static Term? Find(TermPool pool, string name) => Patterns.TryGetValue(name, out var pattern) ? RegexLanguage.Whole(pool, pattern) : null;

    /// <summary>The automaton of a format that all constraints share, within JSON strings; null where it would be large.</summary>
    public static ByteDfa? Shared(string name, TextEncoding encoding) => SharedAutomata.GetOrAdd((name, encoding), static key => new Lazy<ByteDfa?>(() =>
    {
        var pool = new TermPool();
        var dfa = Find(pool, key.Name) is { } term ? new ByteDfa(pool, term, key.Encoding) : null;
        return dfa is not null && dfa.Freeze(MaxShared) ? dfa : null;
    })).Value;

    /// <summary>RFC 3986: eight groups, of which one run may be left out, the last two written as an IPv4 address or not.</summary>
    private static string MakeIpv6()
    {
        const string group = "[0-9A-Fa-f]{1,4}";
        var last = $"({group}:{group}|{Ipv4})";
        var choices = new List<string> { $"({group}:){{6}}{last}", $"::({group}:){{5}}{last}" };
        for (var before = 1; before <= 5; before++)
            choices.Add($"({group}(:{group}){{0,{before - 1}}})?::({group}:){{{5 - before}}}{last}");
        choices.Add($"({group}(:{group}){{0,5}})?::{group}");
        choices.Add($"({group}(:{group}){{0,6}})?::");
        return "(" + string.Join('|', choices) + ")";
    }
}
