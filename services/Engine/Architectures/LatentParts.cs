using Slm.Engine.Blocks;

namespace Slm.Engine.Architectures;

/// <summary>Latent attention by its usual tensors.</summary>
internal static class LatentParts
{
    /// <summary>
    /// <c>attn_q</c>, or <c>attn_q_a</c>, <c>attn_q_a_norm</c> and <c>attn_q_b</c>; <c>attn_kv_a_mqa</c>, <c>attn_kv_a_norm</c>,
    /// and <c>attn_kv_b</c>, which has each head's key rows and then its value rows; <c>attn_output</c>.
    /// </summary>
    public static LatentAttention Attention(ModelWeights weights, int layer, int cacheLayer)
    {
        var c = weights.Config;
        var latent = c.Latent!;
        var blk = $"blk.{layer}.";
        var queries = c.HeadCount * (latent.PlainSize + latent.RotatedSize);
        var headRows = latent.PlainSize + latent.ValueSize;
        var up = blk + "attn_kv_b";
        return new LatentAttention(cacheLayer, c.HeadCount, latent)
        {
            QueryDown = latent.QueryRank == 0 ? null
                : (weights.Linear(blk + "attn_q_a", c.HiddenSize, latent.QueryRank), weights.Norm(blk + "attn_q_a_norm.weight", latent.QueryRank)),
            Query = latent.QueryRank == 0
                ? weights.Linear(blk + "attn_q", c.HiddenSize, queries)
                : weights.Linear(blk + "attn_q_b", latent.QueryRank, queries),
            KeyValueDown = weights.Linear(blk + "attn_kv_a_mqa", c.HiddenSize, latent.KeyValueRank + latent.RotatedSize),
            LatentNorm = weights.Norm(blk + "attn_kv_a_norm.weight", latent.KeyValueRank),
            KeyUp = new HeadProducts([.. Enumerable.Range(0, c.HeadCount).Select(
                head => weights.Transposed(up, latent.KeyValueRank, c.HeadCount * headRows, head * headRows, latent.PlainSize))]),
            ValueUp = new HeadProducts([.. Enumerable.Range(0, c.HeadCount).Select(
                head => weights.Floats(up, latent.KeyValueRank, c.HeadCount * headRows, (head * headRows) + latent.PlainSize, latent.ValueSize))]),
            UpName = up + ".weight",
            Output = new Residual(weights.Linear(blk + "attn_output", c.HeadCount * latent.ValueSize, c.HiddenSize), scale: c.ResidualScale),
        };
    }
}
