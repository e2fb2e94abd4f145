using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Models;

namespace Slm.Benchmarks;

/// <summary>
/// A mixture of experts whose weights are noise, with the dimensions of SmallThinker-4B-A0.6B. Its routers prefer experts by a Zipf
/// law: the chance of the k-th favourite of a layer falls with k^-exponent, and each layer has its own order of favourites.
/// </summary>
/// <remarks>
/// A router has no bias, so the preference comes through the residual stream: the first 256 of its dimensions are the same for
/// every token, the norms hide them from all other matrices, and the router reads the preference from them and noise from the rest.
/// To make the noise as large as a Gumbel variable (whose largest sum with log-probabilities is a draw from them), the model is
/// written with routers of zeros, run once to measure the residual stream before every layer, and then given its routers.
/// </remarks>
internal static class SyntheticMixture
{
    private const int Hidden = 1536, Layers = 32, Heads = 12, KeyValueHeads = 2, HeadSize = 128;
    private const int Experts = 32, Used = 4, FeedForward = 768, Vocab = 151936;
    private const int Constant = 256;
    private const int Samples = 512;
    private const double GumbelDeviation = 1.2825498;

    /// <summary>Writes the model to a folder and returns its path; an existing file is used again.</summary>
    public static string Write(string folder, double exponent)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"4B-A0.6B-zipf{exponent:0.0#}.gguf"));
        if (File.Exists(path))
            return path;
        var unfinished = path + ".unfinished";
        WriteNoise(unfinished);
        var routers = Routers(unfinished, exponent);
        using (var stream = new FileStream(unfinished, FileMode.Open, FileAccess.Write))
        {
            foreach (var (position, weights) in routers)
            {
                stream.Position = position;
                stream.Write(MemoryMarshal.AsBytes(weights.AsSpan()));
            }
        }

        File.Move(unfinished, path);
        return path;
    }

    private static void WriteNoise(string path)
    {
        var writer = new GgufWriter();
        writer.Add("general.architecture", "smallthinker");
        writer.Add("general.name", "noise 4B-A0.6B");
        writer.Add("smallthinker.block_count", (uint)Layers);
        writer.Add("smallthinker.context_length", 4096u);
        writer.Add("smallthinker.embedding_length", (uint)Hidden);
        writer.Add("smallthinker.feed_forward_length", (uint)FeedForward);
        writer.Add("smallthinker.attention.head_count", (uint)Heads);
        writer.Add("smallthinker.attention.head_count_kv", (uint)KeyValueHeads);
        writer.Add("smallthinker.attention.key_length", (uint)HeadSize);
        writer.Add("smallthinker.attention.value_length", (uint)HeadSize);
        writer.Add("smallthinker.attention.layer_norm_rms_epsilon", 1e-6f);
        writer.Add("smallthinker.attention.sliding_window", 4096u);
        writer.Add("smallthinker.rope.freq_base", 1_500_000f);
        writer.Add("smallthinker.expert_count", (uint)Experts);
        writer.Add("smallthinker.expert_used_count", (uint)Used);
        writer.Add("smallthinker.expert_feed_forward_length", (uint)FeedForward);
        writer.Add("smallthinker.expert_gating_func", 2u);
        SyntheticModel.AddTokenizer(writer, Vocab);
        var seed = 0;
        void Matrix(string name, int columns, long rows, params long[] more)
        {
            var random = new Random(++seed);
            long[] shape = more.Length == 0 ? [columns, rows] : [columns, .. more];
            writer.AddTensor(name, TensorType.Q4_0, shape, stream => SyntheticModel.WriteNoise(stream, TensorType.Q4_0, columns, checked((int)rows), random));
        }

        void Norm(string name)
        {
            var weights = new float[Hidden];
            weights.AsSpan(Constant).Fill(1);
            writer.AddTensor(name, TensorType.F32, [Hidden], MemoryMarshal.AsBytes(weights.AsSpan()).ToArray());
        }

        writer.AddTensor("token_embd.weight", TensorType.Q6_K, [Hidden, Vocab], WriteEmbedding);
        Norm("output_norm.weight");
        for (var layer = 0; layer < Layers; layer++)
        {
            var blk = $"blk.{layer}.";
            Norm(blk + "attn_norm.weight");
            Matrix(blk + "attn_q.weight", Hidden, Heads * HeadSize);
            Matrix(blk + "attn_k.weight", Hidden, KeyValueHeads * HeadSize);
            Matrix(blk + "attn_v.weight", Hidden, KeyValueHeads * HeadSize);
            Matrix(blk + "attn_output.weight", Heads * HeadSize, Hidden);
            Norm(blk + "ffn_norm.weight");
            writer.AddTensor(blk + "ffn_gate_inp.weight", TensorType.F32, [Hidden, Experts], new byte[Hidden * Experts * sizeof(float)]);
            Matrix(blk + "ffn_gate_exps.weight", Hidden, FeedForward * Experts, FeedForward, Experts);
            Matrix(blk + "ffn_up_exps.weight", Hidden, FeedForward * Experts, FeedForward, Experts);
            Matrix(blk + "ffn_down_exps.weight", FeedForward, Hidden * Experts, Hidden, Experts);
        }

        writer.Write(path);
    }

    /// <summary>Rows of Q6_K: a block of 256 times 4, then blocks of noise.</summary>
    private static void WriteEmbedding(Stream stream)
    {
        var random = new Random(7);
        const int BlockBytes = 210;
        var row = new byte[Hidden / Constant * BlockBytes];
        var constant = row.AsSpan(0, BlockBytes);
        for (var r = 0; r < Vocab; r++)
        {
            random.NextBytes(row);
            for (var at = 0; at < row.Length; at += BlockBytes)
                BinaryPrimitives.WriteHalfLittleEndian(row.AsSpan(at + 208), (Half)0.002f);

            // Codes of 33, which is 1 beyond the offset: low bits 1, high bits 2.
            constant[..128].Fill(0x11);
            constant[128..192].Fill(0xAA);
            constant[192..208].Fill(1);
            BinaryPrimitives.WriteHalfLittleEndian(constant[208..], (Half)4f);
            stream.Write(row);
        }
    }

    /// <summary>The routers and where they belong.</summary>
    private static List<(long Position, float[] Weights)> Routers(string path, double exponent)
    {
        using var file = ModelFile.Open(path);
        var observer = new RouterInputs();
        using (var pipeline = new OwnedPipeline(file, observer))
        {
            var batch = new StepBatch();
            batch.Add([.. Enumerable.Range(0, Samples).Select(i => (int)(i * 7919L % Vocab))], 0, [.. Enumerable.Range(0, Samples / 32)], 1);
            pipeline.Run(batch);
        }

        var routers = new List<(long, float[])>();
        for (var layer = 0; layer < Layers; layer++)
        {
            var random = new Random(1000 + layer);
            var ranks = Enumerable.Range(1, Experts).ToArray();
            random.Shuffle(ranks);
            var (mean, deviation) = observer.Moments(layer);
            var scale = GumbelDeviation / (deviation * Math.Sqrt(Hidden - Constant));
            var constant = mean[..Constant].Average();
            var weights = new float[Experts * Hidden];
            for (var expert = 0; expert < Experts; expert++)
            {
                var row = weights.AsSpan(expert * Hidden, Hidden);
                var common = 0.0;
                for (var i = Constant; i < Hidden; i++)
                {
                    row[i] = (float)(scale * Normal(random));
                    common += row[i] * mean[i];
                }

                // What all tokens have in common would be a preference of its own.
                row[..Constant].Fill((float)((-(exponent * Math.Log(ranks[expert])) - common) / (Constant * constant)));
            }

            file.Source.TryGetTensor($"blk.{layer}.ffn_gate_inp.weight", out var tensor);
            routers.Add((((GgufFile)file.Source).Position(tensor!), weights));
        }

        return routers;
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>The residual stream before every layer.</summary>
    private sealed class RouterInputs : IInputObserver
    {
        private readonly List<float[]>[] _rows = [.. Enumerable.Range(0, Layers).Select(_ => new List<float[]>())];

        public void Observe(string tensor, ReadOnlySpan<float> inputs, int columns, int matrix, int matrices)
        {
            if (!tensor.EndsWith("ffn_gate_inp.weight", StringComparison.Ordinal))
                return;
            var layer = int.Parse(tensor.Split('.')[1], System.Globalization.CultureInfo.InvariantCulture);
            for (var at = 0; at < inputs.Length; at += columns)
                _rows[layer].Add(inputs.Slice(at, columns).ToArray());
        }

        /// <summary>Mean over the tokens, and standard deviation from it of the dimensions that vary.</summary>
        public (double[] Mean, double Deviation) Moments(int layer)
        {
            var mean = new double[Hidden];
            foreach (var row in _rows[layer])
            {
                for (var i = 0; i < Hidden; i++)
                    mean[i] += row[i] / (double)_rows[layer].Count;
            }

            var squares = _rows[layer].Sum(row => Enumerable.Range(Constant, Hidden - Constant).Sum(i => (row[i] - mean[i]) * (row[i] - mean[i])));
            return (mean, Math.Sqrt(squares / (_rows[layer].Count * (Hidden - Constant))));
        }
    }

    private sealed class OwnedPipeline(ModelFile file, IInputObserver observer) : IDisposable
    {
        private readonly LocalPipeline _pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { ContextLength = Samples, KvCacheBytes = CachePlan.BytesPerToken(file.Config, file.KvType) * Samples, Observer = observer, ExpertMemory = 1L << 30 });

        public void Run(StepBatch batch) => _pipeline.ForwardAsync(batch, StepOutput.Logits, CancellationToken.None).AsTask().GetAwaiter().GetResult();

        public void Dispose() => _pipeline.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
