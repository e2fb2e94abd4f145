using System.Text;

namespace Slm.Tokenization.Decoders;

/// <summary>Bytes to text, holding back the bytes of an unfinished code point; bytes that cannot become one are U+FFFD.</summary>
internal sealed class Utf8Assembler
{
    private readonly Decoder _decoder = new UTF8Encoding(false).GetDecoder();

    public string Append(ReadOnlySpan<byte> bytes) => Convert(bytes, flush: false);

    public string Flush() => Convert([], flush: true);

    private string Convert(ReadOnlySpan<byte> bytes, bool flush)
    {
        var chars = new char[bytes.Length + 4];
        return new string(chars, 0, _decoder.GetChars(bytes, chars, flush));
    }
}
