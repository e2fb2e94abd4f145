using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Engine.Blocks;

/// <summary>
/// The rotary angles of a step's positions, computed once per step for all layers: angle = position · frequency of the
/// pair, with linear or YaRN scaling (Peng et al. 2023) and the per-pair factors of Llama 3.1 folded into the frequencies.
/// </summary>
internal sealed unsafe class RotaryPositions
{
    private readonly double[] _frequencies;
    private readonly double _magnitude;

    /// <param name="rope">Hyper-parameters.</param>
    /// <param name="factors">Divisors of the frequencies [dimensions / 2], or null.</param>
    public RotaryPositions(RopeConfig rope, ReadOnlySpan<float> factors)
    {
        _frequencies = new double[rope.Dimensions / 2];
        var yarn = rope.Scaling == RopeScaling.Yarn;
        _magnitude = rope.AttentionFactor * (yarn && rope.YarnMix > 0 ? 1 + (0.1 * Math.Log(rope.Factor)) : 1);
        var low = yarn ? Math.Max(0, Math.Floor(Boundary(rope, rope.BetaFast))) : 0;
        var high = yarn ? Math.Min(rope.Dimensions - 1, Math.Ceiling(Boundary(rope, rope.BetaSlow))) : 0;
        for (var i = 0; i < _frequencies.Length; i++)
        {
            var frequency = Math.Pow(rope.Base, -2.0 * i / rope.Dimensions);
            if (!factors.IsEmpty)
                frequency /= factors[i];
            _frequencies[i] = rope.Scaling switch
            {
                RopeScaling.Linear => frequency / rope.Factor,
                RopeScaling.Yarn => Interpolate(frequency, rope.Factor, 1 - (rope.YarnMix * (1 - Math.Clamp((i - low) / Math.Max(0.001, high - low), 0, 1)))),
                _ => frequency,
            };
        }
    }

    /// <summary>Number of rotated pairs.</summary>
    public int Pairs => _frequencies.Length;

    /// <summary>Those of layers with a window, where they are others.</summary>
    public RotaryPositions? Window { get; init; }

    /// <summary>Fills <see cref="StepContext.Cosines"/> and <see cref="StepContext.Sines"/>, and those of windows.</summary>
    public void Fill(StepContext context)
    {
        Fill(context, context.Cosines, context.Sines);
        Window?.Fill(context, context.WindowCosines, context.WindowSines);
    }

    private void Fill(StepContext context, float* cosines, float* sines)
    {
        foreach (var position in context.Positions)
        {
            foreach (var frequency in _frequencies)
            {
                var (sin, cos) = Math.SinCos(position * frequency);
                *cosines++ = (float)(cos * _magnitude);
                *sines++ = (float)(sin * _magnitude);
            }
        }
    }

    /// <summary>Fast pairs keep their frequency, slow ones are divided by the factor.</summary>
    private static double Interpolate(double frequency, double factor, double slow) =>
        (frequency * (1 - slow)) + (frequency / factor * slow);

    /// <summary>Pair (as a real number) that turns <paramref name="rotations"/> times over the original context.</summary>
    private static double Boundary(RopeConfig rope, double rotations) =>
        rope.Dimensions * Math.Log(rope.OriginalContextLength / (rotations * 2 * Math.PI)) / (2 * Math.Log(rope.Base));
}
