namespace Slm.Engine.Constraints.Languages;

/// <summary>How the characters of a language are written as bytes.</summary>
internal enum TextEncoding
{
    /// <summary>UTF-8.</summary>
    Utf8,

    /// <summary>Between the quotes of a JSON string (RFC 8259): UTF-8, with every escape that JSON has for a character.</summary>
    JsonString,

    /// <summary>The same with escapes only where JSON needs them, and the short one where there is one.</summary>
    PlainJsonString,
}

/// <summary>
/// A language's automaton over bytes, made as far as it is asked for. A state is a state over characters and what has been read of the
/// next one; it exists only if some character that begins so can follow. Not thread-safe.
/// </summary>
internal sealed class ByteDfa
{
    /// <summary>No text of the language goes on this way.</summary>
    public const int Dead = -1;

    private const int Unknown = -2;
    private readonly CharDfa _chars;
    private readonly TextEncoding _encoding;
    private readonly Dictionary<(int State, Partial Partial), int> _states = [];
    private readonly List<(int State, Partial Partial)> _keys = [];
    private readonly List<int[]> _next = [];
    private readonly Term _any;

    public ByteDfa(TermPool pool, Term term, TextEncoding encoding)
    {
        _chars = new CharDfa(pool, term);
        _encoding = encoding;
        _any = pool.AnyChar;
        Start = _chars.Start == CharDfa.Dead ? Dead : StateOf(_chars.Start, default);
    }

    private enum PartKind : byte
    {
        None,

        /// <summary>Some bytes of a UTF-8 sequence: value, and how many are to come.</summary>
        Utf8,

        /// <summary>A backslash.</summary>
        Escape,

        /// <summary>Hexadecimal digits of an escape: value, and how many are to come.</summary>
        Hex,

        /// <summary>A high surrogate, whose low one must follow.</summary>
        High,

        /// <summary>A high surrogate and a backslash.</summary>
        HighEscape,

        /// <summary>Digits of the low surrogate.</summary>
        LowHex,
    }

    /// <summary>The first state, or <see cref="Dead"/> if the language is empty.</summary>
    public int Start { get; }

    /// <summary>Whether it is complete, so that any number of threads may read it.</summary>
    public bool IsFrozen { get; private set; }

    /// <summary>The automaton over characters.</summary>
    public CharDfa Chars => _chars;

    /// <summary>How characters are written.</summary>
    public TextEncoding Encoding => _encoding;

    /// <summary>Makes all of its states, if they are not more than a limit; false if they are.</summary>
    public bool Freeze(int limit)
    {
        for (var state = 0; state < _keys.Count; state++)
        {
            if (_keys.Count > limit)
                return false;
            for (var b = 0; b < 256; b++)
                Step(state, (byte)b);
        }

        return IsFrozen = true;
    }

    /// <summary>The next state, or <see cref="Dead"/>.</summary>
    public int Step(int state, byte b)
    {
        var row = _next[state];
        var next = row[b];
        return next != Unknown ? next : row[b] = Compute(state, b);
    }

    /// <summary>Whether the text may end here.</summary>
    public bool Accepts(int state)
    {
        var (chars, partial) = _keys[state];
        return partial.Kind == PartKind.None && _chars.Accepts(chars);
    }

    /// <summary>The state over characters, where no character is half read.</summary>
    public bool TryWhole(int state, out int chars)
    {
        (chars, var partial) = _keys[state];
        return partial.Kind == PartKind.None;
    }

    /// <summary>The state of a language that is one of the automaton's, between characters; or <see cref="Dead"/>.</summary>
    public int Find(Term term)
    {
        var chars = _chars.Find(term);
        return chars == CharDfa.Dead ? Dead : StateOf(chars, default);
    }

    /// <summary>
    /// Where any characters may follow, the most of them: null unless the language from here is "any characters", -1 without a limit.
    /// </summary>
    public int? FreeLength(int state)
    {
        var (chars, partial) = _keys[state];
        if (partial.Kind != PartKind.None)
            return null;
        var term = _chars.TermOf(chars);

        // All but some words: whatever comes first, others follow.
        if (term.Kind == TermKind.Not && term.Parts[0].Kind is TermKind.Words or TermKind.Epsilon)
            return -1;
        return term.Kind == TermKind.Repeat && term.Parts[0] == _any ? term.Max : term == _any ? 1 : null;
    }

    /// <summary>The states over characters that the next whole character can lead to; the state itself where none is half read.</summary>
    public IEnumerable<int> Outcomes(int state)
    {
        var (chars, partial) = _keys[state];
        if (partial.Kind == PartKind.None)
            return [chars];
        return Candidates(partial).SelectMany(r => _chars.Next(chars, r.Low, r.High));
    }

    private int StateOf(int chars, Partial partial)
    {
        if (_states.TryGetValue((chars, partial), out var known))
            return known;
        var row = new int[256];
        Array.Fill(row, Unknown);
        _keys.Add((chars, partial));
        _next.Add(row);
        return _states[(chars, partial)] = _keys.Count - 1;
    }

    private int Compute(int state, byte b)
    {
        var (chars, partial) = _keys[state];
        switch (partial.Kind)
        {
            case PartKind.None:
                if (_encoding != TextEncoding.Utf8)
                {
                    if (b is < 0x20 or (byte)'"')
                        return Dead;
                    if (b == '\\')
                        return Feasible(chars, new Partial(PartKind.Escape, 0, 0, 0));
                }

                if (b < 0x80)
                    return Whole(chars, b);
                return b switch
                {
                    >= 0xC2 and <= 0xDF => Feasible(chars, new Partial(PartKind.Utf8, 1, b & 0x1F, 2)),
                    >= 0xE0 and <= 0xEF => Feasible(chars, new Partial(PartKind.Utf8, 2, b & 0x0F, 3)),
                    >= 0xF0 and <= 0xF4 => Feasible(chars, new Partial(PartKind.Utf8, 3, b & 0x07, 4)),
                    _ => Dead,
                };
            case PartKind.Utf8:
                if ((b & 0xC0) != 0x80)
                    return Dead;
                var value = (partial.Value << 6) | (b & 0x3F);
                return partial.Left > 1 ? Feasible(chars, partial with { Left = partial.Left - 1, Value = value })
                    : IsScalar(value, partial.Extra) ? Whole(chars, value) : Dead;
            case PartKind.Escape:
                return b switch
                {
                    (byte)'/' when _encoding == TextEncoding.PlainJsonString => Dead,
                    (byte)'"' or (byte)'\\' or (byte)'/' => Whole(chars, b),
                    (byte)'b' => Whole(chars, '\b'),
                    (byte)'f' => Whole(chars, '\f'),
                    (byte)'n' => Whole(chars, '\n'),
                    (byte)'r' => Whole(chars, '\r'),
                    (byte)'t' => Whole(chars, '\t'),
                    (byte)'u' => Feasible(chars, new Partial(PartKind.Hex, 4, 0, 0)),
                    _ => Dead,
                };
            case PartKind.Hex or PartKind.LowHex:
                if (!char.IsAsciiHexDigit((char)b))
                    return Dead;
                value = (partial.Value << 4) | (b <= (byte)'9' ? b - (byte)'0' : (b | 0x20) - (byte)'a' + 10);
                var next = partial with { Left = partial.Left - 1, Value = value };
                if (next.Left > 0)
                    return Feasible(chars, next);
                if (partial.Kind == PartKind.LowHex)
                    return value is >= 0xDC00 and <= 0xDFFF ? Whole(chars, 0x10000 + ((partial.Extra - 0xD800) << 10) + (value - 0xDC00)) : Dead;
                return value switch
                {
                    >= 0xD800 and <= 0xDBFF => Feasible(chars, new Partial(PartKind.High, 0, 0, value)),
                    >= 0xDC00 and <= 0xDFFF => Dead,
                    _ when _encoding == TextEncoding.PlainJsonString && !NeedsNumber(value) => Dead,
                    _ => Whole(chars, value),
                };
            case PartKind.High:
                return b == '\\' ? Feasible(chars, partial with { Kind = PartKind.HighEscape }) : Dead;
            default:
                return b == 'u' ? Feasible(chars, new Partial(PartKind.LowHex, 4, 0, partial.Extra)) : Dead;
        }
    }

    private int Whole(int chars, int codePoint)
    {
        var next = _chars.Step(chars, codePoint);
        return next == CharDfa.Dead ? Dead : StateOf(next, default);
    }

    private int Feasible(int chars, Partial partial)
    {
        foreach (var (low, high) in Candidates(partial))
        {
            if (_encoding == TextEncoding.PlainJsonString && partial.Kind is PartKind.Escape or PartKind.Hex)
            {
                if (CanEscape(chars, partial, low, high))
                    return StateOf(chars, partial);
            }
            else if (low <= high && _chars.CanStep(chars, low, high))
                return StateOf(chars, partial);
        }

        return Dead;
    }

    /// <summary>With plain strings: whether a character that needs an escape can follow.</summary>
    private bool CanEscape(int chars, Partial partial, int low, int high)
    {
        if (partial.Kind == PartKind.Escape && (_chars.Step(chars, '"') != CharDfa.Dead || _chars.Step(chars, '\\') != CharDfa.Dead))
            return true;
        for (var c = Math.Max(0, low); c <= Math.Min(high, 0x1F); c++)
        {
            if ((partial.Kind == PartKind.Escape || NeedsNumber(c)) && _chars.Step(chars, c) != CharDfa.Dead)
                return true;
        }

        return false;
    }

    /// <summary>Control characters without a short escape.</summary>
    private static bool NeedsNumber(int c) => c < 0x20 && c is not ('\b' or '\f' or '\n' or '\r' or '\t');

    /// <summary>The characters that can begin so.</summary>
    private static IEnumerable<(int Low, int High)> Candidates(Partial partial)
    {
        switch (partial.Kind)
        {
            case PartKind.Utf8:
                var bits = 6 * partial.Left;
                var least = partial.Extra == 2 ? 0x80 : partial.Extra == 3 ? 0x800 : 0x10000;
                return WithoutSurrogates(Math.Max(least, partial.Value << bits), Math.Min(0x10FFFF, ((partial.Value + 1) << bits) - 1));
            case PartKind.Escape:
                return [(0, 0x10FFFF)];
            case PartKind.Hex:
                bits = 4 * partial.Left;
                var (low, high) = (partial.Value << bits, ((partial.Value + 1) << bits) - 1);
                var (first, last) = (Math.Max(low, 0xD800), Math.Min(high, 0xDBFF));
                return first > last ? WithoutSurrogates(low, high)
                    : WithoutSurrogates(low, high).Append((0x10000 + ((first - 0xD800) << 10), 0x10000 + ((last - 0xD800) << 10) + 0x3FF));
            case PartKind.High or PartKind.HighEscape:
                low = 0x10000 + ((partial.Extra - 0xD800) << 10);
                return [(low, low + 0x3FF)];
            case PartKind.LowHex:
                bits = 4 * partial.Left;
                low = Math.Max(0xDC00, partial.Value << bits);
                high = Math.Min(0xDFFF, ((partial.Value + 1) << bits) - 1);
                var basis = 0x10000 + ((partial.Extra - 0xD800) << 10) - 0xDC00;
                return low > high ? [] : [(basis + low, basis + high)];
            default:
                return [];
        }
    }

    private static IEnumerable<(int Low, int High)> WithoutSurrogates(int low, int high)
    {
        if (low <= Math.Min(high, 0xD7FF))
            yield return (low, Math.Min(high, 0xD7FF));
        if (Math.Max(low, 0xE000) <= high)
            yield return (Math.Max(low, 0xE000), high);
    }

    private static bool IsScalar(int value, int length) =>
        value <= 0x10FFFF && value is < 0xD800 or > 0xDFFF && value >= (length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000);

    /// <param name="Kind">What has been read.</param>
    /// <param name="Left">Bytes or digits to come.</param>
    /// <param name="Value">Of those read.</param>
    /// <param name="Extra">Length of the UTF-8 sequence, or the high surrogate.</param>
    private readonly record struct Partial(PartKind Kind, int Left, int Value, int Extra);
}
