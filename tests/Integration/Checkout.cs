namespace Slm.Integration;

/// <summary>The source checkout the tests run in.</summary>
internal static class Checkout
{
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "SlmPlatform.sln")))
                return folder.FullName;
        throw new DirectoryNotFoundException("SlmPlatform.sln was not found above the test's folder.");
    }
}
