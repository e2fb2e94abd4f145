using System.Runtime.InteropServices;
using Slm.Engine.Quantization;
using Slm.Engine.Wire;

namespace Slm.Engine.Tests.Wire;

public sealed unsafe class RowEncodingTests
{
    private static readonly int[] Widths = [1, 7, 31, 32, 33, 96, 257, 576, 2050];

    public static TheoryData<int> AllWidths => [.. Widths];

    [Theory]
    [InlineData(WireFormat.F32, 3, 576, 6912)]
    [InlineData(WireFormat.F16, 3, 576, 3456)]
    [InlineData(WireFormat.Q8, 3, 576, 1944)]
    [InlineData(WireFormat.Q8, 2, 33, 82)]
    public void The_bytes_are_those_of_the_formula(WireFormat format, int rows, int width, long bytes) =>
        Assert.Equal(bytes, RowEncoding.PayloadBytes(format, rows, width));

    [Theory]
    [MemberData(nameof(AllWidths))]
    public void F32_is_exact_whatever_the_bits(int width)
    {
        var random = new Random(width);
        var values = new float[3 * width];
        random.NextBytes(MemoryMarshal.AsBytes(values.AsSpan()));
        var read = Travel(WireFormat.F32, values, width, out var scaled);
        Assert.True(MemoryMarshal.AsBytes(values.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(read.AsSpan())));
        Assert.Empty(scaled);
    }

    [Theory]
    [MemberData(nameof(AllWidths))]
    public void F16_rounds_as_the_scalar_conversion_does(int width)
    {
        var random = new Random(width);
        var values = new float[3 * width];
        for (var round = 0; round < 20; round++)
        {
            // All magnitudes a half has, subnormals and what vanishes below them included, and ties.
            foreach (ref var value in values.AsSpan())
            {
                value = random.Next(3) == 0
                    ? ((float)BitConverter.Int16BitsToHalf((short)random.Next(0x7bff)) + (float)BitConverter.Int16BitsToHalf((short)random.Next(0x7bff))) / 2
                    : MathF.ScaleB((random.NextSingle() * 2) - 1, random.Next(-30, 16));
            }

            values[random.Next(values.Length)] = random.Next(2) == 0 ? 65504 : -0f;
            var read = Travel(WireFormat.F16, values, width, out var scaled);
            Assert.Empty(scaled);
            for (var i = 0; i < values.Length; i++)
            {
                Assert.Equal(BitConverter.SingleToUInt32Bits((float)(Half)values[i]), BitConverter.SingleToUInt32Bits(read[i]));
                Assert.InRange(Math.Abs((double)read[i] - values[i]), 0, Math.Max(Math.Abs((double)values[i]) * Math.ScaleB(1, -11), Math.ScaleB(1, -25)));
            }
        }
    }

    [Theory]
    [InlineData(65504f, 0)]
    [InlineData(65504.01f, 1)]
    [InlineData(65519.99f, 1)]
    [InlineData(-65520f, 2)]
    [InlineData(131000f, 2)]
    [InlineData(1e9f, 15)]
    [InlineData(3.4e38f, 113)]
    [InlineData(float.MaxValue, 113)]
    [InlineData(float.MinValue, 113)]
    public void A_row_beyond_a_half_is_scaled_alone_and_stays_finite(float largest, int exponent)
    {
        const int Width = 70;
        var random = new Random(3);
        var values = new float[3 * Width];
        foreach (ref var value in values.AsSpan())
            value = (random.NextSingle() * 2) - 1;
        values[Width + 41] = largest;
        var read = Travel(WireFormat.F16, values, Width, out var scaled);
        Assert.Equal(exponent == 0 ? [] : [1, exponent], scaled);
        for (var i = 0; i < values.Length; i++)
        {
            var inRow = i / Width == 1;
            var bound = Math.Max(Math.Abs((double)values[i]) * Math.ScaleB(1, -11), Math.ScaleB(1, inRow ? exponent - 25 : -25));
            Assert.InRange(Math.Abs((double)read[i] - values[i]), 0, bound);
            if (!inRow)
                Assert.Equal((float)(Half)values[i], read[i]);
        }
    }

    [Fact]
    public void Scaling_rounds_as_the_scalar_conversion_of_the_scaled_value_does()
    {
        const int Width = 600;
        var random = new Random(5);
        var values = new float[Width];
        foreach (ref var value in values.AsSpan())
            value = MathF.ScaleB((random.NextSingle() * 2) - 1, random.Next(-10, 24));
        values[17] = MathF.ScaleB(1.25f, 24);
        var read = Travel(WireFormat.F16, values, Width, out var scaled);
        Assert.Equal([0, 10], scaled);
        for (var i = 0; i < Width; i++)
            Assert.Equal((float)(Half)(values[i] / 1024) * 1024, read[i]);
    }

    [Fact]
    public void A_rounded_row_travels_as_halves_without_loss()
    {
        const int Width = 50;
        var random = new Random(8);
        for (var round = 0; round < 3000; round++)
        {
            var values = new float[Width];
            foreach (ref var value in values.AsSpan())
                value = MathF.ScaleB((random.NextSingle() * 2) - 1, random.Next(-20, 10));
            // Some rows with a largest value that rounds up to a power of two.
            if (round % 3 > 0)
                values[9] = MathF.ScaleB(round % 3 == 1 ? 1 - MathF.ScaleB(random.NextSingle(), -11) : random.NextSingle(), random.Next(15, 126));
            HalfRow.Round(values, new Half[Width]);
            Assert.Equal(values, Travel(WireFormat.F16, values, Width, out _));
        }
    }

    [Theory]
    [InlineData(WireFormat.F32)]
    [InlineData(WireFormat.F16)]
    public void What_is_no_number_or_infinite_stays_so_and_its_row_stays(WireFormat format)
    {
        const int Width = 40;
        foreach (var largest in new[] { 1f, 70000f })
        {
            var values = Enumerable.Range(0, Width).Select(i => i == 20 ? largest : i * 0.25f).ToArray();
            (values[3], values[11], values[39]) = (float.NaN, float.PositiveInfinity, float.NegativeInfinity);
            var read = Travel(format, values, Width, out _);
            for (var i = 0; i < Width; i++)
            {
                if (i == 20)
                    Assert.InRange(read[i], largest * (1 - MathF.ScaleB(1, -11)), largest * (1 + MathF.ScaleB(1, -11)));
                else
                    Assert.Equal(values[i], read[i]);
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void As_Q8_they_make_their_block_no_number(float bad)
    {
        const int Width = 100;
        var values = Enumerable.Range(0, Width).Select(i => i * 0.5f).ToArray();
        foreach (var at in new[] { 40, 97 })
        {
            var broken = values.ToArray();
            broken[at] = bad;
            var read = Travel(WireFormat.Q8, broken, Width, out _);
            for (var i = 0; i < Width; i++)
                Assert.Equal(i / 32 == at / 32, float.IsNaN(read[i]));
        }
    }

    [Theory]
    [MemberData(nameof(AllWidths))]
    public void Q8_is_off_by_half_a_step_at_most(int width)
    {
        var random = new Random(width);
        var values = new float[3 * width];
        foreach (ref var value in values.AsSpan())
            value = MathF.ScaleB((random.NextSingle() * 2) - 1, random.Next(-6, 30));
        var read = Travel(WireFormat.Q8, values, width, out var scaled);
        Assert.Empty(scaled);
        for (var i = 0; i < values.Length; i++)
        {
            var (row, column) = (i / width, i % width);
            var block = values.AsSpan(row * width, width)[(column / 32 * 32)..];
            var largest = 0.0;
            foreach (var value in block[..Math.Min(32, block.Length)])
                largest = Math.Max(largest, Math.Abs(value));

            // Half a step, and the roundings of the inverse, of x · inverse, of the scale and of q · scale.
            Assert.InRange(Math.Abs((double)read[i] - values[i]), 0, largest / 254 * (1 + Math.ScaleB(1, -14)));
        }
    }

    [Fact]
    public void Quantizing_what_came_as_Q8_gives_the_same_codes_and_scales()
    {
        const int Blocks = 64;
        var random = new Random(11);
        var values = new float[Blocks * 32];
        for (var round = 0; round < 200; round++)
        {
            var spread = random.Next(-100, 100);
            foreach (ref var value in values.AsSpan())
                value = MathF.ScaleB((random.NextSingle() * 2) - 1, spread);
            var read = Travel(WireFormat.Q8, values, values.Length, out _);
            var (before, after) = (Quantize(values), Quantize(read));
            Assert.Equal(before.Codes, after.Codes);
            Assert.Equal(before.Scales, after.Scales);
        }
    }

    [Fact]
    public void The_scale_comes_back_from_the_largest_value_of_every_mantissa()
    {
        // max → scale → what the largest value becomes → its scale; powers of two change nothing.
        var different = 0;
        for (var bits = 1u << 23; bits < 2u << 23; bits++)
        {
            var scale = BitConverter.UInt32BitsToSingle(bits + (100u << 23)) / 127f;
            var largest = 127 * scale;
            if (largest / 127f != scale)
                different++;
        }

        Assert.Equal(0, different);
    }

    [Theory]
    [InlineData(WireFormat.F32)]
    [InlineData(WireFormat.F16)]
    [InlineData(WireFormat.Q8)]
    public void A_rows_bytes_do_not_depend_on_its_neighbours(WireFormat format)
    {
        const int Width = 133;
        var random = new Random(2);
        var values = new float[5 * Width];
        foreach (ref var value in values.AsSpan())
            value = (random.NextSingle() * 2) - 1;
        values[Width] = 1e6f;
        var together = Bytes(format, values, Width);
        var each = together.Length / 5;
        for (var row = 0; row < 5; row++)
            Assert.Equal(together[(row * each)..((row + 1) * each)], Bytes(format, values[(row * Width)..((row + 1) * Width)], Width));
    }

    [Fact]
    public void Sizes_formats_and_scaled_rows_that_do_not_fit_are_refused()
    {
        var values = new float[64];
        var payload = new byte[128];
        Assert.Contains("as F16", Assert.Throws<ArgumentException>(() => RowEncoding.Encode(WireFormat.F16, values, 32, new byte[127])).Message, StringComparison.Ordinal);
        Assert.Contains("no rows of 33", Assert.Throws<ArgumentException>(() => RowEncoding.Encode(WireFormat.F16, values, 33, payload)).Message, StringComparison.Ordinal);
        Assert.Contains("Q8 (3)", Assert.Throws<ArgumentOutOfRangeException>(() => RowEncoding.Encode((WireFormat)7, values, 32, payload)).Message, StringComparison.Ordinal);
        foreach (int[] scaled in new int[][] { [2, 1], [-1, 1], [0, 0], [0, 114], [0], [1, 1, 0, 1], [1, 1, 1, 1] })
            Assert.Throws<ArgumentException>(() => Decode(WireFormat.F16, payload, scaled, values));
        Assert.Throws<ArgumentException>(() => Decode(WireFormat.Q8, new byte[72], [0, 1], values));
        Assert.Throws<ArgumentException>(() => Decode(WireFormat.F16, payload, [], new float[65]));
        Assert.Throws<ArgumentException>(() => Decode(WireFormat.F16, payload, [], new float[96]));
        Decode(WireFormat.F16, payload, [0, 1, 1, 113], values);
        Assert.Throws<ArgumentException>(() => new EncodedRows(new float[33], 32).Count);
    }

    private static void Decode(WireFormat format, byte[] payload, int[] scaled, float[] values) => RowEncoding.Decode(format, payload, scaled, 32, values);

    private static float[] Travel(WireFormat format, float[] values, int width, out int[] scaled)
    {
        var payload = new byte[RowEncoding.PayloadBytes(format, values.Length / width, width)];
        scaled = RowEncoding.Encode(format, values, width, payload);
        var read = new float[values.Length];
        RowEncoding.Decode(format, payload, scaled, width, read);
        return read;
    }

    private static byte[] Bytes(WireFormat format, float[] values, int width)
    {
        var payload = new byte[RowEncoding.PayloadBytes(format, values.Length / width, width)];
        RowEncoding.Encode(format, values, width, payload);
        return payload;
    }

    private static (sbyte[] Codes, ActivationScale[] Scales) Quantize(float[] values)
    {
        var (codes, scales) = (new sbyte[values.Length], new ActivationScale[values.Length / 32]);
        fixed (float* from = values)
        fixed (sbyte* to = codes)
        fixed (ActivationScale* with = scales)
            ActivationQuantizer.Quantize(from, to, with, values.Length);
        return (codes, scales);
    }
}
