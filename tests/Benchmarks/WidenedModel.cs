using System.Runtime.InteropServices;
using Slm.Engine.Formats;

namespace Slm.Benchmarks;

/// <summary>
/// The function of a small llama model in a larger one, so that a target whose computation is that of <see cref="Hidden"/> wide layers
/// says what the small one says (the function-preserving transformations of Chen et al. 2016, "Net2Net", arXiv 1511.05641). Added
/// columns of the residual stream are zero because nothing writes to them, and added heads, neurons and layers because their output
/// weights are zero; all other added weights are noise. The engine computes them like any others.
/// </summary>
internal static class WidenedModel
{
    private const int Hidden = 576;
    private const int FeedForward = 1536;
    private const int Layers = 30;
    private const float NoiseScale = 0.02f;

    /// <summary>Writes the larger model in F16.</summary>
    /// <param name="source">A GGUF file of a llama model with matrices in F16 and a tied embedding.</param>
    /// <param name="path">Where it goes.</param>
    public static void Write(string source, string path)
    {
        using var file = GgufFile.Open(source);
        int Size(string key) => Convert.ToInt32(file.Metadata[$"llama.{key}"], System.Globalization.CultureInfo.InvariantCulture);
        var (hidden, layers, feedForward) = (Size("embedding_length"), Size("block_count"), Size("feed_forward_length"));
        var (heads, keyValueHeads, headSize) = (Size("attention.head_count"), Size("attention.head_count_kv"), Size("attention.key_length"));
        if (Hidden % hidden != 0 || heads * headSize != hidden)
            throw new NotSupportedException($"{source} is {hidden} wide; it must divide {Hidden} and be heads × head size.");

        // As many times more heads as columns: each keeps its own keys and values.
        var times = Hidden / hidden;
        var (attention, keyValue) = (Hidden, times * keyValueHeads * headSize);
        var writer = new GgufWriter();
        foreach (var (key, value) in file.Metadata)
        {
            writer.Add(key, key switch
            {
                "general.name" => $"{value}, widened",
                "llama.embedding_length" => (uint)Hidden,
                "llama.block_count" => (uint)Layers,
                "llama.feed_forward_length" => (uint)FeedForward,
                "llama.attention.head_count" => (uint)(times * heads),
                "llama.attention.head_count_kv" => (uint)(times * keyValueHeads),
                // The mean of squares is over more columns, of which the others are zero.
                "llama.attention.layer_norm_rms_epsilon" => (float)value / times,
                "general.size_label" => "100M",
                "general.parameter_count" => (ulong)0,
                _ => value,
            });
        }

        var random = new Random(1);
        Matrix("token_embd.weight", Hidden, Size("vocab_size"), freeColumns: false, freeRows: false);
        Norm("output_norm.weight");
        for (var layer = 0; layer < Layers; layer++)
        {
            Norm($"blk.{layer}.attn_norm.weight");
            Matrix($"blk.{layer}.attn_q.weight", Hidden, attention, freeColumns: true, freeRows: true);
            Matrix($"blk.{layer}.attn_k.weight", Hidden, keyValue, freeColumns: true, freeRows: true);
            Matrix($"blk.{layer}.attn_v.weight", Hidden, keyValue, freeColumns: true, freeRows: true);
            Matrix($"blk.{layer}.attn_output.weight", attention, Hidden, freeColumns: false, freeRows: false);
            Norm($"blk.{layer}.ffn_norm.weight");
            Matrix($"blk.{layer}.ffn_gate.weight", Hidden, FeedForward, freeColumns: true, freeRows: true);
            Matrix($"blk.{layer}.ffn_up.weight", Hidden, FeedForward, freeColumns: true, freeRows: true);
            Matrix($"blk.{layer}.ffn_down.weight", FeedForward, Hidden, freeColumns: false, freeRows: false);
        }

        writer.Write(path);

        void Norm(string name)
        {
            var weights = new float[Hidden];
            Array.Fill(weights, 1);
            if (Find(name) is { } tensor)
            {
                var small = MemoryMarshal.Cast<byte, float>(file.Bytes(tensor));
                for (var i = 0; i < small.Length; i++)
                    weights[i] = small[i] / MathF.Sqrt(times);
            }

            writer.AddTensor(name, TensorType.F32, [Hidden], MemoryMarshal.AsBytes(weights.AsSpan()).ToArray());
        }

        // Free columns read what is zero, free rows write to what nobody reads: those may be anything, all others must be zero.
        void Matrix(string name, int columns, int rows, bool freeColumns, bool freeRows)
        {
            var weights = new Half[(long)columns * rows];
            var tensor = Find(name);
            var small = tensor is null ? default : MemoryMarshal.Cast<byte, Half>(file.Bytes(tensor));
            var (smallColumns, smallRows) = tensor is null ? (0, 0) : ((int)tensor.Shape[0], (int)tensor.Shape[1]);
            for (var row = 0; row < rows; row++)
            {
                var target = weights.AsSpan(row * columns, columns);
                if (row < smallRows)
                    small.Slice(row * smallColumns, smallColumns).CopyTo(target);
                if (row < smallRows ? freeColumns : freeRows)
                {
                    foreach (ref var weight in target[(row < smallRows ? smallColumns : 0)..])
                        weight = (Half)(NoiseScale * ((2 * random.NextSingle()) - 1));
                }
            }

            writer.AddTensor(name, TensorType.F16, [columns, rows], MemoryMarshal.AsBytes(weights.AsSpan()).ToArray());
        }

        TensorInfo? Find(string name) => file.Tensors.FirstOrDefault(t => t.Name == name);
    }
}
