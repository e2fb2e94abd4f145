using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Engine.Blocks;

/// <summary>What attention adds to the scores by the distance of key and query.</summary>
internal interface IPositionBias
{
    /// <summary>Fills <paramref name="row"/> for keys at consecutive positions.</summary>
    /// <param name="head">Query head.</param>
    /// <param name="first">Position of the first key less that of the query.</param>
    /// <param name="row">Biases of the keys.</param>
    void Fill(int head, int first, Span<float> row);
}

/// <summary>Learned biases of relative positions in buckets (Raffel et al. 2020).</summary>
internal sealed class BucketBias : IPositionBias
{
    private readonly float[] _table;
    private readonly int _reach;

    /// <param name="buckets">Which distances share a bias.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="bothSides">Whether queries see keys behind them.</param>
    /// <param name="biases">[buckets, heads].</param>
    public BucketBias(PositionBuckets buckets, int heads, bool bothSides, PinnedArray biases)
    {
        // Every distance of at least that has the bias of the last bucket of its side.
        _reach = buckets.MaxDistance;
        _table = new float[heads * Width];
        var values = biases.Memory.Span;
        for (var head = 0; head < heads; head++)
        {
            for (var distance = -_reach; distance <= _reach; distance++)
                _table[(head * Width) + distance + _reach] = values[(buckets.Of(distance, bothSides) * heads) + head];
        }
    }

    private int Width => (2 * _reach) + 1;

    /// <inheritdoc/>
    public void Fill(int head, int first, Span<float> row)
    {
        var table = _table.AsSpan(head * Width, Width);
        var before = Math.Clamp(-_reach - first, 0, row.Length);
        var within = Math.Clamp(_reach + 1 - first, before, row.Length);
        row[..before].Fill(table[0]);
        if (within > before)
            table.Slice(first + before + _reach, within - before).CopyTo(row[before..]);
        row[within..].Fill(table[^1]);
    }
}

/// <summary>
/// A penalty on each head's scores that grows with the distance on either side (ALiBi, Press et al. 2022): slopes are the powers
/// of 2^(-8/n) for n heads; where n is no power of two, those of the next lower one, then every second of twice as many.
/// </summary>
internal sealed class SlopeBias : IPositionBias
{
    private readonly float[] _slopes;

    /// <param name="heads">Query heads.</param>
    public SlopeBias(int heads)
    {
        var whole = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)heads + 1) / 2;
        _slopes = [.. Enumerable.Range(0, heads).Select(
            head => (float)Math.Pow(2, head < whole ? -8.0 * (head + 1) / whole : -4.0 * ((2 * (head - whole)) + 1) / whole))];
    }

    /// <inheritdoc/>
    public void Fill(int head, int first, Span<float> row)
    {
        for (var i = 0; i < row.Length; i++)
            row[i] = -_slopes[head] * Math.Abs(first + i);
    }
}
