using System.Collections.Concurrent;
using System.Text.Unicode;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Tokens;

/// <summary>
/// A model's tokens as the bytes they write, prepared for finding out which of them may come next. Made once per model: about a
/// microsecond a token. Immutable, thread-safe.
/// </summary>
public sealed class TokenVocabulary
{
    private const int Slices = 48;
    private readonly ReadOnlyMemory<byte>[] _texts;
    private readonly ulong[][] _plain;
    private readonly ulong[][] _odd, _inString;
    private readonly List<(int Token, int Chars)> _long = [];

    /// <param name="size">Number of ids.</param>
    /// <param name="text">The bytes that an id writes; empty for control tokens, which are then never part of a constrained text.</param>
    /// <param name="endTokens">Ids that end a text.</param>
    public TokenVocabulary(int size, Func<int, ReadOnlyMemory<byte>> text, IEnumerable<int> endTokens)
    {
        ArgumentNullException.ThrowIfNull(text);
        Size = size;
        EndTokens = [.. endTokens];
        _texts = new ReadOnlyMemory<byte>[size];
        for (var id = 0; id < size; id++)
            _texts[id] = EndTokens.Contains(id) ? default : text(id);
        NextSame = new int[size];
        Spaces = new ushort[size];
        var (odd, quoted, blank) = (new List<(ReadOnlyMemory<byte>, int)>(), new List<(ReadOnlyMemory<byte>, int)>(), new List<(ReadOnlyMemory<byte>, int)>());
        _plain = new ulong[Slices + 1][];
        for (var i = 0; i <= Slices; i++)
            _plain[i] = NewMask();
        for (var id = 0; id < size; id++)
        {
            var span = _texts[id].Span;
            if (span.IsEmpty)
                continue;
            var isPlain = span.IndexOfAnyInRange((byte)0, (byte)0x1F) < 0 && !span.ContainsAny((byte)'"', (byte)'\\') && Utf8.IsValid(span);
            var chars = 0;
            foreach (var b in span)
                chars += (b & 0xC0) == 0x80 ? 0 : 1;
            if (isPlain)
            {
                if (chars >= Slices)
                    _long.Add((id, chars));
                for (var i = Math.Min(chars, Slices); i <= Slices; i++)
                    Set(_plain[i], id);
            }
            else if (span.Contains((byte)'"'))
            {
                quoted.Add((_texts[id], id));
            }
            else if (span.IndexOfAnyInRange((byte)0, (byte)0x1F) < 0)
            {
                odd.Add((_texts[id], id));
                LongestOdd = Math.Max(LongestOdd, span.Length);
            }

            var spaces = span.IndexOfAnyExcept(" \t\r\n"u8);
            Spaces[id] = (ushort)(spaces < 0 ? span.Length : spaces);
            if (Spaces[id] > 0)
                blank.Add((_texts[id][Spaces[id]..], id));
        }

        WithItems = [.. Enumerable.Range(0, size).Where(id => _texts[id].Span.IndexOf((byte)',') is var comma && comma >= 0 && comma < _texts[id].Length - 1)];
        Blank = [.. blank.Where(b => b.Item1.IsEmpty).Select(b => b.Item2)];
        Whole = new TokenTrie(_texts.Select((t, id) => (t, id)), NextSame);
        var scratch = new int[size];
        Odd = new TokenTrie(odd, scratch);
        Quoted = new TokenTrie(quoted, scratch);
        NextSameRest = new int[size];
        Array.Fill(NextSameRest, -1);
        AfterSpaces = new TokenTrie(blank, NextSameRest);
        _odd = [FindOdd(TextEncoding.JsonString), FindOdd(TextEncoding.PlainJsonString)];
        _inString = [.. _odd.Select(odd =>
        {
            var mask = (ulong[])odd.Clone();
            System.Numerics.Tensors.TensorPrimitives.BitwiseOr<ulong>(mask, _plain[Slices], mask);
            return mask;
        })];
    }

    /// <summary>Number of ids.</summary>
    public int Size { get; }

    /// <summary>Ids that end a text.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>Words of a mask.</summary>
    public int MaskLength => (Size + 63) / 64;

    /// <summary>All tokens.</summary>
    internal TokenTrie Whole { get; }

    /// <summary>Tokens that can be within a JSON string and are not plain: with a backslash or half a character, without a quote.</summary>
    internal TokenTrie Odd { get; }

    /// <summary>Tokens with a quote.</summary>
    internal TokenTrie Quoted { get; }

    /// <summary>Tokens that begin with white space and go on, by what they go on with.</summary>
    internal TokenTrie AfterSpaces { get; }

    /// <summary>Tokens of nothing but white space.</summary>
    internal int[] Blank { get; }

    /// <summary>Tokens with a comma and something behind it.</summary>
    internal int[] WithItems { get; }

    /// <summary>White space at the beginning of each token.</summary>
    internal ushort[] Spaces { get; }

    /// <summary>Chains of tokens with equal bytes.</summary>
    internal int[] NextSame { get; }

    /// <summary>Chains of tokens that are equal behind their white space.</summary>
    internal int[] NextSameRest { get; }

    /// <summary>Most characters that a token of <see cref="Odd"/> has, at most its bytes.</summary>
    internal int LongestOdd { get; }

    /// <summary>What stays within languages that all constraints share, by their state.</summary>
    internal ConcurrentDictionary<(ByteDfa Dfa, int State), ulong[]> Shared { get; } = [];

    /// <summary>The bytes a token writes.</summary>
    public ReadOnlySpan<byte> Text(int id) => _texts[id].Span;

    /// <summary>
    /// Tokens that are plain in a JSON string, whole characters without quotes and backslashes, of at most so many characters (-1: any number).
    /// </summary>
    internal ulong[] Plain(int limit)
    {
        if (limit is >= 0 and < Slices)
            return (ulong[])_plain[limit].Clone();
        var mask = (ulong[])_plain[Slices].Clone();
        foreach (var (token, chars) in _long)
        {
            if (limit >= 0 && chars > limit)
                mask[token >> 6] &= ~(1UL << (token & 63));
        }

        return mask;
    }

    /// <summary>The longest token that a text begins with; -1 if there is none.</summary>
    internal int Longest(ReadOnlySpan<byte> text)
    {
        var (best, depth) = (-1, 0);
        for (var i = 0; i < Whole.Count && depth < text.Length;)
        {
            if (Whole.Depths[i] < depth)
                break;
            if (Whole.Bytes[i] != text[depth])
            {
                i = Whole.Skips[i];
                continue;
            }

            if (Whole.Tokens[i] >= 0)
                best = Whole.Tokens[i];
            depth++;
            i++;
        }

        return best;
    }

    /// <summary>Tokens that stay within a JSON string of any characters, from between two characters; not to be changed.</summary>
    internal ulong[] InString(TextEncoding encoding) => _inString[encoding == TextEncoding.JsonString ? 0 : 1];

    /// <summary>Those of <see cref="Odd"/> that do; not to be changed.</summary>
    internal ulong[] OddInString(TextEncoding encoding) => _odd[encoding == TextEncoding.JsonString ? 0 : 1];

    private ulong[] FindOdd(TextEncoding encoding)
    {
        var pool = new TermPool();
        var any = new ByteDfa(pool, pool.All, encoding);
        var mask = NewMask();
        var states = new int[Odd.Depth + 1];
        states[0] = any.Start;
        for (var i = 0; i < Odd.Count;)
        {
            var depth = Odd.Depths[i];
            states[depth + 1] = any.Step(states[depth], Odd.Bytes[i]);
            if (states[depth + 1] == ByteDfa.Dead)
            {
                i = Odd.Skips[i];
                continue;
            }

            for (var token = Odd.Tokens[i]; token >= 0; token = NextSame[token])
                Set(mask, token);
            i++;
        }

        return mask;
    }

    internal ulong[] NewMask() => new ulong[MaskLength];

    internal static void Set(ulong[] mask, int id) => mask[id >> 6] |= 1UL << (id & 63);
}
