namespace Slm.Engine.Fetching;

/// <summary>Bytes of a file.</summary>
/// <param name="Start">First one.</param>
/// <param name="Count">How many, at least 1.</param>
public readonly record struct ByteRange(long Start, long Count)
{
    /// <summary>Behind the last one.</summary>
    public long End => Start + Count;

    /// <summary>The same bytes in ascending ranges that neither overlap nor touch.</summary>
    public static IReadOnlyList<ByteRange> Merge(IEnumerable<ByteRange> ranges)
    {
        List<ByteRange> merged = [];
        foreach (var range in ranges.OrderBy(r => r.Start))
        {
            if (merged.Count > 0 && range.Start <= merged[^1].End)
                merged[^1] = merged[^1] with { Count = Math.Max(merged[^1].End, range.End) - merged[^1].Start };
            else
                merged.Add(range);
        }

        return merged;
    }

    /// <summary>The chunks that hold the bytes, ascending, each once.</summary>
    /// <param name="ranges">The bytes.</param>
    /// <param name="chunkBytes">Bytes of a chunk.</param>
    public static IReadOnlyList<int> Chunks(IEnumerable<ByteRange> ranges, int chunkBytes)
    {
        SortedSet<int> chunks = [];
        foreach (var range in ranges)
        {
            for (var chunk = (int)(range.Start / chunkBytes); chunk <= (range.End - 1) / chunkBytes; chunk++)
                chunks.Add(chunk);
        }

        return [.. chunks];
    }
}
