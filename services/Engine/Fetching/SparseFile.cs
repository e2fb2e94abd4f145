using Slm.Engine.Formats;

namespace Slm.Engine.Fetching;

/// <summary>
/// A copy of a model file, as long as the original, in which only some chunks are there and the rest is a hole. Its name ends with
/// <see cref="Extension"/>, so that it is never taken for a whole one, and the map of its chunks lies beside it.
/// </summary>
internal sealed class SparseFile : IDisposable
{
    /// <summary>What its name ends with.</summary>
    public const string Extension = ".sparse";

    private readonly ChunkMap _map;

    private SparseFile(ChunkMap map) => _map = map;

    /// <summary>Chunks that are there.</summary>
    public int Present => _map.Present;

    /// <summary>Number of chunks.</summary>
    public int Count => _map.Count;

    /// <summary>SHA-256 of the whole file, as its manifest has it.</summary>
    public string Sha256 => _map.Sha256;

    /// <summary>Bytes from the start of the file up to its first hole.</summary>
    public long LeadingBytes
    {
        get
        {
            var chunk = 0;
            while (chunk < Count && _map.Has(chunk))
                chunk++;
            return Math.Min((long)chunk * _map.ChunkBytes, _map.Length);
        }
    }

    /// <summary>True for the name of a sparse copy.</summary>
    public static bool IsSparse(string path) => path.EndsWith(Extension, StringComparison.Ordinal);

    /// <summary>Opens the map of a sparse copy.</summary>
    /// <exception cref="ModelFormatException">It is missing, malformed or of another file.</exception>
    public static SparseFile Open(string path)
    {
        var mapPath = path + ChunkMap.Suffix;
        if (!File.Exists(mapPath))
            throw new ModelFormatException($"{Path.GetFileName(path)}: '{mapPath}' is missing, which says what of this sparse copy is there. Delete the copy and fetch it again.");
        var map = ChunkMap.Open(mapPath, FileAccess.Read);
        if (new FileInfo(path) is { Exists: true } file && file.Length != map.Length)
        {
            map.Dispose();
            throw new ModelFormatException($"{Path.GetFileName(path)}: the sparse copy has {file.Length} bytes, but its list of chunks is of a file of {map.Length}. Delete both and fetch again.");
        }

        return new SparseFile(map);
    }

    /// <summary>True if all of these bytes are there.</summary>
    public bool Has(long position, long count)
    {
        for (var chunk = position / _map.ChunkBytes; chunk <= (position + count - 1) / _map.ChunkBytes; chunk++)
        {
            if (!_map.Has((int)chunk))
                return false;
        }

        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _map.Dispose();
}
