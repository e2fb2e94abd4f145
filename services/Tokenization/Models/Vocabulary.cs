using Slm.Tokenization.Text;

namespace Slm.Tokenization.Models;

/// <summary>Token texts by id and ids by text.</summary>
internal sealed class Vocabulary
{
    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _spans;
    private readonly string?[] _pieces;

    /// <param name="pieces">Texts by id; null where an id has none. Of equal texts the last one counts.</param>
    public Vocabulary(IReadOnlyList<string?> pieces)
    {
        _pieces = [.. pieces];
        _ids = new Dictionary<string, int>(pieces.Count, StringComparer.Ordinal);
        for (var i = 0; i < _pieces.Length; i++)
        {
            if (_pieces[i] is { } piece)
                _ids[piece] = i;
        }

        _spans = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public int Size => _pieces.Length;

    public string? Piece(int id) => _pieces[id];

    public bool TryGetId(string piece, out int id) => _ids.TryGetValue(piece, out id);

    public bool TryGetId(ReadOnlySpan<char> piece, out int id) => _spans.TryGetValue(piece, out id);

    public bool TryGetId(ReadOnlySpan<int> codePoints, out int id)
    {
        Span<char> chars = codePoints.Length <= 128 ? stackalloc char[256] : new char[codePoints.Length * 2];
        return _spans.TryGetValue(chars[..CodePointStrings.WriteUtf16(codePoints, chars)], out id);
    }

    /// <summary>Ids of the byte tokens &lt;0x00&gt; … &lt;0xFF&gt;, -1 where there is none.</summary>
    public int[] ByteTokens()
    {
        var ids = new int[256];
        for (var b = 0; b < 256; b++)
            ids[b] = TryGetId($"<0x{b:X2}>", out var id) ? id : -1;
        return ids;
    }
}
