namespace Slm.Engine.Constraints.Tokens;

/// <summary>Tokens by their bytes, as a tree laid out flat in order of depth first: node i+1 is node i's first child, if it has one.</summary>
internal sealed class TokenTrie
{
    private readonly byte[] _bytes;
    private readonly ushort[] _depths;
    private readonly int[] _skips;
    private readonly int[] _tokens;

    /// <param name="entries">Texts with the token that has them.</param>
    /// <param name="next">Gets chains of tokens with equal texts: the next such token, or -1. By token id.</param>
    public TokenTrie(IEnumerable<(ReadOnlyMemory<byte> Text, int Token)> entries, int[] next)
    {
        var sorted = entries.Where(e => e.Text.Length > 0).ToArray();
        Array.Sort(sorted, static (a, b) => a.Text.Span.SequenceCompareTo(b.Text.Span) is var order and not 0 ? order : b.Token.CompareTo(a.Token));
        var (bytes, depths, tokens) = (new List<byte>(), new List<ushort>(), new List<int>());
        var path = new List<int>();
        ReadOnlySpan<byte> before = [];
        foreach (var (text, token) in sorted)
        {
            var span = text.Span;
            var common = before.CommonPrefixLength(span);
            path.RemoveRange(common, path.Count - common);
            for (var i = common; i < span.Length; i++)
            {
                path.Add(bytes.Count);
                bytes.Add(span[i]);
                depths.Add((ushort)i);
                tokens.Add(-1);
            }

            next[token] = tokens[path[^1]];
            tokens[path[^1]] = token;
            before = span;
        }

        (_bytes, _depths, _tokens) = ([.. bytes], [.. depths], [.. tokens]);
        _skips = new int[_bytes.Length];
        var open = new Stack<int>();
        for (var i = 0; i < _bytes.Length; i++)
        {
            while (open.TryPeek(out var last) && _depths[last] >= _depths[i])
                _skips[open.Pop()] = i;
            open.Push(i);
        }

        while (open.TryPop(out var last))
            _skips[last] = _bytes.Length;
        Depth = _depths.Length == 0 ? 0 : _depths.Max() + 1;
    }

    /// <summary>Length of the longest text.</summary>
    public int Depth { get; }

    /// <summary>Nodes.</summary>
    public int Count => _bytes.Length;

    /// <summary>The last byte of a node's text.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>How many bytes its text has before that.</summary>
    public ReadOnlySpan<ushort> Depths => _depths;

    /// <summary>The node behind all that begin with its text.</summary>
    public ReadOnlySpan<int> Skips => _skips;

    /// <summary>A token with its text, or -1.</summary>
    public ReadOnlySpan<int> Tokens => _tokens;
}
