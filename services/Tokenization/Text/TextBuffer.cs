using System.Text;

namespace Slm.Tokenization.Text;

/// <summary>
/// A text as code points, each with the range of bytes of the original UTF-8 text it came from. Normalizers and
/// pre-tokenizers turn one buffer into another; the ranges are what makes the final token offsets exact.
/// </summary>
internal sealed class TextBuffer
{
    private int[] _codePoints;
    private int[] _starts;
    private int[] _ends;

    public TextBuffer(int capacity)
    {
        _codePoints = new int[capacity];
        _starts = new int[capacity];
        _ends = new int[capacity];
    }

    public int Length { get; private set; }

    public ReadOnlySpan<int> CodePoints => _codePoints.AsSpan(0, Length);

    /// <summary>First original byte of code point <paramref name="i"/>.</summary>
    public int Start(int i) => _starts[i];

    /// <summary>One past the last original byte of code point <paramref name="i"/>.</summary>
    public int End(int i) => _ends[i];

    public int this[int i] => _codePoints[i];

    /// <summary>Decodes UTF-16; a lone surrogate becomes U+FFFD, whose three bytes are what UTF-8 encoders write for it.</summary>
    public static TextBuffer FromString(string text)
    {
        var buffer = new TextBuffer(text.Length);
        var at = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            var n = rune.Utf8SequenceLength;
            buffer.Add(rune.Value, at, at + n);
            at += n;
        }

        return buffer;
    }

    public void Add(int codePoint, int start, int end)
    {
        if (Length == _codePoints.Length)
        {
            var n = Math.Max(16, Length * 2);
            Array.Resize(ref _codePoints, n);
            Array.Resize(ref _starts, n);
            Array.Resize(ref _ends, n);
        }

        _codePoints[Length] = codePoint;
        _starts[Length] = start;
        _ends[Length] = end;
        Length++;
    }

    /// <summary>Appends code points <paramref name="from"/>…<paramref name="to"/> of another buffer.</summary>
    public void AddRange(TextBuffer other, int from, int to)
    {
        for (var i = from; i < to; i++)
            Add(other._codePoints[i], other._starts[i], other._ends[i]);
    }

    public string Substring(int from, int to)
    {
        var text = new StringBuilder(to - from);
        for (var i = from; i < to; i++)
            text.Append(new Rune(_codePoints[i]).ToString());
        return text.ToString();
    }

    public override string ToString() => Substring(0, Length);

    /// <summary>Number of UTF-8 bytes of a code point.</summary>
    public static int Utf8Length(int codePoint) => codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;

    /// <summary>Writes the UTF-8 bytes of a code point, returns how many.</summary>
    public static int WriteUtf8(int codePoint, Span<byte> bytes) => new Rune(codePoint).EncodeToUtf8(bytes);
}

/// <summary>A slice of a buffer that later steps must not merge across.</summary>
internal readonly record struct TextPiece(TextBuffer Buffer, int From, int To)
{
    public int Length => To - From;

    public ReadOnlySpan<int> CodePoints => Buffer.CodePoints[From..To];

    public override string ToString() => Buffer.Substring(From, To);
}
