using Slm.Tokenization.Unicode;

namespace Slm.Tokenization.Patterns;

/// <summary>The Script property, which .NET does not have.</summary>
internal static class UnicodeScripts
{
    private static readonly Lazy<(int[] Firsts, int[] Lasts, string[] Names)> Table = new(Load);

    /// <summary>The script of a code point ("Latin", "Han", "Common" …); "Unknown" when it has none.</summary>
    public static string Find(int codePoint)
    {
        var (firsts, lasts, names) = Table.Value;
        var i = Array.BinarySearch(firsts, codePoint);
        if (i < 0)
            i = ~i - 1;
        return i >= 0 && codePoint <= lasts[i] ? names[i] : "Unknown";
    }

    public static bool Exists(string name) => Table.Value.Names.Contains(name);

    private static (int[], int[], string[]) Load()
    {
        List<int> firsts = [], lasts = [];
        List<string> names = [];
        foreach (var fields in UnicodeData.Read("Scripts.txt"))
        {
            firsts.Add(UnicodeData.Hex(fields[0]));
            lasts.Add(UnicodeData.Hex(fields[1]));
            names.Add(string.Intern(fields[2]));
        }

        return ([.. firsts], [.. lasts], [.. names]);
    }
}
