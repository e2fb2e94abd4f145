using Slm.Engine.Execution;

namespace Slm.Engine.Tests.Experts;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("65536", 65_536)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData(" 512 mib ", 512L << 20)]
    [InlineData("1.5GiB", 3L << 29)]
    [InlineData("800MB", 800_000_000)]
    [InlineData("3KiB", 3072)]
    [InlineData("1B", 1)]
    public void Sizes_are_read_as_people_write_them(string text, long expected)
    {
        Assert.True(ByteSize.TryParse(text, out var bytes));
        Assert.Equal(expected, bytes);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("MiB")]
    [InlineData("1.2.3MiB")]
    [InlineData("5 bytes")]
    [InlineData("9999999TiB")]
    [InlineData("99999999999999999999GiB")]
    public void Anything_else_is_refused(string? text) => Assert.False(ByteSize.TryParse(text, out _));
}
