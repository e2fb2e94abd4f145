using System.Text;
using Slm.Tokenization.PreTokenizers;

namespace Slm.Tokenization.Decoders;

/// <summary>Byte-level alphabet back to bytes, bytes to text. A token with any other character stands for its own text.</summary>
internal sealed class ByteLevelDecoder : DecoderStep
{
    private readonly Utf8Assembler _utf8 = new();

    public override void Push(string piece)
    {
        var text = _utf8.Append(Bytes(piece));
        if (text.Length > 0)
            Next!.Push(text);
    }

    public override void Flush()
    {
        var rest = _utf8.Flush();
        if (rest.Length > 0)
            Next!.Push(rest);
        base.Flush();
    }

    /// <summary>The bytes a token stands for.</summary>
    public static byte[] Bytes(string piece)
    {
        var bytes = new byte[piece.Length];
        for (var i = 0; i < piece.Length; i++)
        {
            var b = ByteLevelAlphabet.ToByte(piece[i]);
            if (b < 0)
                return Encoding.UTF8.GetBytes(piece);
            bytes[i] = (byte)b;
        }

        return bytes;
    }
}
