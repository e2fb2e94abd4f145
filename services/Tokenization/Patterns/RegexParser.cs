using System.Globalization;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.Patterns;

/// <summary>Recursive-descent parser from pattern text to linked nodes.</summary>
internal sealed class RegexParser(string pattern)
{
    private const int MaxDepth = 100;
    private readonly int[] _p = CodePointStrings.ToCodePoints(pattern);
    private int _at;
    private int _loops;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotAll;

    /// <summary>A piece of pattern: its first and last node, and its width when that is fixed (else -1).</summary>
    private readonly record struct Fragment(RegexNode First, RegexNode Last, int Width, CharClass? Set = null);

    public (RegexNode Root, int Loops) Parse()
    {
        var f = ParseAlternation();
        if (_at < _p.Length)
            throw Error("unbalanced ')'");
        return (f.First, _loops);
    }

    private Fragment ParseAlternation()
    {
        if (++_depth > MaxDepth)
            throw Error("groups nested too deeply");
        var (ignoreCase, dotAll) = (_ignoreCase, _dotAll);
        var branches = new List<Fragment> { ParseSequence() };
        while (_at < _p.Length && _p[_at] == '|')
        {
            _at++;
            branches.Add(ParseSequence());
        }

        (_ignoreCase, _dotAll) = (ignoreCase, dotAll);
        _depth--;
        if (branches.Count == 1)
            return branches[0];
        var join = new EmptyNode();
        foreach (var b in branches)
            b.Last.Next = join;
        var width = branches.All(b => b.Width == branches[0].Width) ? branches[0].Width : -1;
        var alternation = new AlternationNode([.. branches.Select(b => b.First)]);
        return new Fragment(alternation, join, width);
    }

    private Fragment ParseSequence()
    {
        RegexNode first = new EmptyNode();
        var last = first;
        var width = 0;
        CharClass? only = null;
        var count = 0;
        while (_at < _p.Length && _p[_at] is not ('|' or ')'))
        {
            var f = ParseQuantified();
            last.Next = f.First;
            last = f.Last;
            width = width < 0 || f.Width < 0 ? -1 : width + f.Width;
            only = f.Set;
            count++;
        }

        // Skips the placeholder: it would cost a call for every attempt.
        return new Fragment(first.Next ?? first, last, width, count == 1 ? only : null);
    }

    private Fragment ParseQuantified()
    {
        var atom = ParseAtom();
        while (TryQuantifier(out var min, out var max, out var kind))
            atom = Repeat(atom, min, max, kind);
        return atom;
    }

    private Fragment Repeat(Fragment atom, int min, int max, LoopKind kind)
    {
        var width = min == max && atom.Width >= 0 && (long)atom.Width * min < int.MaxValue ? atom.Width * min : -1;
        if (atom.Set is { } set)
        {
            var node = new ClassLoopNode(set, min, max, kind);
            return new Fragment(node, node, width);
        }

        var loop = new GroupLoopNode(_loops++, min, max, kind == LoopKind.Lazy ? kind : LoopKind.Greedy) { Body = atom.First };
        atom.Last.Next = new GroupLoopEndNode(loop);
        if (kind != LoopKind.Possessive)
            return new Fragment(loop, loop, width);
        loop.Next = new AcceptNode();
        var atomic = new AtomicNode(loop);
        return new Fragment(atomic, atomic, width);
    }

    private bool TryQuantifier(out int min, out int max, out LoopKind kind)
    {
        (min, max, kind) = (0, int.MaxValue, LoopKind.Greedy);
        if (_at >= _p.Length)
            return false;
        switch (_p[_at])
        {
            case '*': _at++; break;
            case '+': _at++; min = 1; break;
            case '?': _at++; max = 1; break;
            case '{' when TryBounds(out min, out max): break;
            default: return false;
        }

        if (_at < _p.Length && _p[_at] == '?')
        {
            _at++;
            kind = LoopKind.Lazy;
        }
        else if (_at < _p.Length && _p[_at] == '+')
        {
            _at++;
            kind = LoopKind.Possessive;
        }

        return true;
    }

    private bool TryBounds(out int min, out int max)
    {
        (min, max) = (0, int.MaxValue);
        var close = Array.IndexOf(_p, '}', _at);
        if (close < 0)
            return false;
        var body = string.Concat(_p[(_at + 1)..close].Select(c => char.ConvertFromUtf32(c)));
        var parts = body.Split(',');
        if (parts.Length > 2 || (parts[0].Length == 0 && parts.Length < 2))
            return false;
        if (parts[0].Length > 0 && !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out min))
            return false;
        max = parts.Length == 1 ? min : int.MaxValue;
        if (parts.Length == 2 && parts[1].Length > 0 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out max))
            return false;
        if (max < min)
            throw Error($"repetition {{{body}}} has its bounds reversed");
        _at = close + 1;
        return true;
    }

    private Fragment ParseAtom()
    {
        var c = _p[_at++];
        switch (c)
        {
            case '(': return ParseGroup();
            case '[': return Single(new RegexClassParser(_p, pattern, _ignoreCase).Parse(ref _at));
            case '.': return Single(new CharClass(_dotAll ? static _ => true : static x => x != '\n'));
            case '^': return Node(new AnchorNode(AnchorKind.LineStart), 0);
            case '$': return Node(new AnchorNode(AnchorKind.LineEnd), 0);
            case '\\' when _at < _p.Length && Anchor(_p[_at]) is { } kind:
                _at++;
                return Node(new AnchorNode(kind), 0);
            case '\\': return Single(new RegexClassParser(_p, pattern, _ignoreCase).ParseEscape(ref _at));
            case '*' or '+' or '?': throw Error($"'{(char)c}' repeats nothing");
            default: return Single(RegexClassParser.Literal(c, _ignoreCase));
        }
    }

    private static AnchorKind? Anchor(int c) => c switch
    {
        'A' => AnchorKind.TextStart,
        'z' => AnchorKind.TextEnd,
        'Z' => AnchorKind.TextEndOrFinalNewline,
        'b' => AnchorKind.WordBoundary,
        'B' => AnchorKind.NotWordBoundary,
        _ => null,
    };

    private static Fragment Single(CharClass set)
    {
        var node = new ClassNode(set);
        return new Fragment(node, node, 1, set);
    }

    private static Fragment Node(RegexNode node, int width) => new(node, node, width);

    private Fragment ParseGroup()
    {
        if (_at < _p.Length && _p[_at] == '?')
        {
            _at++;
            if (Take("="))
                return Look(negative: false);
            if (Take("!"))
                return Look(negative: true);
            if (Take("<="))
                return LookBehind(negative: false);
            if (Take("<!"))
                return LookBehind(negative: true);
            if (Take(">"))
            {
                var body = Closed();
                body.Last.Next = new AcceptNode();
                return Node(new AtomicNode(body.First), body.Width);
            }

            if (Take("<") || Take("P<"))
            {
                while (_at < _p.Length && _p[_at] != '>')
                    _at++;
                _at++;
            }
            else if (!Take(":"))
            {
                return Flags();
            }
        }

        // A group that is only one class stays one: (?:[a-z])+ loops without recursion.
        return Closed();
    }

    private Fragment Flags()
    {
        var (ignoreCase, dotAll) = (_ignoreCase, _dotAll);
        var on = true;
        while (_at < _p.Length && _p[_at] is not (':' or ')'))
        {
            switch (_p[_at++])
            {
                case '-': on = false; break;
                case 'i': _ignoreCase = on; break;
                case 's' or 'm': _dotAll = on; break;
                case 'u': break;
                default: throw Error("unknown group or flag");
            }
        }

        if (_at >= _p.Length)
            throw Error("'(' is not closed");
        if (_p[_at++] == ')')
            return Node(new EmptyNode(), 0);
        var f = Closed();
        (_ignoreCase, _dotAll) = (ignoreCase, dotAll);
        return f;
    }

    private Fragment Look(bool negative)
    {
        var body = Closed();
        body.Last.Next = new AcceptNode();
        return Node(new LookaheadNode(body.First, negative), 0);
    }

    private Fragment LookBehind(bool negative)
    {
        var body = Closed();
        if (body.Width < 0)
            throw Error("a lookbehind needs a fixed width");
        body.Last.Next = new AcceptNode();
        return Node(new LookbehindNode(body.First, body.Width, negative), 0);
    }

    private Fragment Closed()
    {
        var f = ParseAlternation();
        if (_at >= _p.Length || _p[_at] != ')')
            throw Error("'(' is not closed");
        _at++;
        return f;
    }

    private bool Take(string s)
    {
        for (var i = 0; i < s.Length; i++)
        {
            if (_at + i >= _p.Length || _p[_at + i] != s[i])
                return false;
        }

        _at += s.Length;
        return true;
    }

    private TokenizerFormatException Error(string message) => new($"split pattern \"{pattern}\": {message} at position {_at}");
}
