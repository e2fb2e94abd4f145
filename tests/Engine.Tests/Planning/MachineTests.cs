using Slm.Engine.Planning;
using Slm.Engine.Threading;

namespace Slm.Engine.Tests.Planning;

/// <summary>What a process measures of the machine it runs on.</summary>
public sealed class MachineTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("slm-machine-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Speeds_are_measured_with_the_kernels_in_use()
    {
        using var workers = new WorkerPool(2);
        var speed = MachineSpeed.Measure(workers);

        // No memory is slower or faster than this, and no processor.
        Assert.InRange(speed.ReadBytesPerSecond, 1e8, 1e13);
        Assert.InRange(speed.MultiplyAddsPerSecond, 1e8, 1e14);
        Assert.InRange(speed.FloatMultiplyAddsPerSecond, 1e8, 1e14);
    }

    [Fact]
    public void Free_memory_is_what_the_system_leaves()
    {
        Write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable:     600 kB\n");
        Assert.Equal(new MachineMemory(600 << 10, 600 << 10), MachineMemory.Read(_root));
        if (OperatingSystem.IsLinux())
            Assert.InRange(MachineMemory.Read().FreeBytes, 1 << 20, MachineMemory.Read().HostFreeBytes + (1L << 30));
    }

    [Fact]
    public void The_tightest_limit_of_control_groups_of_version_2_counts()
    {
        Write("proc/meminfo", "MemAvailable: 600 kB\n");
        Write("proc/self/cgroup", "0::/a/b\n");
        Write("sys/fs/cgroup/a/b/memory.max", "max\n");
        Write("sys/fs/cgroup/a/b/memory.current", "1000\n");
        Assert.Equal(600 << 10, MachineMemory.Read(_root).FreeBytes);

        // What files left in memory can be had back.
        Write("sys/fs/cgroup/a/memory.max", "300000\n");
        Write("sys/fs/cgroup/a/memory.current", "120000\n");
        Write("sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 20000\n");
        Assert.Equal(new MachineMemory(200_000, 600 << 10), MachineMemory.Read(_root));
        Write("sys/fs/cgroup/a/b/memory.max", "900\n");
        Assert.Equal(0, MachineMemory.Read(_root).FreeBytes);
    }

    [Fact]
    public void A_container_of_version_1_sees_its_own_limit_at_the_root()
    {
        Write("proc/meminfo", "MemAvailable: 600 kB\n");
        Write("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/1234\n0::/\n");
        Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "300000\n");
        Write("sys/fs/cgroup/memory/memory.usage_in_bytes", "100000\n");
        Write("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 50000\n");
        Assert.Equal(250_000, MachineMemory.Read(_root).FreeBytes);
        Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        Assert.Equal(600 << 10, MachineMemory.Read(_root).FreeBytes);
    }

    [Fact]
    public void A_system_without_the_line_is_named() =>
        Assert.Contains("MemAvailable", Assert.Throws<InvalidDataException>(() => MachineMemory.Read(_root)).Message, StringComparison.Ordinal);

    private void Write(string path, string text)
    {
        var full = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }
}
