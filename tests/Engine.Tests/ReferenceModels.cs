namespace Slm.Engine.Tests;

/// <summary>The reference models in <c>tests/data/gguf</c>.</summary>
internal static class ReferenceModels
{
    /// <summary>Folder of the models.</summary>
    public static string Folder { get; } = FindFolder();

    /// <summary>Names without extension, sorted.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Directory.EnumerateFiles(Folder, "*.gguf").Select(f => System.IO.Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal)];

    /// <summary>Path of a model.</summary>
    public static string Path(string name) => System.IO.Path.Combine(Folder, $"{name}.gguf");

    /// <summary>Path of its recorded outputs.</summary>
    public static string Record(string name) => System.IO.Path.Combine(Folder, $"{name}.json");

    private static string FindFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var candidate = System.IO.Path.Combine(folder.FullName, "tests", "data", "gguf");
            if (Directory.Exists(candidate))
                return candidate;
        }
        throw new DirectoryNotFoundException("tests/data/gguf was not found above the test's folder.");
    }
}
