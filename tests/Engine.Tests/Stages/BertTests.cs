using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.HuggingFace;

namespace Slm.Engine.Tests.Stages;

/// <summary>Encoders against a forward pass in double precision that is written from the equations.</summary>
public sealed class BertTests
{
    private const int Hidden = 48;
    private const int Heads = 6;
    private const int FeedForward = 80;
    private const int Vocabulary = 90;
    private const int Layers = 3;
    private const int Context = 320;
    private const float Epsilon = 1e-6f;
    private const double Theta = 1000;
    private const double WindowTheta = 100;
    private const int Side = 20;

    /// <summary>Of six heads, as Press et al. give them: those of four, then every second of eight.</summary>
    private static readonly double[] Slopes = [1 / 4.0, 1 / 16.0, 1 / 64.0, 1 / 256.0, 1 / 2.0, 1 / 8.0];
    private static readonly int[] Blocks = [.. Enumerable.Range(0, 10).Reverse()];

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var architecture in new[] { "bert", "nomic-bert", "jina-bert-v2", "modern-bert" })
            {
                foreach (var kernels in StepRunner.KernelSets)
                    cases.Add(architecture, kernels);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Hidden_states_are_those_of_the_equations(string architecture, string kernels)
    {
        var model = Model(architecture);
        using var path = model.Write();
        using var file = ModelFile.Open(path.Path);
        await using var pipeline = StepRunner.Load(file, kernels);
        Assert.False(file.Config.IsCausal);

        // Up to more than one chunk of attention.
        foreach (var length in new[] { 1, 2, 9, 33, 300 })
        {
            var tokens = model.Tokens(length, Vocabulary);
            var expected = Forward(model, architecture, tokens);
            var worst = Exact.Distance(expected, StepRunner.Logits(pipeline, tokens, Blocks, int.MaxValue, StepOutput.Hidden));
            TestContext.Current.TestOutputHelper?.WriteLine($"{architecture} {kernels} {length}: {worst:g3} of {expected.Max(r => r.Max(Math.Abs)):g3}");
            Assert.InRange(worst, 0, 2e-5);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Bits_do_not_depend_on_company_threads_and_split(string architecture, string kernels)
    {
        var model = Model(architecture);
        using var path = model.Write();
        using var file = ModelFile.Open(path.Path);
        var texts = new[] { 7, 290, 1, 64, 33 }.Select(n => model.Tokens(n, Vocabulary)).ToArray();
        var expected = new List<float[]>();
        await using (var one = StepRunner.Load(file, kernels, threads: 1))
        {
            foreach (var text in texts)
                expected.Add(StepRunner.Logits(one, text, Blocks, int.MaxValue, StepOutput.Hidden));
        }

        foreach (var (stages, threads) in new[] { (1, 1), (1, 2), (2, 3), (3, 2) })
        {
            await using var pipeline = StepRunner.Load(file, kernels, stages, threads);
            for (var order = 0; order < 2; order++)
            {
                var batch = new StepBatch();
                var block = 0;
                foreach (var text in texts)
                {
                    var count = (text.Length + 31) / 32;
                    batch.Add(text, 0, [.. Enumerable.Range(block, count)], text.Length);
                    block += count;
                }

                var rows = StepRunner.Forward(pipeline, batch, StepOutput.Hidden).Span;
                for (var i = 0; i < texts.Length; i++)
                {
                    Assert.Equal(expected[i], rows[..expected[i].Length].ToArray());
                    rows = rows[expected[i].Length..];
                }

                Array.Reverse(texts);
                expected.Reverse();
            }
        }
    }

    [Theory]
    [InlineData("bert")]
    [InlineData("nomic-bert")]
    [InlineData("modern-bert")]
    public async Task Folders_give_the_bits_of_files(string architecture)
    {
        var model = Model(architecture);
        using var path = model.Write();
        using var folder = new ReferenceFolder(architecture, path.Path);
        using var file = ModelFile.Open(path.Path);
        using var other = ModelFile.Open(folder.Write(shards: 2));
        await using var one = StepRunner.Load(file);
        await using var two = StepRunner.Load(other);
        var tokens = model.Tokens(70, Vocabulary);
        Assert.Equal(
            StepRunner.Logits(one, tokens, Blocks, int.MaxValue, StepOutput.Hidden), StepRunner.Logits(two, tokens, Blocks, int.MaxValue, StepOutput.Hidden));
    }

    [Fact]
    public async Task Steps_that_an_encoder_cannot_run_are_refused()
    {
        using var path = Model("bert").Write();
        using var file = ModelFile.Open(path.Path);
        await using var pipeline = StepRunner.Load(file);
        var batch = new StepBatch();
        batch.Add([1, 2], 5, [0], 1);
        Assert.Contains("as a whole", Assert.Throws<ArgumentException>(() => StepRunner.Forward(pipeline, batch, StepOutput.Hidden)).Message, StringComparison.Ordinal);
        batch.Clear();
        batch.Add([1, 2], 0, [0], 1);
        Assert.Contains("no head", Assert.Throws<NotSupportedException>(() => StepRunner.Forward(pipeline, batch)).Message, StringComparison.Ordinal);
        batch.Clear();
        batch.Add(new int[Context + 1], 0, [.. Enumerable.Range(0, 11)], 1);
        Assert.Contains("positions for 320", Assert.Throws<ArgumentException>(() => StepRunner.Forward(pipeline, batch, StepOutput.Hidden)).Message, StringComparison.Ordinal);
        batch.Clear();
        batch.Encodes = true;
        batch.Add([1, 2], 0, [0], 0);
        Assert.Contains("has none", Assert.Throws<ArgumentException>(() => StepRunner.Forward(pipeline, batch, StepOutput.Hidden)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bert", "attention.causal", true, "sees all of a text")]
    [InlineData("bert", "attention.head_count", 5u, "no multiple")]
    [InlineData("bert", "attention.head_count_kv", 2u, "not supported")]
    [InlineData("bert", "pooling_type", 4u, "between 0 and 3")]
    [InlineData("nomic-bert", "moe_every_n_layers", 2u, "not supported")]
    [InlineData("modern-bert", "attention.sliding_window_pattern", 2u, "every third layer")]
    public void Absurd_hyper_parameters_are_refused(string architecture, string key, object value, string reason)
    {
        var model = Model(architecture, except: key);
        model.Set($"{architecture}.{key}", value);
        using var path = model.Write();
        Assert.Contains(reason, Assert.Throws<Engine.Formats.ModelFormatException>(() => ModelFile.Open(path.Path)).Message, StringComparison.Ordinal);
    }

    internal static RandomModel Model(string architecture, string? except = null)
    {
        var model = new RandomModel(architecture.Length);
        model.Set("general.architecture", architecture);
        foreach (var (key, value) in new (string, object)[]
        {
            ("context_length", (uint)Context), ("embedding_length", (uint)Hidden), ("feed_forward_length", (uint)FeedForward), ("block_count", (uint)Layers),
            ("attention.head_count", (uint)Heads), ("attention.layer_norm_epsilon", Epsilon), ("attention.causal", false), ("pooling_type", 2u),
        })
        {
            if (key != except)
                model.Set($"{architecture}.{key}", value);
        }

        var (rotary, modern) = (IsRotary(architecture), architecture == "modern-bert");
        if (rotary)
            model.Set($"{architecture}.rope.freq_base", (float)Theta);
        if (modern)
        {
            model.Set($"{architecture}.rope.freq_base_swa", (float)WindowTheta);
            model.Set($"{architecture}.attention.sliding_window", (uint)(2 * Side));
        }

        model.Matrix("token_embd.weight", Hidden, Vocabulary, Math.Sqrt(Hidden));
        if (!modern)
            model.Matrix("token_types.weight", Hidden, 2, Math.Sqrt(Hidden));
        if (architecture == "bert")
            model.Matrix("position_embd.weight", Hidden, Context, Math.Sqrt(Hidden));
        model.Norm("token_embd_norm", Hidden, bias: !modern);
        for (var layer = 0; layer < Layers; layer++)
        {
            var blk = $"blk.{layer}.";
            if (rotary)
            {
                model.Matrix(blk + "attn_qkv.weight", Hidden, 3 * Hidden, 1.5);
                model.Matrix(blk + "attn_output.weight", Hidden, Hidden);
            }
            else
            {
                foreach (var part in new[] { "attn_q", "attn_k", "attn_v", "attn_output" })
                    Linear(model, blk + part, Hidden, Hidden);
            }

            if (modern)
            {
                if (layer > 0)
                    model.Norm(blk + "attn_norm", Hidden, bias: false);
                model.Norm(blk + "ffn_norm", Hidden, bias: false);
                model.Matrix(blk + "ffn_up.weight", Hidden, 2 * FeedForward, 2);
                model.Matrix(blk + "ffn_down.weight", FeedForward, Hidden);
                continue;
            }

            model.Norm(blk + "attn_output_norm", Hidden, bias: true);
            if (architecture == "bert")
            {
                Linear(model, blk + "ffn_up", Hidden, FeedForward);
            }
            else
            {
                model.Matrix(blk + "ffn_gate.weight", Hidden, FeedForward, 2);
                model.Matrix(blk + "ffn_up.weight", Hidden, FeedForward);
            }

            if (rotary)
                model.Matrix(blk + "ffn_down.weight", FeedForward, Hidden);
            else
                Linear(model, blk + "ffn_down", FeedForward, Hidden);
            model.Norm(blk + "layer_output_norm", Hidden, bias: true);
        }

        if (modern)
            model.Norm("output_norm", Hidden, bias: false);
        return model;
    }

    /// <summary>Hidden states of all positions.</summary>
    internal static double[][] Forward(RandomModel model, string architecture, int[] tokens)
    {
        var (rotary, modern) = (IsRotary(architecture), architecture == "modern-bert");
        var x = new double[tokens.Length][];
        for (var p = 0; p < tokens.Length; p++)
        {
            x[p] = new double[Hidden];
            for (var i = 0; i < Hidden; i++)
            {
                x[p][i] = model["token_embd.weight"][(tokens[p] * Hidden) + i] + (modern ? 0 : (double)model["token_types.weight"][i])
                    + (architecture == "bert" ? model["position_embd.weight"][(p * Hidden) + i] : 0);
            }
        }

        double[][] Norm(double[][] rows, string name) => Exact.LayerNorm(rows, model[name + ".weight"], Bias(model, name) ?? new float[Hidden], Epsilon);
        x = Norm(x, "token_embd_norm");
        for (var layer = 0; layer < Layers; layer++)
        {
            var blk = $"blk.{layer}.";
            var local = modern && layer % 3 != 0;
            var y = modern && layer > 0 ? Norm(x, blk + "attn_norm") : x;
            double[][] Part(string name, int index) => rotary
                ? Exact.Product(y, model[blk + "attn_qkv.weight"][(index * Hidden * Hidden)..((index + 1) * Hidden * Hidden)])
                : Exact.Product(y, model[blk + name + ".weight"], model[blk + name + ".bias"]);
            var (q, k, v) = (Part("attn_q", 0), Part("attn_k", 1), Part("attn_v", 2));
            if (rotary)
                (q, k) = (Exact.Rotate(q, Heads, local ? WindowTheta : Theta), Exact.Rotate(k, Heads, local ? WindowTheta : Theta));
            double Score(int head, int query, int key)
            {
                var distance = Math.Abs(query - key);
                return architecture == "jina-bert-v2" ? -Slopes[head] * distance : local && distance > Side ? double.NegativeInfinity : 0;
            }

            var attended = Exact.Attend(q, k, v, Heads, 1 / Math.Sqrt(Hidden / (double)Heads), Score);
            x = Exact.Add(x, Exact.Product(attended, model[blk + "attn_output.weight"], Bias(model, blk + "attn_output")));
            y = x = modern ? x : Norm(x, blk + "attn_output_norm");
            if (modern)
                y = Norm(x, blk + "ffn_norm");
            var h = Exact.Product(y, model[blk + "ffn_up.weight"], Bias(model, blk + "ffn_up"));
            if (architecture == "bert")
            {
                h = Exact.Each(h, row => [.. row.Select(Exact.Gelu)]);
            }
            else
            {
                // One matrix holds the gate's rows first.
                var (gate, up) = modern
                    ? (Exact.Each(h, row => row[..FeedForward]), Exact.Each(h, row => row[FeedForward..]))
                    : (Exact.Product(y, model[blk + "ffn_gate.weight"]), h);
                Func<double, double> function = architecture == "nomic-bert" ? Exact.Silu : Exact.Gelu;
                h = [.. gate.Zip(up, (a, b) => a.Zip(b, (g, u) => function(g) * u).ToArray())];
            }

            x = Exact.Add(x, Exact.Product(h, model[blk + "ffn_down.weight"], Bias(model, blk + "ffn_down")));
            x = modern ? x : Norm(x, blk + "layer_output_norm");
        }

        return modern ? Norm(x, "output_norm") : x;
    }

    private static bool IsRotary(string architecture) => architecture is "nomic-bert" or "modern-bert";

    private static float[]? Bias(RandomModel model, string name) => model.Has(name + ".bias") ? model[name + ".bias"] : null;

    private static void Linear(RandomModel model, string name, int columns, int rows)
    {
        model.Matrix(name + ".weight", columns, rows, 1.5);
        model.Add(name + ".bias", 0.5, 0, rows);
    }
}
