using System.IO.MemoryMappedFiles;

namespace Slm.Engine.Formats;

/// <summary>A file mapped into memory for reading, as it was when it was opened.</summary>
/// <remarks>The mapping stays valid when the file is replaced or deleted, but not when another process cuts it short in place.</remarks>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile _mapping;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _start;
    private bool _disposed;

    private MappedFile(string path, long length, MemoryMappedFile mapping, MemoryMappedViewAccessor view)
    {
        Path = path;
        Length = length;
        _mapping = mapping;
        _view = view;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        _start += view.PointerOffset;
    }

    /// <summary>The file's path.</summary>
    public string Path { get; }

    /// <summary>Its name, which errors begin with.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

    /// <summary>Maps a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="minimum">Fewest bytes that a file of the format can have, at least 1.</param>
    /// <param name="format">The format's name, for errors.</param>
    /// <param name="grows">Others may write to it meanwhile.</param>
    /// <exception cref="ModelFormatException">It is shorter than <paramref name="minimum"/>.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static MappedFile Open(string path, int minimum, string format, bool grows = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, (grows ? FileShare.ReadWrite : FileShare.Read) | FileShare.Delete);
        if (!BitConverter.IsLittleEndian)
            throw new PlatformNotSupportedException("Model files are little-endian and are used where they are mapped; this processor is big-endian.");
        if (stream.Length < minimum)
            throw new ModelFormatException($"{System.IO.Path.GetFileName(path)}: {stream.Length} bytes are too few for a {format} file; its header alone has {minimum}.");
        var mapping = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        try
        {
            return new MappedFile(path, stream.Length, mapping, mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read));
        }
        catch
        {
            mapping.Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the file; valid until it is disposed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They are not all in the file.</exception>
    public byte* At(long position, long count)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(position);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Length - position);
        return _start + position;
    }

    /// <summary>The whole file, for hashing; valid until it is disposed.</summary>
    public Stream OpenContent() => new UnmanagedMemoryStream(At(0, Length), Length);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _mapping.Dispose();
    }
}
