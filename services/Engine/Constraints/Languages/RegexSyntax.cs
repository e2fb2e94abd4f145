using System.Globalization;
using System.Text;

namespace Slm.Engine.Constraints.Languages;

/// <summary>A parsed regular expression.</summary>
internal abstract record RegexNode
{
    /// <summary>One character.</summary>
    public sealed record Set(CharSet Members) : RegexNode;

    /// <summary>One after another.</summary>
    public sealed record Sequence(IReadOnlyList<RegexNode> Parts) : RegexNode;

    /// <summary>Any of them.</summary>
    public sealed record Choice(IReadOnlyList<RegexNode> Parts) : RegexNode;

    /// <summary>So many times.</summary>
    public sealed record Loop(RegexNode Body, int Min, int Max) : RegexNode;

    /// <summary>What follows must begin so, or must not.</summary>
    public sealed record Look(RegexNode Body, bool Negative) : RegexNode;

    /// <summary>The beginning or the end of the text.</summary>
    public sealed record Anchor(bool End) : RegexNode;
}

/// <summary>
/// Reads ECMA-262 regular expressions, by code points as with the flag u, and as forgiving as without it (Annex B). What a
/// regular language cannot express, or is not supported, is refused by name.
/// </summary>
internal ref struct RegexSyntax(string pattern)
{
    private const int MaxDepth = 200;
    private readonly string _pattern = pattern;
    private int _at;
    private int _depth;

    /// <summary>Parses the whole pattern.</summary>
    /// <exception cref="ConstraintException">It is malformed or uses what is not supported.</exception>
    public static RegexNode Parse(string pattern)
    {
        var syntax = new RegexSyntax(pattern);
        var node = syntax.ReadChoice();
        if (syntax._at < pattern.Length)
            throw syntax.Error("')' closes no group");
        return node;
    }

    private readonly bool AtEnd => _at >= _pattern.Length;

    private readonly char Current => _pattern[_at];

    private readonly ConstraintException Error(string what) =>
        new("", "pattern", $"The regular expression \"{Shorten(_pattern)}\" cannot be used: {what} at character {_at}.");

    private static string Shorten(string text) => text.Length <= 80 ? text : text[..77] + "...";

    private RegexNode ReadChoice()
    {
        if (++_depth > MaxDepth)
            throw Error($"groups are nested deeper than {MaxDepth}");
        var choices = new List<RegexNode> { ReadSequence() };
        while (!AtEnd && Current == '|')
        {
            _at++;
            choices.Add(ReadSequence());
        }

        _depth--;
        return choices.Count == 1 ? choices[0] : new RegexNode.Choice(choices);
    }

    private RegexNode ReadSequence()
    {
        var parts = new List<RegexNode>();
        while (!AtEnd && Current is not ('|' or ')'))
            parts.Add(ReadQuantified());
        return parts.Count == 1 ? parts[0] : new RegexNode.Sequence(parts);
    }

    private RegexNode ReadQuantified()
    {
        var atom = ReadAtom();
        while (!AtEnd)
        {
            int min, max;
            switch (Current)
            {
                case '*':
                    (min, max) = (0, -1);
                    _at++;
                    break;
                case '+':
                    (min, max) = (1, -1);
                    _at++;
                    break;
                case '?':
                    (min, max) = (0, 1);
                    _at++;
                    break;
                case '{' when TryBounds(out min, out max):
                    break;
                default:
                    return atom;
            }

            // Lazy or greedy: the same language.
            if (!AtEnd && Current == '?')
                _at++;
            else if (!AtEnd && Current == '+')
                throw Error("possessive quantifiers are not part of ECMA-262");
            if (max >= 0 && max < min)
                throw Error($"the bounds {{{min},{max}}} are out of order");
            atom = atom is RegexNode.Anchor or RegexNode.Look ? (min == 0 ? new RegexNode.Sequence([]) : atom) : new RegexNode.Loop(atom, min, max);
        }

        return atom;
    }

    private bool TryBounds(out int min, out int max)
    {
        (min, max) = (0, 0);
        var end = _pattern.IndexOf('}', _at);
        if (end < 0)
            return false;
        var parts = _pattern[(_at + 1)..end].Split(',');
        if (parts.Length > 2 || !TryNumber(parts[0], out min))
            return false;
        if (parts.Length == 1)
            max = min;
        else if (parts[1].Length == 0)
            max = -1;
        else if (!TryNumber(parts[1], out max))
            return false;
        _at = end + 1;
        return true;
    }

    private static bool TryNumber(string text, out int value)
    {
        value = 0;
        if (text.Length == 0 || !text.All(char.IsAsciiDigit))
            return false;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value))
            value = int.MaxValue;
        return true;
    }

    private RegexNode ReadAtom()
    {
        var c = Current;
        switch (c)
        {
            case '^':
                _at++;
                return new RegexNode.Anchor(End: false);
            case '$':
                _at++;
                return new RegexNode.Anchor(End: true);
            case '(':
                return ReadGroup();
            case '.':
                _at++;
                return new RegexNode.Set(UnicodeSets.Dot);
            case '[':
                return new RegexNode.Set(ReadClass());
            case '\\':
                return ReadEscape();
            case '*' or '+' or '?':
                throw Error($"nothing stands before the quantifier '{c}'");
            default:
                return new RegexNode.Set(CharSet.Of(ReadCodePoint()));
        }
    }

    private int ReadCodePoint()
    {
        if (Rune.TryGetRuneAt(_pattern, _at, out var rune))
        {
            _at += rune.Utf16SequenceLength;
            return rune.Value;
        }

        _at++;
        return 0xFFFD;
    }

    private RegexNode ReadGroup()
    {
        _at++;
        bool? negative = null;
        if (!AtEnd && Current == '?')
        {
            var rest = _pattern.AsSpan(_at + 1);
            if (rest.StartsWith(":"))
            {
                _at += 2;
            }
            else if (rest.StartsWith("=") || rest.StartsWith("!"))
            {
                negative = rest[0] == '!';
                _at += 2;
            }
            else if (rest.StartsWith("<=") || rest.StartsWith("<!"))
            {
                throw Error("lookbehind is not supported");
            }
            else if (rest.StartsWith("<") && rest.IndexOf('>') is var end and > 0)
            {
                _at += end + 2;
            }
            else
            {
                throw Error("the group begins with '(?' and something ECMA-262 does not have");
            }
        }

        var body = ReadChoice();
        if (AtEnd)
            throw Error("a group is not closed");
        _at++;
        return negative is { } no ? new RegexNode.Look(body, no) : body;
    }

    private RegexNode.Set ReadEscape()
    {
        if (_at + 1 >= _pattern.Length)
            throw Error("a backslash ends the pattern");
        var c = _pattern[_at + 1];
        if (c is 'b' or 'B')
            throw Error($"the word boundary \\{c} is not supported");
        if (c is >= '1' and <= '9' or 'k')
            throw Error("a back reference is not regular");
        return new RegexNode.Set(ReadEscapedSet(inClass: false, out _));
    }

    /// <summary>What an escape stands for.</summary>
    private CharSet ReadEscapedSet(bool inClass, out int single)
    {
        _at++;
        if (AtEnd)
            throw Error("a backslash ends the pattern");
        var c = Current;
        single = -1;
        switch (c)
        {
            case 'd' or 'D' or 'w' or 'W' or 's' or 'S':
                _at++;
                var set = char.ToLowerInvariant(c) switch { 'd' => UnicodeSets.Digits, 'w' => UnicodeSets.Word, _ => UnicodeSets.Space };
                return char.IsAsciiLetterUpper(c) ? set.Complement() : set;
            case 'p' or 'P':
                var open = _at + 1;
                var end = open < _pattern.Length && _pattern[open] == '{' ? _pattern.IndexOf('}', open) : -1;
                if (end < 0)
                    throw Error($"\\{c} needs a property in braces");
                var name = _pattern[(open + 1)..end];
                var property = UnicodeSets.Property(name) ?? throw Error($"the Unicode property '{name}' is not supported (general categories are)");
                _at = end + 1;
                return c == 'P' ? property.Complement() : property;
        }

        single = ReadEscapedCharacter(inClass);
        return CharSet.Of(single);
    }

    private int ReadEscapedCharacter(bool inClass)
    {
        var c = Current;
        int value;
        switch (c)
        {
            case 't':
                _at++;
                return '\t';
            case 'n':
                _at++;
                return '\n';
            case 'v':
                _at++;
                return '\v';
            case 'f':
                _at++;
                return '\f';
            case 'r':
                _at++;
                return '\r';
            case 'b' when inClass:
                _at++;
                return '\b';
            case '0':
                _at++;
                return 0;
            case 'c' when _at + 1 < _pattern.Length && char.IsAsciiLetter(_pattern[_at + 1]):
                _at += 2;
                return _pattern[_at - 1] % 32;
            case 'x' when TryHex(_at + 1, 2, out value):
                _at += 3;
                return value;
            case 'u' when _at + 1 < _pattern.Length && _pattern[_at + 1] == '{':
                var end = _pattern.IndexOf('}', _at);
                if (end < 0 || !TryHex(_at + 2, end - _at - 2, out value) || value >= CharSet.End)
                    throw Error("\\u{ } needs a code point");
                _at = end + 1;
                return value;
            case 'u' when TryHex(_at + 1, 4, out value):
                _at += 5;
                if (value is >= 0xD800 and <= 0xDBFF && _at + 1 < _pattern.Length && _pattern[_at] == '\\' && _pattern[_at + 1] == 'u'
                    && TryHex(_at + 2, 4, out var low) && low is >= 0xDC00 and <= 0xDFFF)
                {
                    _at += 6;
                    return 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
                }

                return value;
            default:
                if (char.IsAsciiLetterOrDigit(c))
                    throw Error($"the escape \\{c} is not known");
                return ReadCodePoint();
        }
    }

    private readonly bool TryHex(int at, int digits, out int value)
    {
        value = 0;
        return digits is > 0 and <= 6 && at + digits <= _pattern.Length
            && int.TryParse(_pattern.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private CharSet ReadClass()
    {
        _at++;
        var negative = !AtEnd && Current == '^';
        if (negative)
            _at++;
        var ranges = new List<(int, int)>();
        while (true)
        {
            if (AtEnd)
                throw Error("a character class is not closed");
            if (Current == ']')
                break;
            var set = ReadClassAtom(out var low);
            if (low >= 0 && _at + 1 < _pattern.Length && Current == '-' && _pattern[_at + 1] != ']')
            {
                _at++;
                var upper = ReadClassAtom(out var high);
                if (high < 0)
                {
                    // Without the flag u the hyphen is then a character of its own.
                    ranges.AddRange([(low, low), ('-', '-')]);
                    ranges.AddRange(upper.Ranges());
                    continue;
                }

                if (high < low)
                    throw Error("a range of a character class is out of order");
                ranges.Add((low, high));
                continue;
            }

            ranges.AddRange(set.Ranges());
        }

        _at++;
        var result = CharSet.Of(ranges).Intersect(CharSet.All);
        return negative ? result.Complement() : result;
    }

    private CharSet ReadClassAtom(out int single)
    {
        if (AtEnd)
            throw Error("a character class is not closed");
        if (Current == '\\')
            return ReadEscapedSet(inClass: true, out single);
        single = ReadCodePoint();
        return CharSet.Of(single);
    }
}
