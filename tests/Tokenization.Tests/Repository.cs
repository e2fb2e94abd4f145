namespace Slm.Tokenization.Tests;

/// <summary>Folders of the working copy the tests run from.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    public static string Folder(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "SlmPlatform.sln")))
                return folder.FullName;
        }

        throw new DirectoryNotFoundException($"no SlmPlatform.sln above {AppContext.BaseDirectory}");
    }
}
