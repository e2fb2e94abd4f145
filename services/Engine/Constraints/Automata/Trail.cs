using System.Text.Json;

namespace Slm.Engine.Constraints.Automata;

/// <summary>The text so far, for rules that ask for parts of it: keys and items that must not come twice.</summary>
internal sealed class Trail(bool needed)
{
    private readonly List<byte> _text = [];

    /// <summary>Bytes so far.</summary>
    public int Length => _text.Count;

    /// <summary>Whether what a byte leads to may depend on the text before it.</summary>
    public bool MattersTo(byte b) => needed && b is (byte)'"' or (byte)',';

    /// <summary>Adds a byte.</summary>
    public void Add(byte b)
    {
        if (needed)
            _text.Add(b);
    }

    /// <summary>Forgets what came after so many bytes.</summary>
    public void Truncate(int length)
    {
        if (length < _text.Count)
            _text.RemoveRange(length, _text.Count - length);
    }

    /// <summary>A copy.</summary>
    public Trail Copy()
    {
        var copy = new Trail(needed);
        copy._text.AddRange(_text);
        return copy;
    }

    /// <summary>The JSON string that the next quote closes.</summary>
    public string OpenString()
    {
        var start = Opening(_text.Count);
        return JsonSerializer.Deserialize(Slice(start, _text.Count, close: true), ConstraintJson.Default.String)!;
    }

    /// <summary>The JSON value that ends here, an item of an array.</summary>
    public JsonElement LastItem()
    {
        var (depth, at) = (0, _text.Count - 1);
        for (; at >= 0; at--)
        {
            var b = _text[at];
            if (b == '"')
                at = Opening(at);
            else if (b is (byte)']' or (byte)'}')
                depth++;
            else if (b is (byte)'[' or (byte)'{' && --depth < 0)
                break;
            else if (b == ',' && depth == 0)
                break;
        }

        using var document = JsonDocument.Parse(Slice(at + 1, _text.Count, close: false));
        return document.RootElement.Clone();
    }

    /// <summary>The quote that opens the string whose closing quote is at, or would be at, a place.</summary>
    private int Opening(int closing)
    {
        for (var at = closing - 1; ; at--)
        {
            if (_text[at] != '"')
                continue;
            var backslashes = 0;
            while (at - 1 - backslashes >= 0 && _text[at - 1 - backslashes] == '\\')
                backslashes++;
            if (backslashes % 2 == 0)
                return at;
        }
    }

    private byte[] Slice(int start, int end, bool close)
    {
        var result = new byte[end - start + (close ? 1 : 0)];
        _text.CopyTo(start, result, 0, end - start);
        if (close)
            result[^1] = (byte)'"';
        return result;
    }
}
