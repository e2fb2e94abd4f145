using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Slm.Engine.Fetching;

/// <summary>
/// A file that is filled chunk by chunk from sources, in any order, by several callers at a time who share what they have in common.
/// A chunk counts as there when it has been checked, written and flushed, so that whatever happens in between only costs fetching it again.
/// </summary>
internal sealed class ChunkedFile : IDisposable
{
    /// <summary>Most chunks of one call that are on their way: what a call holds in memory.</summary>
    public const int MaxInFlight = 4;

    private readonly Lock _gate = new();
    private readonly SafeFileHandle _file;
    private readonly ChunkMap _map;
    private readonly FileManifest? _manifest;
    private readonly string _name;
    private readonly Dictionary<int, Task> _running = [];
    private readonly SemaphoreSlim _commit = new(1);
    private readonly List<int> _written = [];

    private ChunkedFile(SafeFileHandle file, ChunkMap map, string name, FileManifest? manifest)
    {
        _file = file;
        _map = map;
        _name = name;
        _manifest = manifest;
    }

    /// <summary>Number of chunks.</summary>
    public int Count => _map.Count;

    /// <summary>Bytes of a chunk, of the last one maybe fewer.</summary>
    public int ChunkBytes => _map.ChunkBytes;

    /// <summary>Bytes that are there.</summary>
    public long PresentBytes => Enumerable.Range(0, Count).Where(_map.Has).Sum(BytesOf);

    /// <summary>Bytes of these chunks that are not there.</summary>
    public long MissingBytes(IEnumerable<int> chunks) => chunks.Where(chunk => !_map.Has(chunk)).Sum(BytesOf);

    /// <summary>Opens a file that is of this content, or begins it.</summary>
    public static ChunkedFile Open(string path, FileManifest manifest) =>
        Open(path, manifest.Name, manifest.Root, manifest.Sha256, manifest.Length, manifest.ChunkBytes, manifest);

    /// <summary>The same for content that nothing is known of but an identity.</summary>
    public static ChunkedFile Open(string path, string name, string identity, long length) =>
        Open(path, name, identity, new string('0', 2 * FileManifest.HashBytes), length, ModelManifest.DefaultChunkBytes, manifest: null);

    /// <summary>Returns when all of these chunks are there.</summary>
    /// <exception cref="FetchException">No source gives a chunk that is as it should be.</exception>
    public async Task EnsureAsync(IReadOnlyCollection<int> chunks, IReadOnlyList<IChunkSource> sources, IProgress<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        var missing = chunks.Where(chunk => !_map.Has(chunk)).ToList();
        var all = chunks.Sum(BytesOf);
        var done = all - missing.Sum(BytesOf);
        progress?.Report(new FetchProgress(done, all));
        if (missing.Count == 0)
            return;
        if (sources.Count == 0)
            throw new FetchException($"{missing.Count} chunks of '{_name}' are missing, and there is no source to fetch them from.");
        var failed = new ConcurrentDictionary<IChunkSource, bool>();
        var options = new ParallelOptions { MaxDegreeOfParallelism = Math.Min(MaxInFlight, sources.Sum(s => s.MaxReads)), CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(missing, options, async (chunk, token) =>
        {
            await EnsureAsync(chunk, sources, failed, token).ConfigureAwait(false);
            progress?.Report(new FetchProgress(Interlocked.Add(ref done, BytesOf(chunk)), all));
        }).ConfigureAwait(false);
        _map.Flush();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _map.Dispose();
        _file.Dispose();
        _commit.Dispose();
    }

    private static ChunkedFile Open(string path, string name, string root, string sha256, long length, int chunkBytes, FileManifest? manifest)
    {
        var mapPath = path + ChunkMap.Suffix;
        if (File.Exists(mapPath) && !Continues(path, mapPath, root, length, chunkBytes))
            File.Delete(mapPath);
        var file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            if (RandomAccess.GetLength(file) != length)
                RandomAccess.SetLength(file, length);
            if (!File.Exists(mapPath))
                ChunkMap.Create(mapPath, root, sha256, length, chunkBytes);
            return new ChunkedFile(file, ChunkMap.Open(mapPath, FileAccess.ReadWrite), name, manifest);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>True if the marks are of this content and the file is still the one they are of.</summary>
    private static bool Continues(string path, string mapPath, string root, long length, int chunkBytes)
    {
        using var map = ChunkMap.Open(mapPath, FileAccess.Read);
        return map.Root == root && map.Length == length && map.ChunkBytes == chunkBytes && new FileInfo(path) is { Exists: true } file && file.Length == length;
    }

    private long BytesOf(int chunk) => Math.Min(ChunkBytes, _map.Length - ((long)chunk * ChunkBytes));

    private async Task EnsureAsync(int chunk, IReadOnlyList<IChunkSource> sources, ConcurrentDictionary<IChunkSource, bool> failed, CancellationToken cancellationToken)
    {
        while (!_map.Has(chunk))
        {
            cancellationToken.ThrowIfCancellationRequested();
            TaskCompletionSource? own = null;
            Task? other;
            lock (_gate)
            {
                if (!_running.TryGetValue(chunk, out other))
                    _running.Add(chunk, (own = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task);
            }

            if (own is null)
            {
                // Whatever becomes of the other's try: this caller has sources and patience of its own.
                await other!.WaitAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            try
            {
                await FetchAsync(chunk, sources, failed, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                lock (_gate)
                    _running.Remove(chunk);
                own.SetResult();
            }
        }
    }

    private async Task FetchAsync(int chunk, IReadOnlyList<IChunkSource> sources, ConcurrentDictionary<IChunkSource, bool> failed, CancellationToken cancellationToken)
    {
        var position = (long)chunk * ChunkBytes;
        var buffer = ArrayPool<byte>.Shared.Rent((int)BytesOf(chunk));
        try
        {
            var bytes = buffer.AsMemory(0, (int)BytesOf(chunk));
            FetchException? error = null;

            // The load is spread over the sources; one that has failed is asked last.
            foreach (var source in Enumerable.Range(0, sources.Count).Select(i => sources[(int)(((long)chunk + i) % sources.Count)]).OrderBy(failed.ContainsKey))
            {
                try
                {
                    await ReadAsync(source, chunk, position, bytes, cancellationToken).ConfigureAwait(false);
                }
                catch (FetchException e)
                {
                    failed.TryAdd(source, true);
                    error = e;
                    continue;
                }

                await RandomAccess.WriteAsync(_file, bytes, position, cancellationToken).ConfigureAwait(false);
                await CommitAsync(chunk, cancellationToken).ConfigureAwait(false);
                return;
            }

            throw error!;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads a chunk and checks it; one that is wrong is read once more, since it may have been damaged on its way.</summary>
    private async Task ReadAsync(IChunkSource source, int chunk, long position, Memory<byte> bytes, CancellationToken cancellationToken)
    {
        var found = new byte[FileManifest.HashBytes];
        for (var attempt = 0; attempt < 2; attempt++)
        {
            await source.ReadAsync(_name, position, bytes, cancellationToken).ConfigureAwait(false);
            if (_manifest is null)
                return;
            SHA256.HashData(bytes.Span, found);
            if (_manifest.HashOf(chunk).SequenceEqual(found))
                return;
        }

        throw new FetchException(string.Create(
            CultureInfo.InvariantCulture,
            $"{source.Name}: bytes {position} to {position + bytes.Length} of '{_name}' have the hash {Convert.ToHexStringLower(found)}, and by the model's manifest {Convert.ToHexStringLower(_manifest!.HashOf(chunk))}. It has another file of that name, or damages it."));
    }

    /// <summary>Marks a chunk that is written, after flushing; whoever flushes does so for all who wait.</summary>
    private async Task CommitAsync(int chunk, CancellationToken cancellationToken)
    {
        lock (_gate)
            _written.Add(chunk);
        await _commit.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            int[] batch;
            lock (_gate)
            {
                batch = [.. _written];
                _written.Clear();
            }

            if (batch.Length == 0)
                return;
            RandomAccess.FlushToDisk(_file);
            foreach (var written in batch)
                _map.Set(written);
        }
        finally
        {
            _commit.Release();
        }
    }
}
