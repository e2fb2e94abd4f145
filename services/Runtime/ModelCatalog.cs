using Slm.Engine.Formats;

namespace Slm.Runtime;

/// <summary>A model file, or a Hugging Face folder, that can be opened.</summary>
/// <param name="Name">The file's name without its extension, or the folder's: what requests use.</param>
/// <param name="Path">Where the file or folder is.</param>
/// <param name="FileBytes">Its size; of a folder, that of its weights.</param>
/// <param name="Modified">When it was last written; of a folder, its newest weights.</param>
public sealed record CatalogEntry(string Name, string Path, long FileBytes, DateTimeOffset Modified);

/// <summary>
/// The models of some folders, by name: GGUF files, and folders with a <c>config.json</c> and *.safetensors. A name is only ever compared with the names of files that a scan found; it
/// never becomes part of a path. Folders are scanned anew each time, so a file copied in is there at once. Of files with
/// one name the first folder's wins.
/// </summary>
/// <param name="folders">Folders in order of precedence; those that do not exist are passed over.</param>
public sealed class ModelCatalog(IEnumerable<string> folders)
{
    private const string Extension = ".gguf";
    private const string WeightsExtension = ".safetensors";

    /// <summary>Folders in order of precedence.</summary>
    public IReadOnlyList<string> Folders { get; } = [.. folders.Select(ExpandHome)];

    /// <summary>The shipped models, then <c>~/.slm/models</c>.</summary>
    public static ModelCatalog Default() => new(DefaultFolders());

    /// <summary>The folders of <see cref="Default"/> that can exist here.</summary>
    public static IReadOnlyList<string> DefaultFolders()
    {
        List<string> folders = [];
        if (ShippedFolder() is { } shipped)
            folders.Add(shipped);
        folders.Add(ExpandHome("~/.slm/models"));
        return folders;
    }

    /// <summary>
    /// The folder of the shipped models: <c>models</c> beside the program, or <c>infra/models</c> in a folder above the
    /// program or the working directory, which is where it is in the repository. Null if there is none.
    /// </summary>
    public static string? ShippedFolder()
    {
        var beside = Path.Combine(AppContext.BaseDirectory, "models");
        if (Directory.Exists(beside))
            return beside;
        foreach (var start in new[] { AppContext.BaseDirectory, Environment.CurrentDirectory })
        {
            for (var folder = new DirectoryInfo(start); folder is not null; folder = folder.Parent)
            {
                var models = Path.Combine(folder.FullName, "infra", "models");
                if (Directory.Exists(models))
                    return models;
            }
        }

        return null;
    }

    /// <summary>All models, sorted by name.</summary>
    public IReadOnlyList<CatalogEntry> List() => [.. Scan().Values.OrderBy(e => e.Name, StringComparer.Ordinal)];

    /// <summary>The model of that name.</summary>
    /// <exception cref="ModelNotFoundException">There is none; lists the names there are.</exception>
    public CatalogEntry Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var models = Scan();
        return models.TryGetValue(name, out var entry)
            ? entry
            : throw new ModelNotFoundException(name, [.. models.Keys.Order(StringComparer.Ordinal)]);
    }

    private Dictionary<string, CatalogEntry> Scan()
    {
        var models = new Dictionary<string, CatalogEntry>(StringComparer.Ordinal);
        foreach (var folder in Folders)
        {
            if (!Directory.Exists(folder))
                continue;
            foreach (var file in new DirectoryInfo(folder).EnumerateFiles("*" + Extension).OrderBy(f => f.Name, StringComparer.Ordinal))
            {
                var name = Path.GetFileNameWithoutExtension(file.Name);
                if (name.Length > 0)
                    models.TryAdd(name, new CatalogEntry(name, file.FullName, file.Length, file.LastWriteTimeUtc));
            }

            foreach (var inner in new DirectoryInfo(folder).EnumerateDirectories().Where(d => ModelSource.IsFolder(d.FullName)).OrderBy(d => d.Name, StringComparer.Ordinal))
            {
                var weights = inner.GetFiles("*" + WeightsExtension);
                if (weights.Length > 0)
                    models.TryAdd(inner.Name, new CatalogEntry(inner.Name, inner.FullName, weights.Sum(w => w.Length), weights.Max(w => w.LastWriteTimeUtc)));
            }
        }

        return models;
    }

    private static string ExpandHome(string folder) => folder is "~" || folder.StartsWith("~/", StringComparison.Ordinal)
        ? Path.Join(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), folder[1..])
        : Path.GetFullPath(folder);
}

/// <summary>No model has that name.</summary>
public sealed class ModelNotFoundException(string name, IReadOnlyList<string> known) : Exception(
    known.Count == 0
        ? $"There is no model \"{name}\": the model folders hold no .gguf file and no folder with config.json and *.safetensors."
        : $"There is no model \"{name}\". There are: {string.Join(", ", known)}.")
{
    /// <summary>What was asked for.</summary>
    public string Name { get; } = name;

    /// <summary>The names there are.</summary>
    public IReadOnlyList<string> Known { get; } = known;
}
