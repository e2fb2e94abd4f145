using System.Runtime.InteropServices;
using Slm.Engine.Experts;

namespace Slm.Engine.Tests.Experts;

public sealed unsafe class DirectFileTests
{
    /// <summary>In the build folder, which is on a disk; the temporary folder may be in memory.</summary>
    private static readonly string Folder = AppContext.BaseDirectory;

    public static TheoryData<string, bool> Places => new()
    {
        { Folder, true },
        { Folder, false },
        { Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), true },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public void Any_range_is_read_as_it_is(string folder, bool direct)
    {
        var bytes = new byte[50_001];
        new Random(3).NextBytes(bytes);
        var path = Write(folder, bytes);
        try
        {
            using var file = DirectFile.Open(path, direct);
            Assert.False(file.IsDirect && !direct);
            foreach (var (position, count) in new[] { (0, 1), (0, 50_001), (1, 50_000), (4096, 4096), (4095, 2), (49_999, 2), (8191, 8194), (40_960, 9041) })
            {
                var staging = (byte*)NativeMemory.AlignedAlloc((nuint)DirectFile.StagingBytes(count), DirectFile.Alignment);
                Assert.True(new ReadOnlySpan<byte>(file.Read(position, count, staging), count).SequenceEqual(bytes.AsSpan(position, count)));
                NativeMemory.AlignedFree(staging);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void A_file_that_ends_too_early_is_an_error_that_says_so(string folder, bool direct)
    {
        var path = Write(folder, new byte[10_000]);
        try
        {
            using var file = DirectFile.Open(path, direct);
            foreach (var (position, count) in new[] { (0, 10_001), (9_999, 2), (20_000, 5), (4096, 8192) })
            {
                var staging = (byte*)NativeMemory.AlignedAlloc((nuint)DirectFile.StagingBytes(count), DirectFile.Alignment);
                var error = Assert.Throws<EndOfStreamException>(() =>
                {
                    file.Read(position, count, staging);
                });
                Assert.Contains("cut short", error.Message, StringComparison.Ordinal);
                NativeMemory.AlignedFree(staging);
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_missing_file_is_an_error() => Assert.Throws<FileNotFoundException>(() => DirectFile.Open(Path.Combine(Folder, "no such file")));

    private static string Write(string folder, byte[] bytes)
    {
        var path = Path.Combine(folder, $"{Guid.NewGuid():n}.bin");
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
