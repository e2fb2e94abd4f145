using System.Security.Cryptography;
using Slm.Engine.Formats;
using Slm.Engine.HuggingFace;

namespace Slm.Engine.Fetching;

/// <summary>Computes manifests: every file is read once, by several threads, which hash chunks and take turns at the hash of the whole.</summary>
public static class ManifestBuilder
{
    /// <summary>Computes the manifest of a file or folder.</summary>
    /// <param name="path">A file, or a folder with a <c>config.json</c>.</param>
    /// <param name="threads">Threads that read and hash.</param>
    /// <param name="progress">Told the bytes that are done and all.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="IOException">A file cannot be read, or has changed meanwhile.</exception>
    /// <exception cref="ModelFormatException">A file is empty.</exception>
    public static ModelManifest Compute(string path, int threads, IProgress<FetchProgress>? progress, CancellationToken cancellationToken) =>
        Compute(path, threads, ModelManifest.DefaultChunkBytes, progress, cancellationToken);

    /// <summary>The same with chunks of another size, for tests.</summary>
    internal static ModelManifest Compute(string path, int threads, int chunkBytes, IProgress<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        var files = FilesOf(path);
        var all = files.Sum(f => new FileInfo(f.Path).Length);
        var before = 0L;
        List<FileManifest> manifests = [];
        foreach (var (name, file) in files)
        {
            var start = before;
            var manifest = HashFile(name, file, threads, chunkBytes, done => progress?.Report(new FetchProgress(start + done, all)), cancellationToken);
            before += manifest.Length;
            manifests.Add(manifest);
        }

        return ModelSource.IsFolder(path) ? ModelManifest.OfFolder(manifests) : ModelManifest.OfFile(manifests[0]);
    }

    /// <summary>The files whose content makes a model, with their names in the manifest.</summary>
    internal static IReadOnlyList<(string Name, string Path)> FilesOf(string path)
    {
        if (!ModelSource.IsFolder(path))
            return [(Path.GetFileName(path), path)];
        var weights = Directory.EnumerateFiles(path, "*.safetensors").Select(file => Path.GetFileName(file)!);
        return [.. HuggingFaceModel.SmallFiles.Where(name => File.Exists(Path.Combine(path, name))).Concat(weights).Order(StringComparer.Ordinal).Select(name => (name, Path.Combine(path, name)))];
    }

    private static FileManifest HashFile(string name, string path, int threads, int chunkBytes, Action<long> progress, CancellationToken cancellationToken)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        var length = RandomAccess.GetLength(file);
        if (length == 0)
            throw new ModelFormatException($"{name}: the file is empty.");
        var hashes = new byte[FileManifest.ChunksOf(length, chunkBytes) * FileManifest.HashBytes];
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var turns = new TurnQueue();
        var next = -1;
        var work = Enumerable.Range(0, Math.Min(threads, hashes.Length / FileManifest.HashBytes)).Select(_ => Task.Factory.StartNew(
            () =>
            {
                var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(chunkBytes, length));
                for (var chunk = Interlocked.Increment(ref next); chunk * FileManifest.HashBytes < hashes.Length; chunk = Interlocked.Increment(ref next))
                {
                    try
                    {
                        cancellationToken.ThrowIfCancellationRequested();
                        var start = (long)chunk * chunkBytes;
                        var bytes = buffer.AsSpan(0, (int)Math.Min(chunkBytes, length - start));
                        ReadAll(file, start, bytes, name);
                        SHA256.HashData(bytes, hashes.AsSpan(chunk * FileManifest.HashBytes));
                        if (!turns.Wait(chunk))
                            return;
                        whole.AppendData(bytes);
                        progress(start + bytes.Length);
                        turns.Next();
                    }
                    catch
                    {
                        turns.Stop();
                        throw;
                    }
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)).ToArray();
        Task.WhenAll(work).GetAwaiter().GetResult();
        if (RandomAccess.GetLength(file) != length)
            throw new IOException($"The file '{path}' had {length} bytes and has {RandomAccess.GetLength(file)} now: it changed while it was read.");
        return new FileManifest(name, length, chunkBytes, Convert.ToHexStringLower(whole.GetHashAndReset()), hashes);
    }

    private static void ReadAll(Microsoft.Win32.SafeHandles.SafeFileHandle file, long position, Span<byte> target, string name)
    {
        while (target.Length > 0)
        {
            var read = RandomAccess.Read(file, target, position);
            if (read == 0)
                throw new EndOfStreamException($"{name}: the file ends at byte {position}: it was cut short while it was read.");
            position += read;
            target = target[read..];
        }
    }

    /// <summary>Lets threads pass in the order of their numbers.</summary>
    private sealed class TurnQueue
    {
        private readonly object _gate = new();
        private int _turn;
        private bool _stopped;

        /// <summary>Returns when it is the turn of a number; false if nobody will pass any more.</summary>
        public bool Wait(int number)
        {
            lock (_gate)
            {
                while (_turn != number && !_stopped)
                    Monitor.Wait(_gate);
                return !_stopped;
            }
        }

        public void Next()
        {
            lock (_gate)
            {
                _turn++;
                Monitor.PulseAll(_gate);
            }
        }

        public void Stop()
        {
            lock (_gate)
            {
                _stopped = true;
                Monitor.PulseAll(_gate);
            }
        }
    }
}
