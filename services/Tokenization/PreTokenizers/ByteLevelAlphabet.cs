namespace Slm.Tokenization.PreTokenizers;

/// <summary>
/// The alphabet of byte-level vocabularies (GPT-2): printable Latin-1 bytes stand for themselves, the other 68 are
/// U+0100 onwards in order of their value, so that every byte is a visible character.
/// </summary>
internal static class ByteLevelAlphabet
{
    private static readonly char[] Chars = Build();
    private static readonly short[] Bytes = Invert();

    /// <summary>The character that stands for a byte.</summary>
    public static char ToChar(byte b) => Chars[b];

    /// <summary>The byte a character stands for, or -1.</summary>
    public static int ToByte(int c) => c >= 0 && c < Bytes.Length ? Bytes[c] : -1;

    private static char[] Build()
    {
        var chars = new char[256];
        var next = 0x100;
        for (var b = 0; b < 256; b++)
            chars[b] = b is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF) ? (char)b : (char)next++;
        return chars;
    }

    private static short[] Invert()
    {
        var bytes = new short[0x144];
        Array.Fill(bytes, (short)-1);
        for (var b = 0; b < 256; b++)
            bytes[Chars[b]] = (short)b;
        return bytes;
    }
}
