using System.Globalization;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.Patterns;

/// <summary>Character classes and escapes of a pattern.</summary>
internal sealed class RegexClassParser(int[] p, string pattern, bool ignoreCase)
{
    private const int MaxDepth = 50;
    private int _depth;

    /// <summary>Parses a class; <paramref name="at"/> stands behind its '['.</summary>
    public CharClass Parse(ref int at) => new(ParseSet(ref at));

    /// <summary>Parses an escape that stands for a set of code points; <paramref name="at"/> stands behind its backslash.</summary>
    public CharClass ParseEscape(ref int at)
    {
        var (set, literal) = Escape(ref at);
        return set is null ? Literal(literal, ignoreCase) : new CharClass(set);
    }

    public static CharClass Literal(int c, bool ignoreCase) => new(ignoreCase ? x => Fold(x) == Fold(c) : x => x == c);

    /// <summary>Simple case folding, as (?i) uses it: long s and the Kelvin and Angstrom signs fold to s, k, å.</summary>
    private static int Fold(int c) => c switch
    {
        0x017F => 's',
        0x212A => 'k',
        0x212B => 0xE5,
        0x1E9E => 0xDF,
        0x03C2 => 0x03C3,
        < 0x80 => c is >= 'A' and <= 'Z' ? c + 32 : c,
        >= 0xD800 and <= 0xDFFF => c,
        _ => System.Text.Rune.ToLowerInvariant(new System.Text.Rune(c)).Value,
    };

    private Func<int, bool> ParseSet(ref int at)
    {
        if (++_depth > MaxDepth)
            throw Error("classes nested too deeply", at);
        var negated = at < p.Length && p[at] == '^';
        if (negated)
            at++;
        Func<int, bool>? intersection = null;
        var sets = new List<Func<int, bool>>();
        var ranges = new List<(int Low, int High)>();
        for (var first = true; ; first = false)
        {
            if (at >= p.Length)
                throw Error("'[' is not closed", at);
            var c = p[at];
            if (c == ']' && !first)
                break;
            if (c == '&' && at + 1 < p.Length && p[at + 1] == '&')
            {
                at += 2;
                intersection = And(intersection, Union(sets, ranges));
                (sets, ranges) = ([], []);
                continue;
            }

            if (c == '[')
            {
                at++;
                sets.Add(Take(p, ref at, "[:") ?? ParseSet(ref at));
                continue;
            }

            at++;
            var low = c;
            if (c == '\\')
            {
                var (set, literal) = Escape(ref at);
                if (set is not null)
                {
                    sets.Add(set);
                    continue;
                }

                low = literal;
            }

            var high = low;
            if (at + 1 < p.Length && p[at] == '-' && p[at + 1] != ']')
            {
                var save = at++;
                high = p[at++];
                if (high == '\\')
                {
                    var (set, literal) = Escape(ref at);
                    high = literal;
                    if (set is not null)
                        (at, high) = (save, low);
                }
                else if (high == '[')
                {
                    (at, high) = (save, low);
                }

                if (high < low)
                    throw Error("a range has its ends reversed", at);
            }

            ranges.Add((low, high));
        }

        at++;
        _depth--;
        var all = And(intersection, Union(sets, ranges));
        return negated ? c => !all(c) : all;
    }

    // POSIX classes: [[:alpha:]].
    private Func<int, bool>? Take(int[] text, ref int at, string opening)
    {
        if (at >= text.Length || text[at] != opening[1])
            return null;
        var end = at + 1;
        while (end < text.Length && text[end] != ':')
            end++;
        var name = string.Concat(text[(at + 1)..end].Select(c => (char)c));
        var negated = name.StartsWith('^');
        Func<int, bool> set = name.TrimStart('^') switch
        {
            "alpha" => c => UnicodeProperties.Find("L")!(c) || CharClass.IsMark(c),
            "digit" => UnicodeProperties.Find("Nd")!,
            "alnum" => c => UnicodeProperties.Find("L")!(c) || CharClass.IsMark(c) || UnicodeProperties.Find("Nd")!(c),
            "upper" => UnicodeProperties.Find("Lu")!,
            "lower" => UnicodeProperties.Find("Ll")!,
            "space" => CharClass.IsWhiteSpace,
            "punct" => c => CharClass.IsPunctuation(c) || "$+<=>^`|~".Contains((char)Math.Min(c, 0xFFFF), StringComparison.Ordinal),
            "word" => CharClass.IsWord,
            _ => throw Error($"unknown class [:{name}:]", at),
        };
        at = end + 2;
        return negated ? c => !set(c) : set;
    }

    private static Func<int, bool> And(Func<int, bool>? a, Func<int, bool> b) => a is null ? b : c => a(c) && b(c);

    private Func<int, bool> Union(List<Func<int, bool>> sets, List<(int Low, int High)> ranges)
    {
        var (s, r) = (sets.ToArray(), ranges.ToArray());
        bool Contains(int c)
        {
            foreach (var (low, high) in r)
            {
                if (c >= low && c <= high)
                    return true;
            }

            foreach (var set in s)
            {
                if (set(c))
                    return true;
            }

            return false;
        }

        if (!ignoreCase)
            return Contains;
        var folded = new HashSet<int>();
        for (var c = 0; c < 0x1E944; c++)
        {
            if (c is < 0xD800 or > 0xDFFF && Contains(c))
                folded.Add(Fold(c));
        }

        return c => Contains(c) || folded.Contains(Fold(c));
    }

    private (Func<int, bool>? Set, int Literal) Escape(ref int at)
    {
        if (at >= p.Length)
            throw Error("a backslash ends the pattern", at);
        var c = p[at++];
        switch (c)
        {
            case 's': return (CharClass.IsWhiteSpace, 0);
            case 'S': return (static x => !CharClass.IsWhiteSpace(x), 0);
            case 'd': return (UnicodeProperties.Find("Nd"), 0);
            case 'D': return (static x => !UnicodeProperties.Find("Nd")!(x), 0);
            case 'w': return (CharClass.IsWord, 0);
            case 'W': return (static x => !CharClass.IsWord(x), 0);
            case 'h': return (static x => x < 128 && char.IsAsciiHexDigit((char)x), 0);
            case 'p' or 'P': return (Property(ref at, c == 'P'), 0);
            case 'n': return (null, '\n');
            case 'r': return (null, '\r');
            case 't': return (null, '\t');
            case 'f': return (null, '\f');
            case 'v': return (null, '\v');
            case 'a': return (null, 7);
            case 'e': return (null, 27);
            case '0': return (null, 0);
            case 'b': return (null, 8);
            case 'x' or 'u' or 'U': return (null, Hex(ref at, c == 'x' ? 2 : c == 'u' ? 4 : 8));
            default:
                if (c < 128 && char.IsAsciiLetterOrDigit((char)c))
                    throw Error($"unknown escape \\{(char)c}", at);
                return (null, c);
        }
    }

    private int Hex(ref int at, int digits)
    {
        int end;
        var braces = at < p.Length && p[at] == '{';
        if (braces)
        {
            at++;
            end = Array.IndexOf(p, '}', at);
        }
        else
        {
            end = Math.Min(at + digits, p.Length);
        }

        var text = end < at ? "" : string.Concat(p[at..end].Select(c => (char)c));
        if (!int.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) || value is < 0 or > 0x10FFFF)
            throw Error($"\"{text}\" is no code point", at);
        at = braces ? end + 1 : end;
        return value;
    }

    private Func<int, bool> Property(ref int at, bool negated)
    {
        string name;
        if (at < p.Length && p[at] == '{')
        {
            var end = Array.IndexOf(p, '}', at);
            if (end < 0)
                throw Error("\\p{ is not closed", at);
            name = string.Concat(p[(at + 1)..end].Select(c => (char)c));
            at = end + 1;
        }
        else
        {
            name = at < p.Length ? char.ConvertFromUtf32(p[at++]) : "";
        }

        if (name.StartsWith('^'))
            (negated, name) = (!negated, name[1..]);
        var set = UnicodeProperties.Find(name) ?? throw Error($"unknown property \\p{{{name}}}", at);
        return negated ? c => !set(c) : set;
    }

    private TokenizerFormatException Error(string message, int at) => new($"split pattern \"{pattern}\": {message} at position {at}");
}
