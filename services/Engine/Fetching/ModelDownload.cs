using System.Globalization;
using Slm.Engine.Formats;

namespace Slm.Engine.Fetching;

/// <summary>Fetches a whole GGUF file to its place, which it takes only when it is complete and what it should be. One that broke off goes on where it was.</summary>
public sealed class ModelDownload
{
    /// <summary>What the name of a file that is not complete has behind it.</summary>
    public const string Suffix = ".part";

    private ModelDownload(string path, ModelManifest manifest, long fetchedBytes, bool hadManifest)
    {
        Path = path;
        Manifest = manifest;
        FetchedBytes = fetchedBytes;
        HadManifest = hadManifest;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>What it is, computed from the file as it lies on the disk.</summary>
    public ModelManifest Manifest { get; }

    /// <summary>Bytes that were fetched this time; the rest was there.</summary>
    public long FetchedBytes { get; }

    /// <summary>Each chunk was checked against a manifest of the server.</summary>
    public bool HadManifest { get; }

    /// <summary>Fetches a file.</summary>
    /// <param name="source">Where it is.</param>
    /// <param name="path">Its place; a file that is there is replaced.</param>
    /// <param name="sha256">What its SHA-256 has to be, in lower-case hexadecimal; null if nobody knows.</param>
    /// <param name="threads">Threads that hash.</param>
    /// <param name="progress">Told the bytes that are there.</param>
    /// <param name="hashing">Told the bytes of the finished file that are hashed.</param>
    /// <param name="cancellationToken">Ends the transfer; what has arrived stays for the next time.</param>
    /// <exception cref="FetchException">The server does not give the file, or gives another one.</exception>
    /// <exception cref="ModelFormatException">It is no GGUF file.</exception>
    public static async Task<ModelDownload> RunAsync(
        HttpSource source, string path, string? sha256, int threads, IProgress<FetchProgress>? progress, IProgress<FetchProgress>? hashing, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentException.ThrowIfNullOrEmpty(path);
        var remote = await source.OpenAsync(cancellationToken).ConfigureAwait(false);
        var stated = await source.ManifestAsync(cancellationToken).ConfigureAwait(false);
        if (stated is not null)
            Check(source, remote, stated, sha256);
        var part = path + Suffix;
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
        var fetched = 0L;

        // Without a tag, a date or a manifest what is there might be of another file: nothing of it is used.
        using (var file = stated is not null ? ChunkedFile.Open(part, stated.Files[0])
            : ChunkedFile.Open(part, System.IO.Path.GetFileName(path), remote.Identity ?? Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().Concat(new byte[16]).ToArray()), remote.Length))
        {
            fetched = remote.Length - file.PresentBytes;
            await file.EnsureAsync([0], [source], progress: null, cancellationToken).ConfigureAwait(false);
            if (!GgufFile.HasMagic(part))
            {
                file.Dispose();
                Delete(part);
                throw new ModelFormatException($"{source.Name}: this is not a GGUF file: it does not start with \"GGUF\".");
            }

            await file.EnsureAsync([.. Enumerable.Range(0, file.Count)], [source], progress, cancellationToken).ConfigureAwait(false);
        }

        var hashed = await Task.Run(() => ManifestBuilder.Compute(part, threads, hashing, cancellationToken), cancellationToken).ConfigureAwait(false);
        var found = ModelManifest.OfFile(hashed.Files[0].Named(System.IO.Path.GetFileName(path)));
        if (found.Files[0].Sha256 is var actual && (sha256 ?? stated?.Files[0].Sha256) is { } expected && actual != expected)
        {
            Delete(part);
            throw new FetchException($"{source.Name}: the file has the SHA-256 {actual}, and {expected} is expected. What arrived was deleted.");
        }

        CheckFormat(part, source.Name);
        File.Move(part, path, overwrite: true);
        File.Delete(part + ChunkMap.Suffix);
        return new ModelDownload(path, found, fetched, stated is not null);
    }

    private static void Check(HttpSource source, HttpFile remote, ModelManifest stated, string? sha256)
    {
        if (stated.IsFolder)
            throw new NotSupportedException($"{source.Name}{HttpSource.ManifestSuffix} is the manifest of a folder; only single GGUF files can be fetched.");
        var file = stated.Files[0];
        if (file.Length != remote.Length)
            throw new FetchException(string.Create(CultureInfo.InvariantCulture, $"{source.Name} has {remote.Length} bytes, and by its manifest {file.Length}. One of them is out of date."));
        if (sha256 is not null && file.Sha256 != sha256)
            throw new FetchException($"{source.Name}: by its manifest the file has the SHA-256 {file.Sha256}, and {sha256} is expected.");
    }

    private static void CheckFormat(string part, string name)
    {
        try
        {
            using var file = GgufFile.Open(part);
        }
        catch (ModelFormatException error)
        {
            Delete(part);
            throw new ModelFormatException($"{name}: the file arrived as it is there, but cannot be used: {error.Message}", error);
        }
    }

    private static void Delete(string part)
    {
        File.Delete(part + ChunkMap.Suffix);
        File.Delete(part);
    }
}
