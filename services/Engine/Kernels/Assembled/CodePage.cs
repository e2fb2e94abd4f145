using System.Runtime.InteropServices;

namespace Slm.Engine.Kernels.Assembled;

/// <summary>Machine code in memory of its own: written first, then executable and no longer writable. It stays for good.</summary>
internal static unsafe partial class CodePage
{
    private const int Read = 1, Write = 2, Execute = 4;
    private const int Private = 2, Anonymous = 0x20;

    /// <summary>Places code that may lie anywhere; null where the system does not allow it.</summary>
    public static byte* TryPlace(ReadOnlySpan<byte> code)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        var length = (nuint)((code.Length + Environment.SystemPageSize - 1) & -Environment.SystemPageSize);
        var memory = Map(null, length, Read | Write, Private | Anonymous, -1, 0);
        if ((nint)memory == -1)
            return null;
        code.CopyTo(new Span<byte>(memory, code.Length));
        if (Protect(memory, length, Read | Execute) == 0)
            return (byte*)memory;
        _ = Unmap(memory, length);
        return null;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint length);
}
