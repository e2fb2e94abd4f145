using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.Normalizers;

/// <summary>
/// SentencePiece's precompiled_charsmap: a double-array trie (Darts-clone) from UTF-8 sequences to offsets in a list
/// of NUL-terminated replacements. Layout: byte length of the trie (u32, little endian), trie units (u32 each), replacements.
/// </summary>
internal sealed class CharsMap
{
    private readonly uint[] _units;
    private readonly byte[] _texts;

    private CharsMap(uint[] units, byte[] texts) => (_units, _texts) = (units, texts);

    /// <exception cref="TokenizerFormatException">The lengths do not fit.</exception>
    public static CharsMap Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 4)
            throw new TokenizerFormatException($"precompiled_charsmap has {bytes.Length} bytes, expected at least 4");
        var size = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (size > bytes.Length - 4 || size % 4 != 0)
            throw new TokenizerFormatException($"precompiled_charsmap: a trie of {size} bytes does not fit in {bytes.Length} bytes");
        var units = new uint[size / 4];
        for (var i = 0; i < units.Length; i++)
            units[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(4 + (4 * i))..]);
        return new CharsMap(units, bytes[(int)(4 + size)..].ToArray());
    }

    /// <summary>The replacement of the shortest or longest prefix of <paramref name="key"/> in the map.</summary>
    /// <param name="length">How many bytes of the key it replaces.</param>
    public bool TryFind(ReadOnlySpan<byte> key, bool longest, out int length, out string text)
    {
        (length, text) = (0, "");
        var offset = -1;
        if (_units.Length == 0)
            return false;
        var at = Offset(_units[0]);
        for (var i = 0; i < key.Length && key[i] != 0; i++)
        {
            at ^= key[i];
            if (at >= _units.Length)
                break;
            var unit = _units[at];
            if ((unit & 0x800000FF) != key[i])
                break;
            at ^= Offset(unit);
            if ((unit >> 8 & 1) == 0 || at >= _units.Length)
                continue;
            (offset, length) = ((int)(_units[at] & 0x7FFFFFFF), i + 1);
            if (!longest)
                break;
        }

        if (offset < 0 || offset > _texts.Length)
            return false;
        var tail = _texts.AsSpan(offset);
        var end = tail.IndexOf((byte)0);
        text = Encoding.UTF8.GetString(end < 0 ? tail : tail[..end]);
        return true;
    }

    private static uint Offset(uint unit) => unit >> 10 << (int)((unit & (1 << 9)) >> 6);
}

/// <summary>
/// Rewrites text by a charsmap. Hugging Face looks up whole grapheme clusters shorter than six bytes, then single
/// characters; SentencePiece (and GGUF) takes the longest match at each position.
/// </summary>
internal sealed class CharsMapNormalizer(CharsMap map, bool byGrapheme) : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        var output = new TextBuffer(text.Length + 8);
        if (byGrapheme)
            NormalizeGraphemes(text, output);
        else
            NormalizeLongest(text, output);
        return output;
    }

    private void NormalizeLongest(TextBuffer text, TextBuffer output)
    {
        var bytes = Encoding.UTF8.GetBytes(text.ToString());
        var at = 0;
        for (var i = 0; i < text.Length;)
        {
            var window = bytes.AsSpan(at, Math.Min(bytes.Length - at, 256));
            if (map.TryFind(window, longest: true, out var length, out var replacement))
            {
                var (first, used) = (i, 0);
                while (i < text.Length && used < length)
                    used += TextBuffer.Utf8Length(text[i++]);
                at += used;
                Append(output, replacement, text.Start(first), text.End(i - 1));
                continue;
            }

            output.Add(text[i], text.Start(i), text.End(i));
            at += TextBuffer.Utf8Length(text[i++]);
        }
    }

    private void NormalizeGraphemes(TextBuffer text, TextBuffer output)
    {
        var utf16 = text.ToString();
        var at = 0;
        Span<byte> bytes = stackalloc byte[8];
        for (var i = 0; i < text.Length;)
        {
            var units = StringInfo.GetNextTextElementLength(utf16, at);
            var cluster = utf16.AsSpan(at, units);
            at += units;
            var count = 0;
            foreach (var _ in cluster.EnumerateRunes())
                count++;
            if (units < 6 && Encoding.UTF8.GetByteCount(cluster) < 6
                && map.TryFind(bytes[..Encoding.UTF8.GetBytes(cluster, bytes)], longest: false, out _, out var whole))
            {
                Append(output, whole, text.Start(i), text.End(i + count - 1));
                i += count;
                continue;
            }

            for (var last = i + count; i < last; i++)
            {
                var n = TextBuffer.WriteUtf8(text[i], bytes);
                if (map.TryFind(bytes[..n], longest: false, out _, out var single))
                    Append(output, single, text.Start(i), text.End(i));
                else
                    output.Add(text[i], text.Start(i), text.End(i));
            }
        }
    }

    private static void Append(TextBuffer output, string replacement, int start, int end)
    {
        foreach (var rune in replacement.EnumerateRunes())
            output.Add(rune.Value, start, end);
    }
}
