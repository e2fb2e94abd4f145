using System.Globalization;
using System.Text;

namespace Slm.Tokenization.Templates;

/// <summary>
/// Splits a template into data and tag tokens, with Jinja's whitespace control under trim_blocks and lstrip_blocks:
/// a newline after a block or comment tag is dropped, blanks before one that starts a line are dropped, "-" strips all
/// whitespace on its side, "+" keeps it. One newline at the very end of the template is dropped.
/// </summary>
internal sealed class TemplateLexer
{
    private readonly string _source;
    private readonly List<TemplateToken> _tokens = [];
    private int _position;
    private int _line = 1;
    private bool _lineStarting = true;

    private TemplateLexer(string source) => _source = source;

    public static List<TemplateToken> Tokenize(string source)
    {
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        if (source.EndsWith('\n')) source = source[..^1];
        var lexer = new TemplateLexer(source);
        lexer.Run();
        return lexer._tokens;
    }

    private void Run()
    {
        while (_position < _source.Length)
        {
            var tag = NextTag(_position);
            if (tag < 0)
            {
                AddData(_source[_position..]);
                _position = _source.Length;
                break;
            }
            var kind = _source[tag + 1];
            var sign = tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : '\0';
            var text = StripBeforeTag(_source[_position..tag], sign, allowLeftStrip: kind != '{');
            AddData(text);
            CountLines(_position, tag);
            _position = tag + 2 + (sign == '\0' ? 0 : 1);
            switch (kind)
            {
                case '#': SkipComment(); break;
                case '{': ReadTag(TokenKind.VariableBegin, TokenKind.VariableEnd, "}}"); break;
                default:
                    if (!TryReadRaw()) ReadTag(TokenKind.BlockBegin, TokenKind.BlockEnd, "%}");
                    break;
            }
        }
        _tokens.Add(new TemplateToken(TokenKind.End, "", null, _line));
    }

    private int NextTag(int from)
    {
        for (var i = from; ; i++)
        {
            i = _source.IndexOf('{', i);
            if (i < 0 || i + 1 >= _source.Length) return -1;
            if (_source[i + 1] is '{' or '%' or '#') return i;
        }
    }

    private string StripBeforeTag(string text, char sign, bool allowLeftStrip)
    {
        if (sign == '-') return PyText.TrimEnd(text);
        if (sign == '+' || !allowLeftStrip) return text;
        var lineStart = text.LastIndexOf('\n') + 1;
        if (lineStart == 0 && !_lineStarting) return text;
        for (var i = lineStart; i < text.Length; i++)
        {
            if (!PyText.IsSpace(text[i])) return text;
        }
        return text[..lineStart];
    }

    private void AddData(string text)
    {
        if (text.Length > 0) _tokens.Add(new TemplateToken(TokenKind.Data, text, null, _line));
    }

    private void CountLines(int from, int to) => _line += _source.AsSpan(from, to - from).Count('\n');

    private void SkipWhitespace()
    {
        var start = _position;
        while (_position < _source.Length && PyText.IsSpace(_source[_position])) _position++;
        CountLines(start, _position);
    }

    /// <summary>Moves past what follows a tag's closing delimiter: all whitespace after "-", one newline if trimmed.</summary>
    private void AfterTag(char sign, bool trimNewline)
    {
        _lineStarting = false;
        var start = _position;
        if (sign == '-')
        {
            SkipWhitespace();
        }
        else if (sign != '+' && trimNewline && _position < _source.Length && _source[_position] == '\n')
        {
            _position++;
            _line++;
        }
        _lineStarting = _position > start && _source[_position - 1] == '\n';
    }

    private void SkipComment()
    {
        var end = _source.IndexOf("#}", _position, StringComparison.Ordinal);
        if (end < 0) throw Fail("missing end of comment tag");
        var sign = end > _position && _source[end - 1] is '-' or '+' ? _source[end - 1] : '\0';
        CountLines(_position, end);
        _position = end + 2;
        AfterTag(sign, trimNewline: true);
    }

    private bool TryReadRaw()
    {
        var i = SkipSpaceFrom(_position);
        if (!_source.AsSpan(i).StartsWith("raw", StringComparison.Ordinal)) return false;
        i = SkipSpaceFrom(i + 3);
        var strip = i < _source.Length && _source[i] == '-';
        if (strip) i++;
        if (!_source.AsSpan(i).StartsWith("%}", StringComparison.Ordinal)) return false;
        i += 2;
        if (strip) i = SkipSpaceFrom(i);
        CountLines(_position, i);
        _position = i;
        _lineStarting = _source[i - 1] == '\n';
        for (var search = i; ;)
        {
            var tag = _source.IndexOf("{%", search, StringComparison.Ordinal);
            if (tag < 0) throw Fail("missing end of raw directive");
            var j = tag + 2;
            var sign = j < _source.Length && _source[j] is '-' or '+' ? _source[j++] : '\0';
            j = SkipSpaceFrom(j);
            if (_source.AsSpan(j).StartsWith("endraw", StringComparison.Ordinal))
            {
                j = SkipSpaceFrom(j + 6);
                var endSign = j < _source.Length && _source[j] is '-' or '+' ? _source[j++] : '\0';
                if (_source.AsSpan(j).StartsWith("%}", StringComparison.Ordinal))
                {
                    AddData(StripBeforeTag(_source[_position..tag], sign, allowLeftStrip: true));
                    CountLines(_position, j);
                    _position = j + 2;
                    AfterTag(endSign, trimNewline: true);
                    return true;
                }
            }
            search = tag + 2;
        }
    }

    private int SkipSpaceFrom(int i)
    {
        while (i < _source.Length && PyText.IsSpace(_source[i])) i++;
        return i;
    }

    private void ReadTag(TokenKind begin, TokenKind end, string close)
    {
        _tokens.Add(new TemplateToken(begin, "", null, _line));
        var open = new Stack<char>();
        while (true)
        {
            SkipWhitespace();
            if (_position >= _source.Length) throw Fail($"unexpected end of template, expected '{close}'");
            if (open.Count == 0 && TryClose(end, close)) return;
            ReadToken(open);
        }
    }

    private bool TryClose(TokenKind end, string close)
    {
        var c = _source[_position];
        var sign = c == '-' || (c == '+' && end == TokenKind.BlockEnd) ? c : '\0';
        var at = _position + (sign == '\0' ? 0 : 1);
        if (!_source.AsSpan(at).StartsWith(close, StringComparison.Ordinal)) return false;
        _tokens.Add(new TemplateToken(end, close, null, _line));
        _position = at + 2;
        AfterTag(sign, trimNewline: end == TokenKind.BlockEnd);
        return true;
    }

    private void ReadToken(Stack<char> open)
    {
        var c = _source[_position];
        if (char.IsAsciiDigit(c)) ReadNumber();
        else if (c is '"' or '\'') ReadString(c);
        else if (c == '_' || char.IsLetter(c)) ReadName();
        else ReadOperator(open);
    }

    private void ReadName()
    {
        var start = _position;
        while (_position < _source.Length && (_source[_position] == '_' || char.IsLetterOrDigit(_source[_position]))) _position++;
        _tokens.Add(new TemplateToken(TokenKind.Name, _source[start.._position], null, _line));
    }

    private void ReadNumber()
    {
        var start = _position;
        var afterDot = start > 0 && _source[start - 1] == '.';
        var radix = start + 1 < _source.Length && _source[start] == '0'
            ? char.ToLowerInvariant(_source[start + 1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 10 }
            : 10;
        if (radix != 10)
        {
            _position += 2;
            while (_position < _source.Length && (_source[_position] == '_' || char.IsAsciiHexDigit(_source[_position]))) _position++;
            var digits = _source[(start + 2).._position].Replace("_", "", StringComparison.Ordinal);
            try
            {
                AddInteger(_source[start.._position], Convert.ToInt64(digits, radix));
            }
            catch (Exception error) when (error is FormatException or OverflowException or ArgumentException)
            {
                throw Fail($"invalid integer '{_source[start.._position]}'");
            }
            return;
        }
        SkipDigits();
        var isFloat = false;
        if (!afterDot)
        {
            if (_position + 1 < _source.Length && _source[_position] == '.' && char.IsAsciiDigit(_source[_position + 1]))
            {
                isFloat = true;
                _position++;
                SkipDigits();
            }
            var e = _position;
            if (e < _source.Length && _source[e] is 'e' or 'E')
            {
                e++;
                if (e < _source.Length && _source[e] is '+' or '-') e++;
                if (e < _source.Length && char.IsAsciiDigit(_source[e]))
                {
                    isFloat = true;
                    _position = e;
                    SkipDigits();
                }
            }
        }
        var text = _source[start.._position];
        var plain = text.Replace("_", "", StringComparison.Ordinal);
        if (isFloat)
        {
            _tokens.Add(new TemplateToken(TokenKind.Float, text, double.Parse(plain, NumberStyles.Float, CultureInfo.InvariantCulture), _line));
        }
        else if (long.TryParse(plain, NumberStyles.None, CultureInfo.InvariantCulture, out var value))
        {
            AddInteger(text, value);
        }
        else
        {
            throw Fail($"integer '{text}' does not fit 64 bits");
        }
    }

    private void AddInteger(string text, long value) => _tokens.Add(new TemplateToken(TokenKind.Integer, text, value, _line));

    private void SkipDigits()
    {
        while (_position < _source.Length && (char.IsAsciiDigit(_source[_position]) ||
            (_source[_position] == '_' && _position + 1 < _source.Length && char.IsAsciiDigit(_source[_position + 1]))))
        {
            _position++;
        }
    }

    private void ReadString(char quote)
    {
        var line = _line;
        var start = ++_position;
        while (true)
        {
            if (_position >= _source.Length) throw Fail("string literal without an end");
            var c = _source[_position];
            if (c == quote) break;
            _position += c == '\\' ? 2 : 1;
        }
        var raw = _source[start.._position];
        CountLines(start, _position);
        _position++;
        _tokens.Add(new TemplateToken(TokenKind.String, raw, raw.Contains('\\', StringComparison.Ordinal) ? Unescape(raw) : raw, line));
    }

    private string Unescape(string raw)
    {
        var text = new StringBuilder(raw.Length);
        for (var i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\' || i + 1 >= raw.Length)
            {
                text.Append(raw[i]);
                continue;
            }
            var c = raw[++i];
            switch (c)
            {
                case '\n': break;
                case 'n': text.Append('\n'); break;
                case 't': text.Append('\t'); break;
                case 'r': text.Append('\r'); break;
                case 'a': text.Append('\a'); break;
                case 'b': text.Append('\b'); break;
                case 'f': text.Append('\f'); break;
                case 'v': text.Append('\v'); break;
                case '\\' or '\'' or '"': text.Append(c); break;
                case 'x': AppendHex(text, raw, ref i, 2); break;
                case 'u': AppendHex(text, raw, ref i, 4); break;
                case 'U': AppendHex(text, raw, ref i, 8); break;
                case >= '0' and <= '7':
                    var code = 0;
                    var end = Math.Min(i + 3, raw.Length);
                    for (; i < end && raw[i] is >= '0' and <= '7'; i++) code = (code * 8) + (raw[i] - '0');
                    i--;
                    text.Append((char)code);
                    break;
                default: text.Append('\\').Append(c); break;
            }
        }
        return text.ToString();
    }

    private void AppendHex(StringBuilder text, string raw, ref int i, int digits)
    {
        if (raw.Length - 1 - i < digits)
            throw Fail("truncated escape in a string literal");
        if (!uint.TryParse(raw.AsSpan(i + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code) || code > 0x10FFFF)
            throw Fail("invalid escape in a string literal");
        if (code > 0xFFFF) text.Append(char.ConvertFromUtf32((int)code));
        else text.Append((char)code);
        i += digits;
    }

    private void ReadOperator(Stack<char> open)
    {
        var rest = _source.AsSpan(_position);
        string text;
        if (rest.Length >= 2 && rest[..2] is "//" or "**" or "==" or "!=" or ">=" or "<=") text = rest[..2].ToString();
        else if ("+-*/%~[](){}<>=.:|,;".Contains(rest[0], StringComparison.Ordinal)) text = rest[..1].ToString();
        else throw Fail($"unexpected character '{rest[0]}'");
        switch (text[0])
        {
            case '(': open.Push(')'); break;
            case '[': open.Push(']'); break;
            case '{': open.Push('}'); break;
            case ')' or ']' or '}':
                if (open.Count == 0) throw Fail($"unexpected '{text}'");
                if (open.Pop() is var expected && expected != text[0]) throw Fail($"unexpected '{text}', expected '{expected}'");
                break;
            default: break;
        }
        _position += text.Length;
        _tokens.Add(new TemplateToken(TokenKind.Operator, text, null, _line));
    }

    private TemplateException Fail(string reason) => new(TemplateErrorKind.Syntax, reason, _line);
}
