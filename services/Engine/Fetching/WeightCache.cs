namespace Slm.Engine.Fetching;

/// <summary>
/// The folder of sparse copies: a folder a model in it, named after the root hash, with a file whose lock says that the copy is in use and
/// whose time says when it last was. Processes that share the folder respect each other's locks.
/// </summary>
/// <param name="folder">The folder; made when the first copy comes.</param>
/// <param name="limitBytes">Most bytes of all copies; null: none.</param>
internal sealed class WeightCache(string folder, long? limitBytes) : IDisposable
{
    private const string LockName = "in-use";
    private const int MostTries = 1000;
    private static readonly TimeSpan AskAgain = TimeSpan.FromMilliseconds(20);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Held> _held = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Coming> _coming = new(StringComparer.Ordinal);

    /// <summary>The folder of a copy.</summary>
    public string FolderOf(string root) => Path.Combine(folder, root[..32]);

    /// <summary>Keeps a copy, whether it is there or is to come, from being deleted.</summary>
    /// <exception cref="FetchException">Its lock cannot be had.</exception>
    public async Task<Hold> HoldAsync(string root, CancellationToken cancellationToken)
    {
        var own = FolderOf(root);
        for (var tries = 0; ; tries++)
        {
            lock (_gate)
            {
                if (_held.TryGetValue(own, out var held) || TryLock(own, out held))
                {
                    held.Users++;
                    return new Hold(this, own, held);
                }
            }

            if (tries == MostTries)
                throw new FetchException($"'{LockOf(own)}' cannot be locked; another process has had it to itself for {MostTries * AskAgain.TotalSeconds:0} s.");

            // Another process deletes it at this moment.
            await Task.Delay(AskAgain, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Deletes what was used least recently until so many bytes fit. They count as there until the result is disposed, when they are.</summary>
    /// <exception cref="WeightCacheFullException">What is in use leaves no room for them.</exception>
    public IDisposable? MakeRoom(string root, long bytes, string model)
    {
        if (limitBytes is not { } limit || bytes == 0)
            return null;
        lock (_gate)
        {
            var copies = new DirectoryInfo(folder).EnumerateDirectories().Where(copy => File.Exists(LockOf(copy.FullName)))
                .Select(copy => (Folder: copy.FullName, Bytes: _coming.TryGetValue(copy.FullName, out var coming) ? coming.There + coming.Bytes : BytesOf(copy), Used: File.GetLastWriteTimeUtc(LockOf(copy.FullName)))).OrderBy(copy => copy.Used).ToArray();
            var used = copies.Sum(copy => copy.Bytes);
            foreach (var copy in copies)
            {
                if (used + bytes <= limit)
                    break;
                if (!_held.ContainsKey(copy.Folder) && TryDelete(copy.Folder))
                    used -= copy.Bytes;
            }

            if (used + bytes > limit)
                throw new WeightCacheFullException(model, bytes, used, limit);
            return new Room(this, Path.GetFullPath(FolderOf(root)), bytes);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var held in _held.Values)
                held.Dispose();
            _held.Clear();
        }
    }

    private static string LockOf(string own) => Path.Combine(own, LockName);

    private bool TryLock(string own, out Held held)
    {
        Directory.CreateDirectory(own);
        held = null!;
        try
        {
            // Those who use the copy share the lock; whoever deletes wants it alone.
            held = new Held(File.Open(LockOf(own), FileMode.OpenOrCreate, FileAccess.Read, FileShare.Read));
        }
        catch (IOException)
        {
            return false;
        }

        File.SetLastWriteTimeUtc(LockOf(own), DateTime.UtcNow);
        _held.Add(own, held);
        return true;
    }

    private static bool TryDelete(string own)
    {
        try
        {
            using var alone = File.Open(LockOf(own), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            // The lock itself stays, so that nobody takes one on a file that is gone.
            foreach (var file in Directory.EnumerateFiles(own).Where(file => Path.GetFileName(file) != LockName))
                File.Delete(file);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static long BytesOf(DirectoryInfo copy)
    {
        long bytes = 0;
        foreach (var file in copy.EnumerateFiles("*" + ChunkMap.Suffix))
        {
            try
            {
                using var map = ChunkMap.Open(file.FullName, FileAccess.Read);
                bytes += (long)map.Present * map.ChunkBytes;
            }
            catch (Exception error) when (error is IOException or Formats.ModelFormatException)
            {
                // It is being written or deleted, or is damaged, which whoever uses it finds out.
            }
        }

        return bytes;
    }

    private void Release(string own, Held held)
    {
        lock (_gate)
        {
            if (--held.Users > 0 || !_held.TryGetValue(own, out var known) || known != held)
                return;
            _held.Remove(own);
            File.SetLastWriteTimeUtc(LockOf(own), DateTime.UtcNow);
            held.Dispose();
        }
    }

    /// <summary>The use of a copy.</summary>
    internal sealed class Hold(WeightCache cache, string own, Held held) : IDisposable
    {
        private bool _released;

        /// <summary>The copy, opened once for all who hold it; it is closed with the last of them.</summary>
        public ChunkedFile Open(string path, FileManifest manifest, Action prepare)
        {
            lock (cache._gate)
            {
                if (held.Files.TryGetValue(path, out var file))
                    return file;
                prepare();
                held.Files.Add(path, file = ChunkedFile.Open(path, manifest));
                return file;
            }
        }

        public void Dispose()
        {
            if (!Interlocked.Exchange(ref _released, true))
                cache.Release(own, held);
        }
    }

    /// <summary>A copy in use by this process.</summary>
    internal sealed class Held(FileStream use) : IDisposable
    {
        public Dictionary<string, ChunkedFile> Files { get; } = new(StringComparer.Ordinal);

        public int Users { get; set; }

        public void Dispose()
        {
            foreach (var file in Files.Values)
                file.Dispose();
            use.Dispose();
        }
    }

    /// <summary>A copy that grows. What of it has come meanwhile is not counted twice.</summary>
    /// <param name="There">Bytes that were there before.</param>
    /// <param name="Bytes">Bytes that are to come.</param>
    /// <param name="Rooms">How many have asked for them.</param>
    private readonly record struct Coming(long There, long Bytes, int Rooms);

    private sealed class Room : IDisposable
    {
        private readonly WeightCache _cache;
        private readonly string _own;
        private readonly long _bytes;

        public Room(WeightCache cache, string own, long bytes)
        {
            (_cache, _own, _bytes) = (cache, own, bytes);
            cache._coming[own] = cache._coming.TryGetValue(own, out var coming)
                ? coming with { Bytes = coming.Bytes + bytes, Rooms = coming.Rooms + 1 }
                : new Coming(BytesOf(new DirectoryInfo(own)), bytes, 1);
        }

        public void Dispose()
        {
            lock (_cache._gate)
            {
                var coming = _cache._coming[_own];
                if (coming.Rooms == 1)
                    _cache._coming.Remove(_own);
                else
                    _cache._coming[_own] = new Coming(coming.There + _bytes, coming.Bytes - _bytes, coming.Rooms - 1);
            }
        }
    }
}
