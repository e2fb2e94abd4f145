using System.Globalization;

namespace Slm.Engine.Planning;

/// <summary>Memory that this process may still take.</summary>
/// <param name="FreeBytes">Bytes that the system and the limits of the process's control groups leave.</param>
/// <param name="HostFreeBytes">Bytes that the system leaves to all processes together.</param>
public sealed record MachineMemory(long FreeBytes, long HostFreeBytes)
{
    private const string V2 = "sys/fs/cgroup";
    private const string V1 = "sys/fs/cgroup/memory";

    /// <summary>Reads <c>/proc/meminfo</c> and the control groups (version 2 or 1); elsewhere what the runtime knows.</summary>
    public static MachineMemory Read()
    {
        if (OperatingSystem.IsLinux())
            return Read("/");
        var memory = GC.GetGCMemoryInfo();
        var free = Math.Max(0, memory.TotalAvailableMemoryBytes - memory.MemoryLoadBytes);
        return new MachineMemory(free, free);
    }

    /// <summary>The same below another root, as tests have it.</summary>
    internal static MachineMemory Read(string root)
    {
        var host = Field(Path.Combine(root, "proc/meminfo"), "MemAvailable:") is { } kibibytes
            ? kibibytes << 10
            : throw new InvalidDataException($"{Path.Combine(root, "proc/meminfo")} has no line 'MemAvailable: … kB'.");
        var free = host;
        foreach (var line in Lines(Path.Combine(root, "proc/self/cgroup")))
        {
            // Number, controllers, path; version 2 has no controllers.
            var parts = line.Split(':', 3);
            if (parts.Length < 3)
                continue;
            if (parts[1].Length == 0)
                free = Math.Min(free, Left(Path.Combine(root, V2), parts[2], "memory.max", "memory.current", "inactive_file"));
            else if (parts[1].Split(',').Contains("memory"))
                free = Math.Min(free, Left(Path.Combine(root, V1), parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"));
        }

        return new MachineMemory(Math.Max(0, free), host);
    }

    /// <summary>What the tightest limit leaves from a group up to the root. In a container the groups above are not to be seen.</summary>
    private static long Left(string mount, string group, string limit, string usage, string reclaimable)
    {
        var left = long.MaxValue;
        var names = group.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (var depth = names.Length; depth >= 0; depth--)
        {
            var folder = Path.Combine([mount, .. names.Take(depth)]);

            // "max" is no number; version 1 has one beyond all memory.
            if (Number(Path.Combine(folder, limit)) is not { } most || Number(Path.Combine(folder, usage)) is not { } used)
                continue;
            left = Math.Min(left, most - used + (Field(Path.Combine(folder, "memory.stat"), reclaimable) ?? 0));
        }

        return left;
    }

    private static long? Number(string path) =>
        Lines(path) is [var line, ..] && long.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static long? Field(string path, string name)
    {
        foreach (var line in Lines(path))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words[0] == name && long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var value))
                return value;
        }

        return null;
    }

    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Not every group has every file.
            return [];
        }
    }
}
