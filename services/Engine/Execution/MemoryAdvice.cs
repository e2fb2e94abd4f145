using System.Runtime.InteropServices;

namespace Slm.Engine.Execution;

/// <summary>Hints to the system's memory management; without effect where it has no such call.</summary>
internal static unsafe partial class MemoryAdvice
{
    private const int DontNeed = 4;
    private const int HugePage = 14;

    /// <summary>Asks for large pages: fewer faults, fewer translation misses.</summary>
    public static void UseLargePages(byte* start, long bytes) => Advise(start, bytes, HugePage);

    /// <summary>Unmaps the whole pages of a file that is mapped read-only. They come back from the file when they are read again.</summary>
    public static void LetGo(byte* start, long bytes) => Advise(start, bytes, DontNeed);

    private static void Advise(byte* start, long bytes, int advice)
    {
        if (!OperatingSystem.IsLinux())
            return;
        var page = (nint)Environment.SystemPageSize;
        var begin = ((nint)start + page - 1) & -page;
        var end = ((nint)start + (nint)bytes) & -page;

        // A hint: what it returns changes nothing.
        if (end > begin)
            _ = Madvise((void*)begin, (nuint)(end - begin), advice);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Madvise(void* start, nuint length, int advice);
}
