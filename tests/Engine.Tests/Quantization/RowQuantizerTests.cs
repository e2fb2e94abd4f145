using CsCheck;
using Slm.Engine.Formats;
using Slm.Engine.Quantization;

namespace Slm.Engine.Tests.Quantization;

public sealed class RowQuantizerTests
{
    [Theory]
    [MemberData(nameof(PeerTensors.Types), MemberType = typeof(PeerTensors))]
    public void Stored_tensors_are_read_bit_for_bit_as_the_peer_reads_them(TensorType type)
    {
        var values = PeerTensors.Dequantize(type, PeerTensors.Bytes($"plain.{type}"), PeerTensors.Columns);
        Assert.Equal(Bits(PeerTensors.Floats($"values.{type}")), Bits(values));
    }

    [Theory]
    [MemberData(nameof(PeerTensors.Types), MemberType = typeof(PeerTensors))]
    public void Any_block_is_read_as_the_layouts_bits_say(TensorType type)
    {
        const int Columns = 512;
        var row = new byte[TensorTypes.RowBytes(type, Columns)];
        var random = new Random(8);
        for (var trial = 0; trial < 20; trial++)
        {
            random.NextBytes(row);
            foreach (var offset in HalfOffsets(type))
            {
                // F16 factors below 2, so that all are finite.
                for (var block = 0; block < row.Length; block += TensorTypes.BlockBytes(type))
                    row[block + offset + 1] &= 0xbf;
            }

            var expected = BitTwin.Dequantize(type, row, Columns);
            var values = PeerTensors.Dequantize(type, row, Columns);
            for (var i = 0; i < Columns; i++)
            {
                // Two products and a difference in float: three roundings of values up to 2 · 63 · 31.
                Assert.InRange(Math.Abs(values[i] - expected[i]), 0, 3 * 4096 * Math.Pow(2, -24));
                if (type is TensorType.Q8_0 or TensorType.Q4_0 or TensorType.Q5_0 or TensorType.IQ4_NL)
                    Assert.Equal(expected[i], values[i]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(PeerTensors.Types), MemberType = typeof(PeerTensors))]
    public void The_error_is_no_worse_than_the_peers(TensorType type)
    {
        var source = PeerTensors.Floats("source");
        var importance = PeerTensors.Floats("importance");
        foreach (var (name, weights) in new[] { ("plain", null), ("weighted", importance) })
        {
            var theirs = PeerTensors.Dequantize(type, PeerTensors.Bytes($"{name}.{type}"), PeerTensors.Columns);
            var ours = PeerTensors.Dequantize(type, PeerTensors.Quantize(type, source, PeerTensors.Columns, weights), PeerTensors.Columns);
            var (own, other) = (PeerTensors.Error(ours, source, weights), PeerTensors.Error(theirs, source, weights));
            TestContext.Current.TestOutputHelper?.WriteLine($"{name} {type}: {Math.Sqrt(own / other):F4} of the peer's error");
            Assert.InRange(own, 0, other);
        }
    }

    [Theory]
    [MemberData(nameof(PeerTensors.Types), MemberType = typeof(PeerTensors))]
    public void What_was_read_back_is_stored_without_further_loss(TensorType type)
    {
        var source = PeerTensors.Floats("source");
        var once = PeerTensors.Dequantize(type, PeerTensors.Quantize(type, source, PeerTensors.Columns, null), PeerTensors.Columns);
        var twice = PeerTensors.Dequantize(type, PeerTensors.Quantize(type, once, PeerTensors.Columns, null), PeerTensors.Columns);

        // The first error is that of values between codes; the second only that of finding the same scales again.
        Assert.InRange(PeerTensors.Error(once, twice, null), 0, 0.35 * PeerTensors.Error(source, once, null));
    }

    [Theory]
    [InlineData(TensorType.Q8_0, 127, 0.53)]
    [InlineData(TensorType.Q5_1, 31, 0.6)]
    [InlineData(TensorType.Q4_1, 15, 0.7)]
    public void A_value_is_within_about_half_a_step(TensorType type, int steps, double share)
    {
        Gen.Float[-100, 100].Array[32].Sample(values =>
        {
            var back = PeerTensors.Dequantize(type, PeerTensors.Quantize(type, values, 32, null), 32);
            var range = type == TensorType.Q8_0 ? values.Max(MathF.Abs) : values.Max() - values.Min();
            var rms = Math.Sqrt(PeerTensors.Error(values, back, null) / 32);

            // Rounding to the nearest step alone has at most half a step everywhere; F16 factors add their 2^-11 of the range.
            Assert.InRange(rms, 0, (share * range / steps) + (range * Math.Pow(2, -10)) + 1e-6);
        });
    }

    [Theory]
    [MemberData(nameof(PeerTensors.Types), MemberType = typeof(PeerTensors))]
    public void Zeros_stay_zeros_and_extremes_stay_finite(TensorType type)
    {
        Assert.All(PeerTensors.Dequantize(type, PeerTensors.Quantize(type, new float[256], 256, null), 256), v => Assert.Equal(0, v));
        float[] extremes = [.. Enumerable.Range(0, 256).Select(i => i % 3 == 0 ? 1e6f : -1e-30f)];
        Assert.All(PeerTensors.Dequantize(type, PeerTensors.Quantize(type, extremes, 256, null), 256), v => Assert.True(float.IsFinite(v)));
        float[] constant = [.. Enumerable.Repeat(0.75f, 256)];
        Assert.All(PeerTensors.Dequantize(type, PeerTensors.Quantize(type, constant, 256, null), 256), v => Assert.InRange(v, 0.74f, 0.76f));
    }

    [Theory]
    [MemberData(nameof(PeerTensors.Types), MemberType = typeof(PeerTensors))]
    public void Importance_moves_the_error_to_columns_that_matter_less(TensorType type)
    {
        var source = PeerTensors.Floats("source");
        float[] importance = [.. Enumerable.Range(0, PeerTensors.Columns).Select(c => c % 4 == 0 ? 100f : 1f)];
        var plain = PeerTensors.Dequantize(type, PeerTensors.Quantize(type, source, PeerTensors.Columns, null), PeerTensors.Columns);
        var weighted = PeerTensors.Dequantize(type, PeerTensors.Quantize(type, source, PeerTensors.Columns, importance), PeerTensors.Columns);
        Assert.True(PeerTensors.Error(weighted, source, importance) < 0.97 * PeerTensors.Error(plain, source, importance));
    }

    [Theory]
    [MemberData(nameof(PeerTensors.Types), MemberType = typeof(PeerTensors))]
    public void A_block_without_importance_is_fitted_as_if_there_were_none(TensorType type)
    {
        var source = PeerTensors.Floats("source");
        Assert.Equal(PeerTensors.Quantize(type, source, PeerTensors.Columns, null), PeerTensors.Quantize(type, source, PeerTensors.Columns, new float[PeerTensors.Columns]));
    }

    [Fact]
    public void Plain_floats_are_rounded_to_the_nearest()
    {
        var random = new Random(2);
        float[] values = [.. Enumerable.Range(0, 512).Select(_ => (random.NextSingle() - 0.5f) * 1000), 0, -0f];
        var half = PeerTensors.Dequantize(TensorType.F16, PeerTensors.Quantize(TensorType.F16, values, values.Length, null), values.Length);
        var brain = PeerTensors.Dequantize(TensorType.BF16, PeerTensors.Quantize(TensorType.BF16, values, values.Length, null), values.Length);
        for (var i = 0; i < values.Length; i++)
        {
            Assert.Equal((float)(Half)values[i], half[i]);
            Assert.InRange(Math.Abs(brain[i] - values[i]), 0, Math.Abs(values[i]) * Math.Pow(2, -8));
        }
    }

    private static int[] HalfOffsets(TensorType type) => type switch
    {
        TensorType.Q2_K => [80, 82],
        TensorType.Q3_K => [108],
        TensorType.Q6_K => [208],
        TensorType.Q4_1 or TensorType.Q5_1 or TensorType.Q4_K or TensorType.Q5_K => [0, 2],
        _ => [0],
    };

    private static int[] Bits(float[] values) => System.Runtime.InteropServices.MemoryMarshal.Cast<float, int>(values).ToArray();
}
