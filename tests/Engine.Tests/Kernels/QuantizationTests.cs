using CsCheck;
using Slm.Engine.Formats;
using Slm.Engine.Quantization;

namespace Slm.Engine.Tests.Kernels;

public sealed unsafe class QuantizationTests
{
    [Fact]
    public void Every_finite_half_converts_exactly()
    {
        var eight = stackalloc ushort[8];
        for (var bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var half = BitConverter.UInt16BitsToHalf((ushort)bits);
            if (!Half.IsFinite(half))
                continue;
            eight[bits % 8] = (ushort)bits;
            var expected = BitConverter.SingleToInt32Bits((float)half);
            Assert.Equal(expected, BitConverter.SingleToInt32Bits(HalfFormats.F16((ushort)bits)));
            Assert.Equal(expected, BitConverter.SingleToInt32Bits(HalfFormats.F16(eight)[bits % 8]));
            Assert.Equal(bits << 16, BitConverter.SingleToInt32Bits(HalfFormats.BF16((ushort)bits)));
        }
    }

    [Fact]
    public void Quantized_activations_are_the_nearest_steps_of_their_block()
    {
        Gen.Float[-1000, 1000].Array[96].Sample(values =>
        {
            var quantized = stackalloc sbyte[96];
            var scales = stackalloc ActivationScale[3];
            fixed (float* source = values)
                ActivationQuantizer.Quantize(source, quantized, scales, 96);
            for (var i = 0; i < 96; i++)
            {
                var block = values.AsSpan(i / 32 * 32, 32);
                var max = 0f;
                foreach (var v in block)
                    max = MathF.Max(max, MathF.Abs(v));
                Assert.Equal(max / 127f, scales[i / 32].Scale);
                Assert.InRange(quantized[i], -127, 127);
                Assert.InRange(Math.Abs(((double)scales[i / 32].Scale * quantized[i]) - values[i]), 0, (0.5001 * max / 127) + 1e-30);
            }

            for (var block = 0; block < 3; block++)
            {
                var codes = new ReadOnlySpan<sbyte>(quantized + (block * 32), 32).ToArray();
                Assert.Equal(codes[..16].Sum(q => q), scales[block].FirstSum);
                Assert.Equal(codes[16..].Sum(q => q), scales[block].LastSum);
                Assert.Equal(-8 * codes.Sum(q => q), scales[block].MinusEightSums);
                Assert.Equal(scales[block].Scale * codes.Sum(q => q), scales[block].ScaledSum);
            }
        });
    }

    [Fact]
    public void A_block_of_zeros_quantizes_to_zeros()
    {
        var source = stackalloc float[32];
        var quantized = stackalloc sbyte[32];
        var scale = new ActivationScale { Scale = -1 };
        ActivationQuantizer.Quantize(source, quantized, &scale, 32);
        Assert.Equal(default, scale);
        Assert.All(new Span<sbyte>(quantized, 32).ToArray(), q => Assert.Equal(0, q));
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.BF16)]
    [InlineData(TensorType.Q8_0)]
    [InlineData(TensorType.Q4_0)]
    public void Rows_dequantize_as_the_scalar_twin_does(TensorType type)
    {
        var bytes = new byte[TensorTypes.RowBytes(type, 128)];
        new Random(5).NextBytes(bytes);
        for (var i = 1; i < bytes.Length; i += 2)
        {
            // Exponents small enough to be finite in every type.
            if (type is not (TensorType.Q8_0 or TensorType.Q4_0))
                bytes[i] &= 0xbb;
        }

        if (type is TensorType.Q8_0 or TensorType.Q4_0)
        {
            for (var block = 0; block < bytes.Length; block += TensorTypes.BlockBytes(type))
                bytes[block + 1] &= 0x3f;
        }

        var target = stackalloc float[128];
        fixed (byte* row = bytes)
            RowDequantizer.Dequantize(type, row, target, 128);
        var expected = ScalarTwins.Dequantize(type, bytes, 128);
        for (var i = 0; i < 128; i++)
            Assert.Equal((float)expected[i], target[i]);
    }
}
