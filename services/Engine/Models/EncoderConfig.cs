namespace Slm.Engine.Models;

/// <summary>The encoder of an encoder-decoder model: the first layers of the model are its own, the others the decoder's.</summary>
/// <param name="Layers">Layers of the encoder.</param>
/// <param name="StartToken">Token that the decoder starts with.</param>
public sealed record EncoderConfig(int Layers, int StartToken);

/// <summary>
/// Relative positions in buckets (Raffel et al. 2020): half of them hold one distance each, the others ranges that grow
/// geometrically up to <paramref name="MaxDistance"/>; all that lies farther shares the last one. Where positions on both
/// sides are seen, each side has half of the buckets.
/// </summary>
/// <param name="Count">Number of buckets.</param>
/// <param name="MaxDistance">First distance that is certainly in the last bucket.</param>
public sealed record PositionBuckets(int Count, int MaxDistance)
{
    /// <summary>The bucket of a key <paramref name="distance"/> positions behind its query (negative: before it).</summary>
    /// <param name="distance">Position of the key less that of the query.</param>
    /// <param name="bothSides">Whether queries see keys behind them.</param>
    public int Of(int distance, bool bothSides)
    {
        var count = bothSides ? Count / 2 : Count;
        var first = bothSides && distance > 0 ? count : 0;
        var away = bothSides ? Math.Abs(distance) : Math.Max(0, -distance);
        var exact = count / 2;
        if (away < exact)
            return first + away;

        // In single precision like the models' own code, whose rounding decides at the edges of buckets.
        var share = MathF.Log(away / (float)exact) / (float)Math.Log(MaxDistance / (double)exact);
        return first + Math.Min(exact + (int)(share * (count - exact)), count - 1);
    }
}
