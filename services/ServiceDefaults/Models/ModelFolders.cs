using Microsoft.Extensions.Hosting;

namespace Slm.ServiceDefaults.Models;

/// <summary>
/// The model files this process can serve: every <c>*.gguf</c> of the model folders, by its name without the extension. The
/// folders are listed anew at each call, so that a file dropped into one is there at once. Names never become paths.
/// </summary>
public sealed class ModelFolders
{
    private const string Extension = ".gguf";

    /// <summary>Finds the folders.</summary>
    public ModelFolders(PlatformOptions options, IHostEnvironment environment)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(environment);
        Folders = options.Models ?? Defaults(environment.ContentRootPath, options.Data);
    }

    /// <summary>The folders, first one first; not all need exist.</summary>
    public IReadOnlyList<string> Folders { get; }

    /// <summary>All model files by name; of equal names the first folder's.</summary>
    public IReadOnlyDictionary<string, FileInfo> List()
    {
        var files = new SortedDictionary<string, FileInfo>(StringComparer.Ordinal);
        foreach (var folder in Folders.Where(Directory.Exists))
            foreach (var file in new DirectoryInfo(folder).EnumerateFiles("*" + Extension))
                files.TryAdd(Path.GetFileNameWithoutExtension(file.Name), file);
        return files;
    }

    /// <summary>The file of a model.</summary>
    /// <exception cref="UnknownModelException">There is none of that name.</exception>
    public FileInfo Find(string model)
    {
        var files = List();
        return files.TryGetValue(model, out var file) ? file : throw new UnknownModelException(model, [.. files.Keys]);
    }

    private static List<string> Defaults(string contentRoot, string data)
    {
        var folders = new List<string> { Path.Combine(AppContext.BaseDirectory, "models") };
        for (var folder = new DirectoryInfo(contentRoot); folder is not null; folder = folder.Parent)
        {
            var shipped = Path.Combine(folder.FullName, "infra", "models");
            if (!Directory.Exists(shipped))
                continue;
            folders.Add(shipped);
            break;
        }
        folders.Add(Path.Combine(data, "models"));
        return folders;
    }
}

/// <summary>No model of that name is known.</summary>
/// <param name="model">The name asked for.</param>
/// <param name="known">The names there are.</param>
public sealed class UnknownModelException(string model, IReadOnlyList<string> known) : Exception(
    model.Length == 0 ? $"No model was named. {KnownText(known)}" : $"There is no model '{model}'. {KnownText(known)}")
{
    /// <summary>The name asked for.</summary>
    public string Model { get; } = model;

    /// <summary>The names there are.</summary>
    public IReadOnlyList<string> Known { get; } = known;

    private static string KnownText(IReadOnlyList<string> known) =>
        known.Count == 0 ? "No model is installed: put a .gguf file into a folder of Slm:Models." : $"Known models: {string.Join(", ", known)}.";
}
