using Slm.Engine.Fetching;
using Slm.Runtime;

namespace Slm.Cli.Backends;

/// <summary>Where the command keeps what it writes: <c>Slm__Data</c>, else <c>~/.slm</c>.</summary>
internal static class DataFolder
{
    private static string Root => Environment.GetEnvironmentVariable("Slm__Data") is { Length: > 0 } folder ? Path.GetFullPath(folder)
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".slm");

    /// <summary>Manifests of model files, the ones of the services.</summary>
    public static ManifestStore Manifests(int threads) => new(Path.Combine(Root, "manifests"), threads);

    /// <summary>The folder that models are put into: the first one of <c>Slm__Models</c>, else the user's own.</summary>
    public static string Models => Environment.GetEnvironmentVariable("Slm__Models") is { Length: > 0 }
        ? ModelArgument.Catalog().Folders[0] : ModelCatalog.DefaultFolders()[^1];
}
