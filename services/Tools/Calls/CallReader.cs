using System.Text;
using System.Text.Json;

namespace Slm.Tools.Calls;

/// <summary>Follows the JSON value of a tag character by character, and passes on names and arguments of the calls in it.</summary>
internal sealed class CallReader
{
    private readonly ToolCallParser _parser;
    private readonly string? _function;
    private readonly int _callDepth;
    private readonly StringBuilder _token = new();
    private readonly StringBuilder _arguments = new();
    private int _depth;
    private bool _inString, _escaped, _inValue, _argumentsSeen;
    private string? _key;
    private int _call = -1;

    public CallReader(ToolTag tag, ToolCallParser parser)
    {
        _parser = parser;
        _function = tag.Function;
        _callDepth = tag.Body switch { CallBody.Arguments => 0, CallBody.Call => 1, _ => 2 };
        if (_function is not null)
            _call = parser.Begin(_function);
    }

    /// <summary>Takes a character; true if it ends the value.</summary>
    public bool Take(char c)
    {
        if (_callDepth == 0)
        {
            if (_depth > 0 || !char.IsWhiteSpace(c))
                _arguments.Append(c);
            Walk(c);
            return _depth == 0 && !_inString && c is ('}' or ']');
        }
        if (_inValue)
            return InValue(c);
        if (AtCall)
            return BetweenParts(c);
        // A key, or the array around the calls.
        Walk(c);
        if (_inString)
            _token.Append(c);
        return _depth == 0 && c is ']';
    }

    /// <summary>Passes on what has come of the arguments, if their function is known.</summary>
    public void Flush()
    {
        if (_call < 0 || _arguments.Length == 0)
            return;
        _parser.Arguments(_call, _arguments.ToString());
        _arguments.Clear();
    }

    private bool BetweenParts(char c)
    {
        switch (c)
        {
            case '"':
                _token.Clear();
                Walk(c);
                return false;
            case ':':
                _key = Unescape();
                _token.Clear();
                _inValue = true;
                return false;
            case '}' or ']':
                EndCall();
                Walk(c);
                return _depth == 0;
            default:
                Walk(c);
                return false;
        }
    }

    private bool InValue(char c)
    {
        if (AtCall && c is (',' or '}'))
        {
            // A number or literal ends with what follows it.
            EndValue();
            return BetweenParts(c);
        }
        if (_token.Length == 0 && _depth == _callDepth && char.IsWhiteSpace(c))
            return false;
        _token.Append(c);
        if (IsArguments)
        {
            _argumentsSeen = true;
            _arguments.Append(c);
        }
        Walk(c);
        if (AtCall && c is ('"' or '}' or ']'))
            EndValue();
        return false;
    }

    private bool AtCall => _depth == _callDepth && !_inString;

    private bool IsArguments => _key == _parser.ArgumentsKey;

    private void EndValue()
    {
        if (_key == _parser.NameKey && _token.Length > 1 && _token[0] == '"')
        {
            _token.Remove(0, 1).Length--;
            _call = _parser.Begin(Unescape());
        }
        Flush();
        _inValue = false;
        _key = null;
        _token.Clear();
    }

    private void EndCall()
    {
        if (_depth != _callDepth)
            return;
        if (_call >= 0 && !_argumentsSeen)
            _parser.Arguments(_call, "{}");
        _arguments.Clear();
        _call = -1;
        _argumentsSeen = false;
    }

    private string Unescape()
    {
        var raw = _token.ToString();
        if (!raw.Contains('\\', StringComparison.Ordinal))
            return raw;
        try
        {
            return JsonElement.Parse($"\"{raw}\"").GetString()!;
        }
        catch (JsonException)
        {
            return raw;
        }
    }

    private void Walk(char c)
    {
        if (_inString)
        {
            if (_escaped)
                _escaped = false;
            else if (c == '\\')
                _escaped = true;
            else if (c == '"')
                _inString = false;
            return;
        }
        switch (c)
        {
            case '"':
                _inString = true;
                break;
            case '{' or '[':
                _depth++;
                break;
            case '}' or ']':
                _depth--;
                break;
        }
    }
}
