using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Slm.Engine.Formats;

namespace Slm.Engine.Fetching;

/// <summary>
/// Which chunks of a file are there, in a file beside it: a head that says of which content, and a byte per chunk. A byte, not a bit, so
/// that processes that share the files never undo each other's marks. A mark is only ever set after its chunk is on the disk.
/// </summary>
internal sealed class ChunkMap : IDisposable
{
    /// <summary>What the name of the map has behind that of its file.</summary>
    public const string Suffix = ".chunks";

    private const int HeadBytes = 128;
    private const byte Mark = 1;
    private static ReadOnlySpan<byte> Magic => "SLMCHNK1"u8;

    private readonly SafeFileHandle _file;
    private readonly byte[] _marks;

    private ChunkMap(SafeFileHandle file, string root, string sha256, long length, int chunkBytes)
    {
        _file = file;
        Root = root;
        Sha256 = sha256;
        Length = length;
        ChunkBytes = chunkBytes;
        _marks = new byte[FileManifest.ChunksOf(length, chunkBytes)];
        Refresh();
    }

    /// <summary>Identity of the content: <see cref="FileManifest.Root"/>, or what a source says that has no manifest.</summary>
    public string Root { get; }

    /// <summary>SHA-256 of the whole file; zeros if it is not known yet.</summary>
    public string Sha256 { get; }

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

    /// <summary>Bytes of a chunk.</summary>
    public int ChunkBytes { get; }

    /// <summary>Number of chunks.</summary>
    public int Count => _marks.Length;

    /// <summary>Chunks that are there.</summary>
    public int Present
    {
        get
        {
            Refresh();
            return _marks.Count(mark => mark == Mark);
        }
    }

    /// <summary>Opens a map for reading or writing.</summary>
    /// <exception cref="ModelFormatException">It is malformed.</exception>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static ChunkMap Open(string path, FileAccess access)
    {
        var file = File.OpenHandle(path, FileMode.Open, access, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            Span<byte> head = stackalloc byte[HeadBytes];
            if (RandomAccess.Read(file, head, 0) < HeadBytes || !head.StartsWith(Magic))
                throw new ModelFormatException($"{Path.GetFileName(path)}: this is no list of chunks. Delete it and the file beside it, and fetch again.");
            var length = BinaryPrimitives.ReadInt64LittleEndian(head[8..]);
            var chunkBytes = BinaryPrimitives.ReadInt32LittleEndian(head[16..]);
            if (length < 1 || chunkBytes < 1 || (length - 1) / chunkBytes >= int.MaxValue || RandomAccess.GetLength(file) != HeadBytes + FileManifest.ChunksOf(length, chunkBytes))
                throw new ModelFormatException($"{Path.GetFileName(path)}: this list of chunks is damaged. Delete it and the file beside it, and fetch again.");
            return new ChunkMap(file, Convert.ToHexStringLower(head.Slice(32, 32)), Convert.ToHexStringLower(head.Slice(64, 32)), length, chunkBytes);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes a map without marks; one that another process has put there meanwhile stays.</summary>
    public static void Create(string path, string root, string sha256, long length, int chunkBytes)
    {
        var bytes = new byte[HeadBytes + FileManifest.ChunksOf(length, chunkBytes)];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), chunkBytes);
        Convert.FromHexString(root).CopyTo(bytes, 32);
        Convert.FromHexString(sha256).CopyTo(bytes, 64);
        var temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, path);
        }
        catch (IOException) when (File.Exists(path))
        {
            // Somebody else was first.
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>True if a chunk is there; asks the file where memory says no, since others may have marked it.</summary>
    public bool Has(int chunk)
    {
        if (Volatile.Read(ref _marks[chunk]) != Mark)
        {
            Span<byte> mark = stackalloc byte[1];
            if (RandomAccess.Read(_file, mark, HeadBytes + chunk) == 1 && mark[0] == Mark)
                Volatile.Write(ref _marks[chunk], Mark);
        }

        return Volatile.Read(ref _marks[chunk]) == Mark;
    }

    /// <summary>Marks a chunk that is on the disk.</summary>
    public void Set(int chunk)
    {
        RandomAccess.Write(_file, [Mark], HeadBytes + chunk);
        Volatile.Write(ref _marks[chunk], Mark);
    }

    /// <summary>Writes the marks to the disk. Without it a crash of the machine costs marks, never gives wrong ones.</summary>
    public void Flush() => RandomAccess.FlushToDisk(_file);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void Refresh() => RandomAccess.Read(_file, _marks, HeadBytes);
}
