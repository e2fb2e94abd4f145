using System.Globalization;
using System.Text;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Grammars;

/// <summary>A parsed right-hand side.</summary>
internal abstract record GrammarNode
{
    /// <summary>A fixed text.</summary>
    public sealed record Literal(string Text) : GrammarNode;

    /// <summary>One character.</summary>
    public sealed record Set(CharSet Members) : GrammarNode;

    /// <summary>What another rule describes.</summary>
    public sealed record Rule(string Name) : GrammarNode;

    /// <summary>One after another.</summary>
    public sealed record Sequence(IReadOnlyList<GrammarNode> Parts) : GrammarNode;

    /// <summary>Any of them.</summary>
    public sealed record Choice(IReadOnlyList<GrammarNode> Parts) : GrammarNode;

    /// <summary>So many times; -1: without a limit.</summary>
    public sealed record Loop(GrammarNode Body, int Min, int Max) : GrammarNode;
}

/// <summary>Reads grammars in GBNF, the notation of llama.cpp: rules "name ::= …" with literals, character classes, groups, alternatives and repetitions.</summary>
internal ref struct GrammarSyntax(string text)
{
    private const int MaxDepth = 200;
    private readonly string _text = text;
    private int _at;
    private int _depth;

    /// <summary>The rules by name.</summary>
    /// <exception cref="ConstraintException">The grammar is malformed.</exception>
    public static Dictionary<string, GrammarNode> Parse(string text)
    {
        var syntax = new GrammarSyntax(text);
        var rules = new Dictionary<string, GrammarNode>(StringComparer.Ordinal);
        syntax.Skip(lines: true);
        while (syntax._at < text.Length)
        {
            var name = syntax.ReadName();
            syntax.Skip(lines: false);
            if (!syntax._text.AsSpan(syntax._at).StartsWith("::="))
                throw syntax.Error($"\"::=\" is missing behind the rule name \"{name}\"");
            syntax._at += 3;
            syntax.Skip(lines: true);
            if (!rules.TryAdd(name, syntax.ReadChoice(nested: false)))
                throw syntax.Error($"the rule \"{name}\" is there twice");
            syntax.Skip(lines: true);
        }

        return rules;
    }

    private readonly char Current => _at < _text.Length ? _text[_at] : '\0';

    private readonly ConstraintException Error(string what)
    {
        var line = _text.AsSpan(0, Math.Min(_at, _text.Length)).Count('\n') + 1;
        var column = Math.Min(_at, _text.Length) - (_text.LastIndexOf('\n', Math.Max(0, Math.Min(_at, _text.Length) - 1)) + 1) + 1;
        return new ConstraintException($"line {line}, column {column}", "grammar", $"{what}.");
    }

    private void Skip(bool lines)
    {
        while (_at < _text.Length)
        {
            if (Current == '#')
                _at = _text.IndexOf('\n', _at) is var end and >= 0 ? end : _text.Length;
            else if (Current is ' ' or '\t' || (lines && Current is '\r' or '\n'))
                _at++;
            else
                return;
        }
    }

    private string ReadName()
    {
        var start = _at;
        while (char.IsAsciiLetterOrDigit(Current) || Current is '-' or '_')
            _at++;
        return _at > start ? _text[start.._at] : throw Error(_at < _text.Length ? $"a rule name cannot begin with '{Current}'" : "a rule name is missing");
    }

    private GrammarNode ReadChoice(bool nested)
    {
        if (++_depth > MaxDepth)
            throw Error($"groups are nested deeper than {MaxDepth}");
        var choices = new List<GrammarNode> { ReadSequence(nested) };
        while (Current == '|')
        {
            _at++;
            Skip(lines: true);
            choices.Add(ReadSequence(nested));
        }

        _depth--;
        return choices.Count == 1 ? choices[0] : new GrammarNode.Choice(choices);
    }

    private GrammarNode ReadSequence(bool nested)
    {
        var parts = new List<GrammarNode>();
        while (true)
        {
            Skip(nested);

            // An alternative may go on in the next line.
            if (!nested && Current is '\r' or '\n')
            {
                var here = _at;
                Skip(lines: true);
                if (Current == '|')
                    break;
                _at = here;
                break;
            }

            if (_at >= _text.Length || Current is '|' or ')')
                break;
            parts.Add(ReadRepeated(nested));
        }

        return parts.Count == 1 ? parts[0] : new GrammarNode.Sequence(parts);
    }

    private GrammarNode ReadRepeated(bool nested)
    {
        var item = ReadItem();
        while (true)
        {
            var here = _at;
            Skip(nested);
            switch (Current)
            {
                case '*':
                    _at++;
                    item = new GrammarNode.Loop(item, 0, -1);
                    break;
                case '+':
                    _at++;
                    item = new GrammarNode.Loop(item, 1, -1);
                    break;
                case '?':
                    _at++;
                    item = new GrammarNode.Loop(item, 0, 1);
                    break;
                case '{':
                    item = ReadBounds(item);
                    break;
                default:
                    _at = here;
                    return item;
            }
        }
    }

    private GrammarNode.Loop ReadBounds(GrammarNode item)
    {
        var end = _text.IndexOf('}', _at);
        var parts = end < 0 ? [] : _text[(_at + 1)..end].Split(',');
        var min = 0;
        var max = -1;
        if (parts.Length is not (1 or 2) || !int.TryParse(parts[0].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out min)
            || (parts.Length == 2 && parts[1].Trim().Length > 0 && !int.TryParse(parts[1].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out max)))
        {
            throw Error("a repetition is {m}, {m,} or {m,n}");
        }

        if (parts.Length == 1)
            max = min;
        if (max >= 0 && max < min)
            throw Error($"the bounds {{{min},{max}}} are out of order");
        _at = end + 1;
        return new GrammarNode.Loop(item, min, max);
    }

    private GrammarNode ReadItem()
    {
        switch (Current)
        {
            case '"':
                return ReadLiteral();
            case '[':
                return ReadClass();
            case '.':
                _at++;
                return new GrammarNode.Set(CharSet.All);
            case '(':
                _at++;
                Skip(lines: true);
                var body = ReadChoice(nested: true);
                if (Current != ')')
                    throw Error("a group is not closed");
                _at++;
                return body;
            default:
                return new GrammarNode.Rule(ReadName());
        }
    }

    private GrammarNode.Literal ReadLiteral()
    {
        _at++;
        var text = new StringBuilder();
        while (Current != '"')
        {
            if (_at >= _text.Length)
                throw Error("a literal is not closed");
            text.Append(new Rune(ReadCharacter()).ToString());
        }

        _at++;
        return new GrammarNode.Literal(text.ToString());
    }

    private GrammarNode.Set ReadClass()
    {
        _at++;
        var negative = Current == '^';
        if (negative)
            _at++;
        var ranges = new List<(int, int)>();
        while (Current != ']')
        {
            if (_at >= _text.Length)
                throw Error("a character class is not closed");
            var low = ReadCharacter();
            if (Current == '-' && _at + 1 < _text.Length && _text[_at + 1] != ']')
            {
                _at++;
                var high = ReadCharacter();
                if (high < low)
                    throw Error("a range of a character class is out of order");
                ranges.Add((low, high));
            }
            else
            {
                ranges.Add((low, low));
            }
        }

        _at++;
        var set = CharSet.Of(ranges).Intersect(CharSet.All);
        return new GrammarNode.Set(negative ? set.Complement() : set);
    }

    private int ReadCharacter()
    {
        if (Current != '\\')
        {
            if (!Rune.TryGetRuneAt(_text, _at, out var rune))
                throw Error("half a character stands here");
            _at += rune.Utf16SequenceLength;
            return rune.Value;
        }

        _at++;
        var escape = Current;
        _at++;
        switch (escape)
        {
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case '\\' or '"' or '[' or ']' or '-' or '^' or '/':
                return escape;
            case 'x' or 'u' or 'U':
                var digits = escape == 'x' ? 2 : escape == 'u' ? 4 : 8;
                if (_at + digits > _text.Length || !int.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) || !Rune.IsValid(value))
                    throw Error($"\\{escape} needs {digits} hexadecimal digits of a character");
                _at += digits;
                return value;
            default:
                throw Error($"the escape \\{escape} is not known");
        }
    }
}
