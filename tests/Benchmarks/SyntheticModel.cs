using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Slm.Engine.Formats;

namespace Slm.Benchmarks;

/// <summary>Sizes of a llama model whose weights are noise: speed does not depend on what they say.</summary>
public sealed record SyntheticModel(string Name, int Hidden, int Layers, int Heads, int KeyValueHeads, int FeedForward, int Vocab)
{
    /// <summary>About 15 million parameters.</summary>
    public static SyntheticModel Small { get; } = new("15M", 288, 6, 6, 6, 768, 32000);

    /// <summary>The dimensions of SmolLM-135M.</summary>
    public static SyntheticModel Medium { get; } = new("135M", 576, 30, 9, 3, 1536, 49152);

    /// <summary>Writes the model, tied embeddings, and returns its path in the temporary folder; an existing file is used again.</summary>
    public string Write(TensorType type)
    {
        var path = Path.Combine(Path.GetTempPath(), $"slm-bench-{Name}-{type}.gguf");
        if (File.Exists(path))
            return path;
        var writer = new GgufWriter();
        writer.Add("general.architecture", "llama");
        writer.Add("llama.block_count", (uint)Layers);
        writer.Add("llama.embedding_length", (uint)Hidden);
        writer.Add("llama.feed_forward_length", (uint)FeedForward);
        writer.Add("llama.attention.head_count", (uint)Heads);
        writer.Add("llama.attention.head_count_kv", (uint)KeyValueHeads);
        writer.Add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        writer.Add("llama.context_length", 4096u);
        var random = new Random(1);
        void Matrix(string name, int columns, int rows) => writer.AddTensor(name, type, [columns, rows], Noise(type, (long)columns * rows, random));
        void Vector(string name) => writer.AddTensor(name, TensorType.F32, [Hidden], MemoryMarshal.AsBytes(Enumerable.Repeat(1f, Hidden).ToArray().AsSpan()).ToArray());
        var keyValue = Hidden / Heads * KeyValueHeads;
        Matrix("token_embd.weight", Hidden, Vocab);
        Vector("output_norm.weight");
        for (var layer = 0; layer < Layers; layer++)
        {
            Vector($"blk.{layer}.attn_norm.weight");
            Matrix($"blk.{layer}.attn_q.weight", Hidden, Hidden);
            Matrix($"blk.{layer}.attn_k.weight", Hidden, keyValue);
            Matrix($"blk.{layer}.attn_v.weight", Hidden, keyValue);
            Matrix($"blk.{layer}.attn_output.weight", Hidden, Hidden);
            Vector($"blk.{layer}.ffn_norm.weight");
            Matrix($"blk.{layer}.ffn_gate.weight", Hidden, FeedForward);
            Matrix($"blk.{layer}.ffn_up.weight", Hidden, FeedForward);
            Matrix($"blk.{layer}.ffn_down.weight", FeedForward, Hidden);
        }
        writer.Write(path);
        return path;
    }

    private static byte[] Noise(TensorType type, long elements, Random random)
    {
        var block = TensorTypes.BlockBytes(type);
        var bytes = new byte[elements / TensorTypes.BlockElements(type) * block];
        switch (type)
        {
            case TensorType.Q8_0 or TensorType.Q4_0:
                random.NextBytes(bytes);
                for (var i = 0; i < bytes.Length; i += block)
                    BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(i), (Half)0.001f);
                break;
            case TensorType.F16:
                for (var i = 0; i < bytes.Length; i += 2)
                    BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(i), (Half)(0.05f * (random.NextSingle() - 0.5f)));
                break;
            default:
                throw new NotSupportedException($"{type} has no noise here.");
        }
        return bytes;
    }
}
