namespace Slm.Runtime;

/// <summary>An adapter that can be loaded.</summary>
/// <param name="Name">The file's name without its extension, or the folder's.</param>
/// <param name="Path">Where it is.</param>
public sealed record AdapterEntry(string Name, string Path);

/// <summary>
/// The adapters in the folder <c>adapters</c> of the model folders: GGUF files, and PEFT folders (with an <c>adapter_config.json</c>). As with
/// models a name is only ever compared with the names that a scan found.
/// </summary>
/// <param name="models">The model folders, in order of precedence.</param>
public sealed class AdapterCatalog(ModelCatalog models)
{
    /// <summary>Name of the folder.</summary>
    public const string Folder = "adapters";

    private const string Extension = ".gguf";
    private const string PeftFile = "adapter_config.json";

    /// <summary>All adapters, sorted by name.</summary>
    public IReadOnlyList<AdapterEntry> List() => [.. Scan().Values.OrderBy(e => e.Name, StringComparer.Ordinal)];

    /// <summary>The adapter of that name.</summary>
    /// <exception cref="AdapterFileNotFoundException">There is none; lists the names there are.</exception>
    public AdapterEntry Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var adapters = Scan();
        return adapters.TryGetValue(name, out var entry)
            ? entry
            : throw new AdapterFileNotFoundException(name, [.. adapters.Keys.Order(StringComparer.Ordinal)]);
    }

    private Dictionary<string, AdapterEntry> Scan()
    {
        var adapters = new Dictionary<string, AdapterEntry>(StringComparer.Ordinal);
        foreach (var folder in models.Folders.Select(f => new DirectoryInfo(Path.Combine(f, Folder))).Where(f => f.Exists))
        {
            foreach (var file in folder.EnumerateFiles("*" + Extension))
                adapters.TryAdd(Path.GetFileNameWithoutExtension(file.Name), new AdapterEntry(Path.GetFileNameWithoutExtension(file.Name), file.FullName));
            foreach (var peft in folder.EnumerateDirectories().Where(d => File.Exists(Path.Combine(d.FullName, PeftFile))))
                adapters.TryAdd(peft.Name, new AdapterEntry(peft.Name, peft.FullName));
        }

        return adapters;
    }
}

/// <summary>No adapter file has that name.</summary>
public sealed class AdapterFileNotFoundException(string name, IReadOnlyList<string> known) : Exception(
    known.Count == 0
        ? $"There is no adapter \"{name}\": the folders '{AdapterCatalog.Folder}' of the model folders hold none."
        : $"There is no adapter \"{name}\". There are: {string.Join(", ", known)}.")
{
    /// <summary>What was asked for.</summary>
    public string Name { get; } = name;

    /// <summary>The names there are.</summary>
    public IReadOnlyList<string> Known { get; } = known;
}
