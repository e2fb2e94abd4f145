using System.Globalization;

namespace Slm.Tokenization.Unicode;

/// <summary>Reads the embedded extracts of the Unicode Character Database.</summary>
internal static class UnicodeData
{
    /// <summary>The fields of every line that is no comment.</summary>
    public static IEnumerable<string[]> Read(string resource)
    {
        using var stream = typeof(UnicodeData).Assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"the resource {resource} is not embedded");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            if (!line.StartsWith('#'))
                yield return line.Split(' ');
        }
    }

    public static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
