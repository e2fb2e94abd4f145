namespace Slm.Tokenization.Tests;

/// <summary>Tokenizers from tokenizer.json text.</summary>
internal static class TokenizerJson
{
    /// <summary>Writes the files to a folder of their own and loads them.</summary>
    public static ITokenizer Load(string json, params (string Name, string Text)[] beside)
    {
        var folder = Directory.CreateTempSubdirectory("slm-tokenizer-");
        try
        {
            var path = Path.Combine(folder.FullName, "tokenizer.json");
            File.WriteAllText(path, json);
            foreach (var (name, text) in beside)
                File.WriteAllText(Path.Combine(folder.FullName, name), text);
            return TokenizerLoader.FromTokenizerJson(path);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
