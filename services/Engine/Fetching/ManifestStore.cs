using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Slm.Engine.Formats;

namespace Slm.Engine.Fetching;

/// <summary>
/// Manifests of model files, computed once and kept in a folder. One counts while the sizes and times of its files are those
/// they had then. Callers that ask for one at a time share the work.
/// </summary>
/// <param name="folder">Where manifests are kept; made when the first one comes.</param>
/// <param name="threads">Threads that hash.</param>
public sealed class ManifestStore(string folder, int threads)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (string Stamp, Task<ModelManifest> Manifest)> _known = new(StringComparer.Ordinal);

    /// <summary>The manifest of a file or folder.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="progress">Told the bytes that are hashed, by whoever asked first.</param>
    /// <param name="cancellationToken">Ends the waiting, not the work.</param>
    /// <exception cref="IOException">A file cannot be read, or changes while it is.</exception>
    /// <exception cref="ModelFormatException">A file is empty.</exception>
    public Task<ModelManifest> GetAsync(string path, IProgress<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        var full = Path.GetFullPath(path);
        var stamp = StampOf(full);
        lock (_gate)
        {
            if (_known.TryGetValue(full, out var known) && known.Stamp == stamp && !known.Manifest.IsFaulted)
                return known.Manifest.WaitAsync(cancellationToken);
            var work = Task.Run(() => ReadOrCompute(full, stamp, progress), CancellationToken.None);
            _known[full] = (stamp, work);
            return work.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Keeps a manifest that was computed from a file as it is now.</summary>
    public void Put(string path, ModelManifest manifest)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var full = Path.GetFullPath(path);
        Write(full, StampOf(full), manifest);
    }

    private ModelManifest ReadOrCompute(string path, string stamp, IProgress<FetchProgress>? progress)
    {
        if (Read(path, stamp) is { } kept)
            return kept;
        var manifest = ManifestBuilder.Compute(path, threads, progress, CancellationToken.None);
        if (StampOf(path) != stamp)
            throw new IOException($"'{path}' changed while it was hashed. Try again when it is complete.");
        Write(path, stamp, manifest);
        return manifest;
    }

    private ModelManifest? Read(string path, string stamp)
    {
        var kept = KeptPath(path);
        if (!File.Exists(kept))
            return null;
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(kept));
            return document.RootElement.GetProperty("stamp").ValueEquals(stamp) ? ManifestReader.Read(document.RootElement.GetProperty("manifest"), Path.GetFileName(kept)) : null;
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or ModelFormatException)
        {
            // Our own file, damaged: it is computed and written anew.
            return null;
        }
    }

    private void Write(string path, string stamp, ModelManifest manifest)
    {
        Directory.CreateDirectory(folder);
        var kept = KeptPath(path);
        var temporary = $"{kept}.{Guid.NewGuid():N}.tmp";
        using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteString("path", path);
            writer.WriteString("stamp", stamp);
            writer.WritePropertyName("manifest");
            manifest.Write(writer);
            writer.WriteEndObject();
        }

        File.Move(temporary, kept, overwrite: true);
    }

    private string KeptPath(string path) => Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..32] + ".json");

    /// <summary>Names, sizes and times of the files.</summary>
    private static string StampOf(string path)
    {
        var text = new StringBuilder();
        foreach (var (name, file) in ManifestBuilder.FilesOf(path))
        {
            var info = new FileInfo(file);
            if (!info.Exists)
                throw new FileNotFoundException($"The file '{file}' does not exist.", file);
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{name}|{info.Length}|{info.LastWriteTimeUtc.Ticks}\n");
        }

        return text.ToString();
    }
}
