using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Tests.Adapters;
using Slm.Engine.Tests.Stages;
using Slm.Engine.Threading;
using Slm.Engine.Wire;

namespace Slm.Engine.Tests.Experts;

/// <summary>What the formats on the wire do to the results of experts, against the equations in double precision.</summary>
public sealed class ExpertWireTests
{
    private const int Length = 45;

    /// <summary>Largest of 32 numbers of a normal distribution over their root mean square: 2.07 on average, and rarely beyond 2.5.</summary>
    private const double CrestOfNormal = 2.5;
    private static readonly int[] Blocks = [5, 0, 9];

    public static TheoryData<string, WireFormat, WireFormat> Formats
    {
        get
        {
            var cases = new TheoryData<string, WireFormat, WireFormat>();
            foreach (var model in new[] { "llama-moe-f16", "qwen3moe-f32", "smallthinker-f32", "smallthinker-softmax-f16" })
            {
                foreach (var format in Enum.GetValues<WireFormat>())
                    cases.Add(model, format, format);
                cases.Add(model, WireFormat.Q8, WireFormat.F16);
            }

            return cases;
        }
    }

    /// <summary>
    /// The bound of a visit follows from the formats' own: an input is off by dx, so the products by Σ|W|·dx, the gate (whose
    /// slope is at most 1.1) and the output accordingly, which is then rounded itself. Sums of n floats add n · 2^-24 of their magnitudes.
    /// </summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void An_output_is_off_by_what_the_formats_allow(string model, WireFormat format, WireFormat results)
    {
        using var file = ReferenceModel.Open(model);
        using var workers = new WorkerPool(2);
        var (hidden, experts) = (file.Config.HiddenSize, file.Config.Experts!);
        using var group = ExpertGroup.Load(file, new LayerRange(1, 2), ExpertSlice.All(experts.Count), new ExpertGroupOptions(), workers);
        var exact = new ExactExpert(file, layer: 1, experts.FeedForwardSize, model.StartsWith("smallthinker", StringComparison.Ordinal));
        const int Rows = 12;
        var random = new Random(4);
        float[] values = [.. Enumerable.Range(0, Rows * hidden).Select(_ => (float)((random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5) * 2))];
        int[] rows = [.. Enumerable.Range(0, Rows * experts.Count).Select(i => i % Rows)], chosen = [.. Enumerable.Range(0, Rows * experts.Count).Select(i => i / Rows)];
        var payload = new byte[RowEncoding.PayloadBytes(format, Rows, hidden)];
        var scaled = RowEncoding.Encode(format, values, hidden, payload);
        var answer = new byte[RowEncoding.PayloadBytes(results, rows.Length, hidden)];
        var scaledAnswer = group.Forward(1, new EncodedRows(format, Rows, hidden, payload, scaled), rows, chosen, results, answer);
        var outputs = new float[rows.Length * hidden];
        RowEncoding.Decode(results, answer, scaledAnswer, hidden, outputs);
        var (worst, error, size) = (0.0, 0.0, 0.0);
        for (var visit = 0; visit < rows.Length; visit++)
        {
            var (y, bound) = exact.Compute(chosen[visit], values.AsSpan(rows[visit] * hidden, hidden), format, results);
            for (var i = 0; i < hidden; i++)
            {
                var off = Math.Abs(outputs[(visit * hidden) + i] - y[i]);
                worst = Math.Max(worst, off / bound[i]);
                (error, size) = (error + (off * off), size + (y[i] * y[i]));
            }
        }

        // Roundings are independent of each other, so that most of the bound is never used: gate and up each see the input's, the
        // output adds its own, and their squares add up.
        var rms = Math.Sqrt((2 * Math.Pow(Relative(format, values), 2)) + Math.Pow(Relative(results, outputs), 2));
        TestContext.Current.TestOutputHelper?.WriteLine($"{model} {format} {results}: {worst:f3} of the bound at worst; rms error {Math.Sqrt(error / size):g3} of the outputs, at most {rms:g3}");
        Assert.InRange(worst, 0, 1);
        Assert.InRange(Math.Sqrt(error / size), 0, rms);
    }

    /// <summary>Largest error of a value relative to the root mean square of all: 2^-11; of Q8 half a step, which the largest of a block decides.</summary>
    private static double Relative(WireFormat format, float[] values) => format switch
    {
        WireFormat.F16 => Math.ScaleB(1, -11),
        WireFormat.Q8 => Math.Sqrt(values.Chunk(32).Average(block => Math.Pow(block.Max(Math.Abs), 2)) / values.Average(value => (double)value * value)) / 254,
        _ => Math.ScaleB(1, -20),
    };

    /// <summary>Quantized experts round their input to the same int8 whether it has come as floats or as Q8.</summary>
    [Fact]
    public async Task Q8_inputs_do_not_change_a_bit_of_quantized_experts()
    {
        using var file = ReferenceModel.Open("qwen3moe-q8_0");
        var (expected, actual, _) = await Logits(file, WireFormat.Q8, WireFormat.F32);
        Assert.Equal(expected, actual);
    }

    /// <summary>Where every stage rounds what experts get and give, it does not matter which of them are elsewhere.</summary>
    [Theory]
    [InlineData("llama-moe-f16")]
    [InlineData("qwen3moe-f32")]
    [InlineData("qwen3moe-q8_0")]
    [InlineData("smallthinker-f32")]
    [InlineData("smallthinker-softmax-f16")]
    public async Task F16_does_not_change_a_bit_of_a_model_that_rounds(string model)
    {
        using var file = ReferenceModel.Open(model);
        var (rounded, actual, _) = await Logits(file, WireFormat.F16, WireFormat.F16, rounded: true);
        Assert.Equal(rounded, actual);
        var (exact, _, _) = await Logits(file, WireFormat.F32, WireFormat.F32);
        Assert.NotEqual(exact, rounded);
    }

    [Theory]
    [InlineData(WireFormat.F16, WireFormat.F16)]
    [InlineData(WireFormat.Q8, WireFormat.Q8)]
    public async Task Logits_move_a_little_and_the_bytes_are_those_of_the_formula(WireFormat format, WireFormat results)
    {
        foreach (var model in new[] { "llama-moe-f16", "qwen3moe-f32", "qwen3moe-q8_0", "smallthinker-f32", "smallthinker-softmax-f16" })
        {
            using var file = ReferenceModel.Open(model);
            var (expected, actual, channel) = await Logits(file, format, results);
            Assert.Equal(RowEncoding.PayloadBytes(format, channel.RowsSent, file.Config.HiddenSize) + RowEncoding.PayloadBytes(results, channel.VisitsSent, file.Config.HiddenSize), channel.Bytes);
            var rows = expected.Chunk(file.Config.VocabSize).Zip(actual.Chunk(file.Config.VocabSize), Distance).Order().ToArray();
            // A layer adds to the stream what an output is off by, √3 times the format's error, and layers do so independently. Of
            // quantized models the next products round their input to int8, which turns smaller differences into steps of that size.
            var format8 = format == WireFormat.Q8 || file.QuantizationName == "Q8_0";
            var bound = Math.Sqrt(3 * file.Config.LayerCount) * (format8 ? CrestOfNormal / 254 : Math.ScaleB(1, -11));
            TestContext.Current.TestOutputHelper?.WriteLine($"{model} {format} {results}: {rows[Length / 2]:g3} of a row's logits, worst {rows[^1]:g3}, bound {bound:g3}");
            // In the middle: where a router's choice was close, other experts compute a row, and its logits move by more.
            Assert.InRange(rows[Length / 2], 0, bound);
        }
    }

    private static double Distance(float[] expected, float[] actual)
    {
        var (error, size) = (0.0, 0.0);
        for (var i = 0; i < expected.Length; i++)
            (error, size) = (error + Math.Pow(actual[i] - expected[i], 2), size + Math.Pow(expected[i], 2));
        return Math.Sqrt(error / size);
    }

    private static async Task<(float[] Expected, float[] Actual, ByteChannel Channel)> Logits(ModelFile file, WireFormat format, WireFormat results, bool rounded = false)
    {
        var random = new Random(7);
        int[] tokens = [.. Enumerable.Range(0, Length).Select(_ => random.Next(file.Config.VocabSize))];
        var options = new LocalPipelineOptions { KvPositions = 320, RoundedResidual = rounded };
        await using var resident = LocalPipeline.Load(file, options);
        using var channel = new ByteChannel(file, new LayerRange(0, file.Config.LayerCount), ExpertSlice.Split(file.Config.Experts!.Count, 2), format: format, results: results);
        await using var split = LocalPipeline.Load(file, options with { RemoteExperts = new RemoteExperts(channel, ExpertSlice.None) });
        return (StepRunner.Logits(resident, tokens, Blocks, 9), StepRunner.Logits(split, tokens, Blocks, 9), channel);
    }

    /// <summary>One layer's experts in double precision, with the bounds of what rounding does to them.</summary>
    private sealed class ExactExpert(ModelFile file, int layer, int width, bool relu)
    {
        private static readonly double Half = Math.ScaleB(1, -11), LeastHalf = Math.ScaleB(1, -25), Single = Math.ScaleB(1, -24);
        private readonly float[] _gate = Read(file, layer, "gate"), _up = Read(file, layer, "up"), _down = Read(file, layer, "down");

        public (double[] Output, double[] Bound) Compute(int expert, ReadOnlySpan<float> row, WireFormat input, WireFormat output)
        {
            double[] x = [.. row.ToArray().Select(v => (double)v)];
            var dx = Rounding(x, new double[x.Length], input);
            var (g, dg) = Product(_gate, expert, width, x, dx);
            var (u, du) = Product(_up, expert, width, x, dx);
            var (h, dh) = (new double[width], new double[width]);
            for (var i = 0; i < width; i++)
            {
                var f = relu ? Math.Max(g[i], 0) : g[i] / (1 + Math.Exp(-g[i]));
                var df = (1.1 * dg[i]) + (Math.ScaleB(1, -20) * Math.Abs(g[i]));
                h[i] = f * u[i];
                dh[i] = (Math.Abs(f) * du[i]) + (df * (Math.Abs(u[i]) + du[i])) + (Single * Math.Abs(h[i]));
            }

            var (y, dy) = Product(_down, expert, x.Length, h, dh);
            var rounded = Rounding(y, dy, output);
            return (y, [.. dy.Zip(rounded, (a, b) => a + b)]);
        }

        private static float[] Read(ModelFile file, int layer, string part)
        {
            Assert.True(file.Source.TryGetTensor($"blk.{layer}.ffn_{part}_exps.weight", out var tensor));
            return LoraFiles.Floats(file.Source, tensor);
        }

        private static (double[] Values, double[] Bound) Product(float[] weights, int expert, int rows, double[] x, double[] dx)
        {
            var (y, dy) = (new double[rows], new double[rows]);
            for (var r = 0; r < rows; r++)
            {
                var w = weights.AsSpan(((expert * rows) + r) * x.Length, x.Length);
                for (var i = 0; i < x.Length; i++)
                {
                    y[r] += w[i] * x[i];
                    dy[r] += Math.Abs(w[i]) * (dx[i] + (x.Length * Single * Math.Abs(x[i])));
                }
            }

            return (y, dy);
        }

        /// <summary>What a format adds to values that are off already.</summary>
        private static double[] Rounding(double[] values, double[] off, WireFormat format)
        {
            double Largest(int i) => Enumerable.Range(i / 32 * 32, Math.Min(32, values.Length - (i / 32 * 32))).Max(j => Math.Abs(values[j]) + off[j]);
            return [.. values.Select((value, i) => format switch
            {
                WireFormat.F16 => Math.Max(LeastHalf, Half * (Math.Abs(value) + off[i])),
                WireFormat.Q8 => Largest(i) / 254 * (1 + Math.ScaleB(1, -14)),
                _ => 0,
            })];
        }
    }
}
