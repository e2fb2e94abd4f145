using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Kernels;

public sealed unsafe class VectorKernelTests
{
    public static TheoryData<string> Sets => [.. StepRunner.KernelSets];

    [Theory]
    [MemberData(nameof(Sets))]
    public void RmsNorm_is_that_of_the_scalar_twin(string kernels)
    {
        foreach (var count in new[] { 1, 7, 8, 15, 16, 24, 100, 576 })
        {
            var x = Values(count, 3, count);
            var w = Values(count, 2, count + 1);
            var y = new float[count];
            fixed (float* px = x, pw = w, py = y)
                StepRunner.Kernels(kernels).RmsNorm(px, pw, py, count, 1e-5f);
            var expected = ScalarTwins.RmsNorm(x, w, 1e-5f);
            for (var i = 0; i < count; i++)
                Assert.Equal(expected[i], y[i], 1e-6 * (1 + Math.Abs(expected[i])));
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void LayerNorm_is_that_of_the_equations_also_in_place_and_far_from_zero(string kernels)
    {
        foreach (var (count, offset) in new[] { (1, 0f), (7, 0f), (8, 3f), (15, 0f), (24, -40f), (100, 0f), (768, 1000f) })
        {
            foreach (var biased in new[] { false, true })
            {
                var x = Array.ConvertAll(Values(count, 3, count), v => v + offset);
                var w = Values(count, 2, count + 1);
                var b = Values(count, 2, count + 2);
                var y = new float[count];
                var inPlace = x.ToArray();
                fixed (float* px = x, pw = w, pb = b, py = y, pi = inPlace)
                {
                    StepRunner.Kernels(kernels).LayerNorm(px, pw, biased ? pb : null, py, count, 1e-6f);
                    StepRunner.Kernels(kernels).LayerNorm(pi, pw, biased ? pb : null, pi, count, 1e-6f);
                }

                Assert.Equal(y, inPlace);
                var expected = Exact.LayerNorm([Array.ConvertAll(x, v => (double)v)], w, biased ? b : new float[count], 1e-6f)[0];

                // The mean is rounded like the values it is the mean of.
                for (var i = 0; i < count; i++)
                    Assert.Equal(expected[i], y[i], 2e-6 + (3e-7 * Math.Abs(offset)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void Functions_without_gate_are_those_of_the_definitions_and_do_not_depend_on_place(string kernels)
    {
        var set = StepRunner.Kernels(kernels);
        foreach (var function in new[] { GateFunction.GeluExact, GateFunction.Relu })
        {
            var x = Values(403, 9, 1);
            (x[3], x[50], x[102], x[103], x[104]) = (-200f, 200f, 0f, 1e-6f, -1e-6f);
            var (whole, alone, gated) = (x.ToArray(), x.ToArray(), x.ToArray());
            var ones = Enumerable.Repeat(1f, x.Length).ToArray();
            fixed (float* pw = whole, pa = alone, pg = gated, po = ones)
            {
                set.Activation(function)(pw, x.Length);
                for (var i = 0; i < x.Length; i++)
                    set.Activation(function)(pa + i, 1);
                set.Gate(function)(pg, po, x.Length);
            }

            Assert.Equal(whole, alone);
            Assert.Equal(whole, gated);
            for (var i = 0; i < x.Length; i++)
            {
                // 1.5e-7 is what the approximation of Φ allows.
                var expected = function == GateFunction.Relu ? Math.Max(x[i], 0) : Exact.Gelu(x[i]);
                Assert.Equal(expected, whole[i], 2.5e-7 * Math.Max(1e-3, Math.Abs(x[i])));
            }
        }
    }

    /// <summary>Two operations on floats, so exact.</summary>
    [Theory]
    [MemberData(nameof(Sets))]
    public void Squares_are_of_what_is_positive(string kernels)
    {
        var x = Values(403, 9, 1);
        (x[3], x[50], x[102]) = (-200f, 200f, 0f);
        var squares = x.ToArray();
        fixed (float* p = squares)
            StepRunner.Kernels(kernels).Activation(GateFunction.ReluSquared)(p, x.Length);
        Assert.Equal(x.Select(v => v > 0 ? v * v : 0), squares);
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void SwiGlu_is_that_of_the_scalar_twin_and_does_not_depend_on_place(string kernels)
    {
        var gate = Values(103, 40, 1);
        var up = Values(103, 3, 2);
        (gate[3], gate[50], gate[102]) = (-200f, 200f, 0f);
        var whole = gate.ToArray();
        var alone = gate.ToArray();
        fixed (float* pw = whole, pa = alone, pu = up)
        {
            StepRunner.Kernels(kernels).SwiGlu(pw, pu, 103);
            for (var i = 0; i < 103; i++)
                StepRunner.Kernels(kernels).SwiGlu(pa + i, pu + i, 1);
        }

        Assert.Equal(whole, alone);
        for (var i = 0; i < 103; i++)
        {
            var expected = ScalarTwins.SwiGlu(gate[i], up[i]);
            Assert.Equal(expected, whole[i], 2e-6 * (1e-30 + Math.Abs(expected) + (gate[i] < -80 ? 1 : 0)));
        }
    }

    [Theory]
    [MemberData(nameof(Sets))]
    public void GeGlu_and_ReGlu_are_those_of_the_definitions_and_do_not_depend_on_place(string kernels)
    {
        var set = StepRunner.Kernels(kernels);
        foreach (var function in new[] { GateFunction.Gelu, GateFunction.Relu })
        {
            var gate = Values(103, 8, 1);
            var up = Values(103, 3, 2);
            (gate[3], gate[50], gate[102]) = (-200f, 200f, 0f);
            var whole = gate.ToArray();
            var alone = gate.ToArray();
            fixed (float* pw = whole, pa = alone, pu = up)
            {
                set.Gate(function)(pw, pu, 103);
                for (var i = 0; i < 103; i++)
                    set.Gate(function)(pa + i, pu + i, 1);
            }

            Assert.Equal(whole, alone);
            for (var i = 0; i < 103; i++)
            {
                double g = gate[i];
                var expected = up[i] * (function == GateFunction.Relu ? Math.Max(g, 0) : g / 2 * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (g + (0.044715 * g * g * g)))));
                Assert.Equal(expected, whole[i], 1e-5 * (1e-3 + Math.Abs(expected)));
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Rope_turns_the_pairs_of_its_kind_and_leaves_the_rest(bool neoX)
    {
        const int HeadSize = 12;
        const int Pairs = 4;
        var x = Values(2 * HeadSize, 2, 9);
        var turned = x.ToArray();
        var angles = new[] { 0.0, 0.5, 1.5, 3.0 };
        var cos = angles.Select(a => (float)Math.Cos(a)).ToArray();
        var sin = angles.Select(a => (float)Math.Sin(a)).ToArray();
        fixed (float* px = turned, pc = cos, ps = sin)
            Rope.Rotate(px, 2, HeadSize, pc, ps, Pairs, neoX);
        for (var head = 0; head < 2; head++)
        {
            for (var i = 0; i < Pairs; i++)
            {
                var a = (head * HeadSize) + (neoX ? i : 2 * i);
                var b = (head * HeadSize) + (neoX ? i + Pairs : (2 * i) + 1);
                var expected = new System.Numerics.Complex(x[a], x[b]) * System.Numerics.Complex.FromPolarCoordinates(1, angles[i]);
                Assert.Equal(expected.Real, turned[a], 1e-6);
                Assert.Equal(expected.Imaginary, turned[b], 1e-6);
            }

            Assert.Equal(x.AsSpan((head * HeadSize) + (2 * Pairs), HeadSize - (2 * Pairs)), turned.AsSpan((head * HeadSize) + (2 * Pairs), HeadSize - (2 * Pairs)));
        }
    }

    private static float[] Values(int count, float range, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => ((random.NextSingle() * 2) - 1) * range)];
    }
}
