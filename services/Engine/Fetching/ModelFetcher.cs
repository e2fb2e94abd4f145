using Slm.Engine.Formats;
using Slm.Engine.Models;

namespace Slm.Engine.Fetching;

/// <summary>
/// Sparse copies of models that lie elsewhere, in a folder: each holds what has been asked for so far, and is opened like any model
/// file. What it does not have is refused when it is read. Where there is a limit, the copies that were used least recently make room
/// for others; those in use, by whatever process, stay.
/// </summary>
/// <param name="folder">Where they are; made when the first one comes.</param>
/// <param name="limitBytes">Most bytes of all copies; null: none.</param>
public sealed class ModelFetcher(string folder, long? limitBytes = null) : IDisposable
{
    private const string ManifestName = "manifest.json";

    private readonly WeightCache _cache = new(folder, limitBytes);

    /// <summary>Where the copies are.</summary>
    public string Folder { get; } = folder;

    /// <summary>Keeps a copy from being deleted until the result is disposed, from before it is fetched until nobody reads it any more.</summary>
    /// <param name="root">Root hash of its manifest.</param>
    /// <param name="cancellationToken">Ends the waiting for another process that deletes it.</param>
    public async Task<IDisposable> HoldAsync(string root, CancellationToken cancellationToken) => await _cache.HoldAsync(RequireRoot(root), cancellationToken).ConfigureAwait(false);

    /// <summary>The manifest with this root, if something of the model has been fetched before; null if not.</summary>
    public ModelManifest? ManifestOf(string root)
    {
        var path = Path.Combine(_cache.FolderOf(RequireRoot(root)), ManifestName);
        if (!File.Exists(path))
            return null;
        try
        {
            return ModelManifest.Parse(File.ReadAllBytes(path), path) is { } kept && kept.Root == root ? kept : null;
        }
        catch (ModelFormatException)
        {
            // Our own file, damaged: whoever has the model has it as well.
            File.Delete(path);
            return null;
        }
    }

    /// <summary>Where the copy of a model is, or will be.</summary>
    /// <exception cref="ArgumentException">The model's name cannot be the name of a file.</exception>
    /// <exception cref="NotSupportedException">The model is a folder.</exception>
    public string PathOf(string model, ModelManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        if (string.IsNullOrEmpty(model) || model[0] == '.' || model.AsSpan().IndexOfAny("/\\:\0") >= 0)
            throw new ArgumentException($"The model's name '{model}' cannot be the name of a file.", nameof(model));
        if (manifest.IsFolder)
            throw new NotSupportedException($"The model '{model}' is a folder of {manifest.Files.Count} files, and only GGUF files can be fetched in parts. Write one with 'slm quantize', or copy the folder to every machine.");
        return Path.Combine(_cache.FolderOf(manifest.Root), model + SparseFile.Extension);
    }

    /// <summary>Fetches what is missing of a selection, each chunk checked against the manifest, and returns the path of the copy.</summary>
    /// <param name="model">The model's name, which the copy has as well.</param>
    /// <param name="manifest">What the file is.</param>
    /// <param name="selection">What of it is needed.</param>
    /// <param name="sources">Who has it.</param>
    /// <param name="progress">Told the bytes that are there of those that are needed.</param>
    /// <param name="cancellationToken">Ends the transfer; what has arrived stays.</param>
    /// <exception cref="FetchException">The sources do not give what the manifest says.</exception>
    /// <exception cref="ModelFormatException">The file is no GGUF file that can be used.</exception>
    /// <exception cref="NotSupportedException">The model is a folder.</exception>
    /// <exception cref="WeightCacheFullException">There is no room, and what is in use cannot be deleted.</exception>
    public async Task<string> FetchAsync(
        string model, ModelManifest manifest, WeightSelection selection, IReadOnlyList<IChunkSource> sources, IProgress<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(selection);
        ArgumentNullException.ThrowIfNull(sources);
        var path = PathOf(model, manifest);
        using var hold = await _cache.HoldAsync(manifest.Root, cancellationToken).ConfigureAwait(false);
        var copy = hold.Open(path, manifest.Files[0], () => Keep(manifest));
        await FetchHeadAsync(model, manifest.Root, path, copy, manifest.Files[0].Length, sources, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<int> chunks;
        using (var head = ModelFile.Open(path))
            chunks = ByteRange.Chunks(selection.RangesIn(head), copy.ChunkBytes);
        await EnsureAsync(model, manifest.Root, copy, chunks, sources, progress, cancellationToken).ConfigureAwait(false);
        return path;
    }

    /// <inheritdoc/>
    public void Dispose() => _cache.Dispose();

    private static string RequireRoot(string root)
    {
        ArgumentException.ThrowIfNullOrEmpty(root);
        return root.Length == 2 * FileManifest.HashBytes && root.All(char.IsAsciiHexDigitLower)
            ? root
            : throw new ArgumentException($"'{root}' is no root hash; it has {2 * FileManifest.HashBytes} lower-case hexadecimal digits.", nameof(root));
    }

    private void Keep(ModelManifest manifest)
    {
        var kept = Path.Combine(_cache.FolderOf(manifest.Root), ManifestName);
        if (File.Exists(kept))
            return;
        var temporary = $"{kept}.{Guid.NewGuid():N}.tmp";
        File.WriteAllBytes(temporary, manifest.ToJson());
        File.Move(temporary, kept, overwrite: true);
    }

    /// <summary>Fetches what is missing of some chunks, once there is room for it.</summary>
    private async Task EnsureAsync(
        string model, string root, ChunkedFile copy, IReadOnlyList<int> chunks, IReadOnlyList<IChunkSource> sources, IProgress<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        using var room = _cache.MakeRoom(root, copy.MissingBytes(chunks), model);
        await copy.EnsureAsync(chunks, sources, progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Fetches from the start, a chunk more each time, until metadata and tensor descriptions can be read.</summary>
    private async Task FetchHeadAsync(string model, string root, string path, ChunkedFile copy, long length, IReadOnlyList<IChunkSource> sources, CancellationToken cancellationToken)
    {
        var most = Math.Min(length, GgufCursor.MaxHeadBytes);
        for (long wanted = copy.ChunkBytes; ; wanted += copy.ChunkBytes)
        {
            await EnsureAsync(model, root, copy, ByteRange.Chunks([new ByteRange(0, Math.Min(wanted, most))], copy.ChunkBytes), sources, progress: null, cancellationToken).ConfigureAwait(false);
            try
            {
                using var head = GgufFile.Open(path);
                return;
            }
            catch (ModelFormatException) when (wanted < most && GgufFile.HasMagic(path))
            {
                // More of it may be a head that can be read.
            }
        }
    }
}
