using System.Globalization;

namespace Slm.Tokenization.Decoders;

/// <summary>
/// Byte tokens &lt;0xNN&gt; to text. A run of bytes that is valid UTF-8 decodes to its characters as soon as each is
/// complete; a byte that cannot belong to one becomes U+FFFD.
/// </summary>
internal sealed class ByteFallbackDecoder : DecoderStep
{
    private readonly Utf8Assembler _utf8 = new();
    private bool _holds;

    public override void Push(string piece)
    {
        if (TryByte(piece, out var b))
        {
            _holds = true;
            Emit(_utf8.Append([b]));
            return;
        }

        Release();
        Next!.Push(piece);
    }

    public override void Flush()
    {
        Release();
        base.Flush();
    }

    private void Release()
    {
        if (_holds)
            Emit(_utf8.Flush());
        _holds = false;
    }

    private void Emit(string text)
    {
        if (text.Length > 0)
            Next!.Push(text);
    }

    /// <summary>Whether a token is the spelling of one byte.</summary>
    public static bool TryByte(string piece, out byte value)
    {
        value = 0;
        return piece.Length == 6 && piece.StartsWith("<0x", StringComparison.Ordinal) && piece[5] == '>'
            && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }
}
