using System.Text;
using Slm.Tokenization;

namespace Slm.Runtime.Tests;

/// <summary>
/// A tokenizer that is a table: ids 0 to 255 are the bytes, then come the given pieces, longest match first, then the
/// control tokens.
/// </summary>
internal sealed class TableTokenizer : ITokenizer
{
    private readonly byte[][] _bytes;
    private readonly int _firstControl;
    private readonly string[] _controls;

    public TableTokenizer(string[] pieces, string[] controls, SpecialTokens? special = null)
    {
        _bytes = [.. Enumerable.Range(0, 256).Select(b => new[] { (byte)b }), .. pieces.Concat(controls).Select(Encoding.UTF8.GetBytes)];
        _firstControl = 256 + pieces.Length;
        _controls = controls;
        Special = special ?? new SpecialTokens();
    }

    public int VocabSize => _bytes.Length;

    public SpecialTokens Special { get; }

    public int Control(string text) => _firstControl + Array.IndexOf(_controls, text);

    public TokenEncoding Encode(string text, bool addSpecialTokens, bool parseSpecialTokens = false)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        List<int> ids = [], starts = [], ends = [];
        if (addSpecialTokens && Special.AddsBos)
            Add(Special.Bos!.Value, 0, 0);
        for (var at = 0; at < bytes.Length;)
        {
            var best = (int)bytes[at];
            for (var id = 256; id < (parseSpecialTokens ? VocabSize : _firstControl); id++)
            {
                if (_bytes[id].Length > _bytes[best].Length && bytes.AsSpan(at).StartsWith(_bytes[id]))
                    best = id;
            }

            Add(best, at, at + _bytes[best].Length);
            at += _bytes[best].Length;
        }

        if (addSpecialTokens && Special.AddsEos)
            Add(Special.Eos!.Value, bytes.Length, bytes.Length);
        return new TokenEncoding([.. ids], [.. starts], [.. ends]);

        void Add(int id, int start, int end)
        {
            ids.Add(id);
            starts.Add(start);
            ends.Add(end);
        }
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var bytes = new List<byte>();
        foreach (var id in ids)
        {
            if (!skipSpecialTokens || !IsSpecial(id))
                bytes.AddRange(_bytes[id]);
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }

    public ReadOnlyMemory<byte> TokenBytes(int id) => _bytes[id];

    public string Piece(int id) => Encoding.UTF8.GetString(_bytes[id]);

    public bool IsSpecial(int id) => id >= _firstControl;

    public int? TokenToId(string piece)
    {
        for (var id = 0; id < _bytes.Length; id++)
        {
            if (Piece(id) == piece)
                return id;
        }

        return null;
    }
}
