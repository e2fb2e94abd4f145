using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Slm.Engine.Experts;

/// <summary>
/// Reads a file without leaving it in the page cache: with O_DIRECT where the file system takes it, else the usual way,
/// telling the system after each read that the pages are not needed.
/// </summary>
internal sealed unsafe partial class DirectFile : IDisposable
{
    /// <summary>Positions, lengths and memory of direct reads are multiples of this.</summary>
    public const int Alignment = 4096;

    private const int ReadOnly = 0;
    private const int CloseOnExec = 0x80000;
    private const int DontNeed = 4;
    private readonly SafeFileHandle _handle;
    private readonly string _path;

    private DirectFile(SafeFileHandle handle, string path, bool direct)
    {
        _handle = handle;
        _path = path;
        IsDirect = direct;
    }

    /// <summary>Reads go past the page cache.</summary>
    public bool IsDirect { get; }

    /// <summary>How the file is read, in words.</summary>
    public string Mode => IsDirect ? "direct reads, past the page cache"
        : OperatingSystem.IsLinux() ? "buffered reads whose pages are given back (the file system refuses direct reads)"
        : "buffered reads through the page cache (this system has no direct reads)";

    /// <summary>Bytes of staging memory that a read of so many bytes needs.</summary>
    public static long StagingBytes(long bytes) => ((bytes + Alignment - 1) & -Alignment) + Alignment;

    /// <summary>Opens a file.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static DirectFile Open(string path, bool allowDirect = true)
    {
        if (allowDirect && OperatingSystem.IsLinux())
        {
            var flag = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x10000 : 0x4000;
            var descriptor = OpenFile(path, ReadOnly | CloseOnExec | flag);
            if (descriptor >= 0)
            {
                var handle = new SafeFileHandle(descriptor, ownsHandle: true);
                if (TakesDirectReads(handle))
                    return new DirectFile(handle, path, direct: true);
                handle.Dispose();
            }
        }

        return new DirectFile(File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete), path, direct: false);
    }

    /// <summary>Reads bytes into staging memory and returns where they begin there.</summary>
    /// <param name="position">First byte in the file.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="staging"><see cref="StagingBytes"/> of memory, aligned to <see cref="Alignment"/>.</param>
    /// <exception cref="IOException">The file cannot be read or ends too early.</exception>
    public byte* Read(long position, long bytes, byte* staging)
    {
        var begin = position & -Alignment;
        var skip = position - begin;
        var wanted = IsDirect ? (skip + bytes + Alignment - 1) & -Alignment : skip + bytes;
        long done = 0;
        while (done < skip + bytes)
        {
            var count = RandomAccess.Read(_handle, new Span<byte>(staging + done, (int)Math.Min(wanted - done, 1 << 30)), begin + done);

            // A direct read that ends between two multiples has met the end of the file.
            if (count == 0 || (IsDirect && done + count < skip + bytes && count % Alignment != 0))
                throw new EndOfStreamException($"{Path.GetFileName(_path)} ends at byte {begin + done + count}; {bytes} bytes from {position} were to be read. Has the file been cut short?");
            done += count;
        }

        if (!IsDirect && OperatingSystem.IsLinux())
            _ = Advise(_handle, begin, skip + bytes, DontNeed);
        return staging + skip;
    }

    public void Dispose() => _handle.Dispose();

    /// <summary>Some file systems open a file for direct reads and then refuse to read it.</summary>
    private static bool TakesDirectReads(SafeFileHandle handle)
    {
        var memory = (byte*)NativeMemory.AlignedAlloc(Alignment, Alignment);
        try
        {
            return RandomAccess.Read(handle, new Span<byte>(memory, Alignment), 0) > 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false;
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long position, long bytes, int advice);
}
