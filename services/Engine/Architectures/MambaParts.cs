using Slm.Engine.Blocks;
using Slm.Engine.Execution;

namespace Slm.Engine.Architectures;

/// <summary>Mamba-2 by its usual tensors.</summary>
internal static class MambaParts
{
    /// <summary><c>ssm_in</c>, <c>ssm_conv1d</c>, <c>ssm_dt.bias</c>, <c>ssm_a</c>, <c>ssm_d</c>, <c>ssm_norm</c>, <c>ssm_out</c>.</summary>
    /// <param name="weights">Tensors.</param>
    /// <param name="layer">Index in the model.</param>
    /// <param name="cacheLayer">Index in the stage's cache.</param>
    /// <param name="required">Whether the convolution's bias and the norm must be there.</param>
    public static Mamba Mixer(ModelWeights weights, int layer, int cacheLayer, bool required)
    {
        var c = weights.Config;
        var ssm = c.Ssm!;
        var blk = $"blk.{layer}.";
        return new Mamba(cacheLayer, ssm)
        {
            Input = weights.Linear(blk + "ssm_in", c.HiddenSize, ssm.ProjectionSize),
            ConvWeights = Transpose(weights.Shaped(blk + "ssm_conv1d.weight", ssm.ConvSize, ssm.Channels), ssm.Channels, ssm.ConvSize),
            ConvBias = required || weights.Has(blk + "ssm_conv1d.bias") ? weights.Vector(blk + "ssm_conv1d.bias", ssm.Channels) : Zeros(ssm.Channels),
            StepBias = weights.Vector(blk + "ssm_dt.bias", ssm.Heads),
            Decay = weights.Shaped(blk + "ssm_a", 1, ssm.Heads),
            Skip = weights.Shaped(blk + "ssm_d", 1, ssm.Heads),
            NormWeights = required || weights.Has(blk + "ssm_norm.weight") ? weights.Shaped(blk + "ssm_norm.weight", ssm.InnerSize / ssm.Groups, ssm.Groups) : null,
            Output = new Residual(weights.Linear(blk + "ssm_out", ssm.InnerSize, c.HiddenSize)),
        };
    }

    private static PinnedArray Zeros(int count)
    {
        var zeros = new PinnedArray(count);
        zeros.Memory.Span.Clear();
        return zeros;
    }

    /// <summary>[rows, columns] to [columns, rows].</summary>
    private static PinnedArray Transpose(PinnedArray matrix, int rows, int columns)
    {
        var turned = new PinnedArray(matrix.Length);
        var from = matrix.Memory.Span;
        var to = turned.Memory.Span;
        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < columns; c++)
                to[(c * rows) + r] = from[(r * columns) + c];
        }

        return turned;
    }
}
