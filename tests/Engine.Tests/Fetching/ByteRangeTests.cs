using CsCheck;
using Slm.Engine.Fetching;

namespace Slm.Engine.Tests.Fetching;

public sealed class ByteRangeTests
{
    private static readonly Gen<List<ByteRange>> Ranges = Gen.Select(Gen.Long[0, 3000], Gen.Long[1, 200], (start, count) => new ByteRange(start, count)).List[0, 12];

    [Fact]
    public void Merged_ranges_hold_the_same_bytes_and_never_touch() => Ranges.Sample(ranges =>
    {
        var merged = ByteRange.Merge(ranges);
        for (var i = 1; i < merged.Count; i++)
            Assert.True(merged[i - 1].End < merged[i].Start);
        Assert.Equal(BytesOf(ranges), BytesOf(merged));
    });

    [Fact]
    public void Chunks_are_those_that_have_a_byte_of_a_range() => Gen.Select(Ranges, Gen.Int[1, 300]).Sample((ranges, chunkBytes) =>
        Assert.Equal(BytesOf(ranges).Select(b => (int)(b / chunkBytes)).Distinct().Order(), ByteRange.Chunks(ranges, chunkBytes)));

    [Fact]
    public void Chunks_behind_two_gigabytes_are_counted_right() =>
        Assert.Equal([9999, 10000], ByteRange.Chunks([new ByteRange((10_000L << 22) - 1, 2)], 1 << 22));

    private static SortedSet<long> BytesOf(IEnumerable<ByteRange> ranges)
    {
        SortedSet<long> bytes = [];
        foreach (var range in ranges)
        {
            for (var at = range.Start; at < range.End; at++)
                bytes.Add(at);
        }

        return bytes;
    }
}
