using System.Text.Json;

namespace Slm.Engine.Formats;

/// <summary>
/// The tensors of a Hugging Face folder: those of <c>model.safetensors</c>, or of the shards that
/// <c>model.safetensors.index.json</c> names.
/// </summary>
public sealed unsafe class SafetensorsSet : IDisposable
{
    /// <summary>A model in one file.</summary>
    public const string SingleName = "model.safetensors";

    /// <summary>The list of a model in several.</summary>
    public const string IndexName = SingleName + ".index.json";

    private const int MaxIndexBytes = 64 << 20;
    private const int MaxShards = 4096;

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, (SafetensorsFile File, SafetensorsTensor Tensor)> _byName = new(StringComparer.Ordinal);

    private SafetensorsSet(string folder) => Folder = folder;

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>Its files, in the order of their names.</summary>
    public IReadOnlyList<SafetensorsFile> Files => _files;

    /// <summary>Names of all tensors.</summary>
    public IEnumerable<string> Names => _byName.Keys;

    /// <summary>Bytes of all files.</summary>
    public long FileBytes => _files.Sum(f => f.FileBytes);

    /// <summary>Opens and checks the files of a folder.</summary>
    /// <exception cref="ModelFormatException">There is none, one that the index names is missing, or one is malformed.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static SafetensorsSet Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        var set = new SafetensorsSet(folder);
        try
        {
            var index = Path.Combine(folder, IndexName);
            if (File.Exists(index))
                set.AddShards(index);
            else if (File.Exists(Path.Combine(folder, SingleName)))
                set.AddSingle(Path.Combine(folder, SingleName));
            else
                throw new ModelFormatException($"{set.FolderName}: the folder has neither {SingleName} nor {IndexName}.");
            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    /// <summary>Finds a tensor by name.</summary>
    public bool TryGetTensor(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out SafetensorsTensor? tensor)
    {
        var found = _byName.TryGetValue(name, out var entry);
        tensor = entry.Tensor;
        return found;
    }

    /// <summary>The file that holds a tensor of this set.</summary>
    public SafetensorsFile FileOf(SafetensorsTensor tensor) => _byName.TryGetValue(tensor.Name, out var entry) && ReferenceEquals(entry.Tensor, tensor)
        ? entry.File : throw new ArgumentException($"The tensor '{tensor.Name}' belongs to another set.", nameof(tensor));

    /// <summary>First byte of a tensor of this set, aligned to nothing; valid until the set is disposed.</summary>
    public byte* Pointer(SafetensorsTensor tensor) => FileOf(tensor).Pointer(tensor);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }

    private string FolderName => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Folder)));

    private void AddSingle(string path)
    {
        var file = SafetensorsFile.Open(path);
        _files.Add(file);
        foreach (var tensor in file.Tensors)
            _byName.Add(tensor.Name, (file, tensor));
    }

    private void AddShards(string index)
    {
        var map = ReadIndex(index);
        foreach (var shard in map.GroupBy(m => m.Value, m => m.Key, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var path = Path.Combine(Folder, shard.Key);
            if (!File.Exists(path))
                throw new ModelFormatException($"{IndexName} names the file '{shard.Key}', which is missing from the folder.");
            var file = SafetensorsFile.Open(path);
            _files.Add(file);
            foreach (var name in shard)
            {
                if (!file.TryGetTensor(name, out var tensor))
                    throw new ModelFormatException($"{IndexName} says that '{shard.Key}' holds the tensor '{name}', but it does not.");
                _byName.Add(name, (file, tensor));
            }
        }
    }

    /// <summary>File names by tensor name.</summary>
    private static Dictionary<string, string> ReadIndex(string index)
    {
        if (new FileInfo(index).Length > MaxIndexBytes)
            throw new ModelFormatException($"{IndexName} has {new FileInfo(index).Length} bytes; at most {MaxIndexBytes} are allowed.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(index), new JsonDocumentOptions { MaxDepth = 16 });
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("weight_map", out var weights) || weights.ValueKind != JsonValueKind.Object)
                throw new ModelFormatException($"{IndexName}: 'weight_map' is missing or no object.");
            var map = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var entry in weights.EnumerateObject())
            {
                var file = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString()! : "";
                // A plain name of the folder: nothing that leads out of it.
                if (!file.EndsWith(".safetensors", StringComparison.Ordinal) || file.AsSpan().ContainsAny("/\\\0:") || file.StartsWith('.'))
                    throw new ModelFormatException($"{IndexName}: the file of the tensor '{entry.Name}' is {entry.Value.GetRawText()}; the name of a .safetensors file of the folder is expected.");
                if (!map.TryAdd(entry.Name, file))
                    throw new ModelFormatException($"{IndexName}: the tensor '{entry.Name}' occurs twice.");
            }

            var shards = map.Values.Distinct(StringComparer.Ordinal).Count();
            return shards <= MaxShards ? map : throw new ModelFormatException($"{IndexName} names {shards} files; at most {MaxShards} are supported.");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new ModelFormatException($"{IndexName} is not valid JSON: {error.Message}", error);
        }
    }
}
