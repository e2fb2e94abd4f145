using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Slm.Engine.Formats;

namespace Slm.Benchmarks;

/// <summary>Sizes of a llama model whose weights are noise: speed does not depend on what they say.</summary>
public sealed record SyntheticModel(string Name, int Hidden, int Layers, int Heads, int KeyValueHeads, int FeedForward, int Vocab, bool Tied)
{
    /// <summary>About 15 million parameters.</summary>
    public static SyntheticModel Small { get; } = new("15M", 288, 6, 6, 6, 768, 32000, true);

    /// <summary>The dimensions of SmolLM-135M.</summary>
    public static SyntheticModel Medium { get; } = new("135M", 576, 30, 9, 3, 1536, 49152, true);

    /// <summary>The dimensions of TinyLlama-1.1B.</summary>
    public static SyntheticModel Large { get; } = new("1.1B", 2048, 22, 32, 4, 5632, 32000, false);

    /// <summary>All sizes.</summary>
    public static IReadOnlyList<SyntheticModel> All { get; } = [Small, Medium, Large];

    /// <summary>Writes the model to a folder and returns its path; an existing file is used again.</summary>
    /// <param name="recipe">The name of a tensor type, or Q4_K_M.</param>
    /// <param name="folder">Where the file goes.</param>
    public string Write(string recipe, string folder)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, $"{Name}-{recipe}.gguf");
        if (File.Exists(path))
            return path;
        var writer = new GgufWriter();
        writer.Add("general.architecture", "llama");
        writer.Add("general.name", $"noise {Name}");
        writer.Add("llama.block_count", (uint)Layers);
        writer.Add("llama.embedding_length", (uint)Hidden);
        writer.Add("llama.feed_forward_length", (uint)FeedForward);
        writer.Add("llama.attention.head_count", (uint)Heads);
        writer.Add("llama.attention.head_count_kv", (uint)KeyValueHeads);
        writer.Add("llama.attention.layer_norm_rms_epsilon", 1e-5f);
        writer.Add("llama.rope.dimension_count", (uint)(Hidden / Heads));
        writer.Add("llama.context_length", 16384u);
        writer.Add("llama.vocab_size", (uint)Vocab);
        AddTokenizer(writer, Vocab);
        var seed = 0;
        void Matrix(string name, int columns, int rows, bool important = false, bool head = false)
        {
            var type = TypeOf(recipe, columns, important, head);
            var random = new Random(++seed);
            writer.AddTensor(name, type, [columns, rows], stream => WriteNoise(stream, type, columns, rows, random));
        }

        void Vector(string name) => writer.AddTensor(name, TensorType.F32, [Hidden], MemoryMarshal.AsBytes(Enumerable.Repeat(1f, Hidden).ToArray().AsSpan()).ToArray());
        var keyValue = Hidden / Heads * KeyValueHeads;
        Matrix("token_embd.weight", Hidden, Vocab, head: Tied);
        Vector("output_norm.weight");
        if (!Tied)
            Matrix("output.weight", Hidden, Vocab, head: true);
        for (var layer = 0; layer < Layers; layer++)
        {
            // The rule of the usual mixture: the first and last eighth of the layers, and every third between.
            var more = layer < Layers / 8 || layer >= 7 * Layers / 8 || (layer - (Layers / 8)) % 3 == 2;
            Vector($"blk.{layer}.attn_norm.weight");
            Matrix($"blk.{layer}.attn_q.weight", Hidden, Hidden);
            Matrix($"blk.{layer}.attn_k.weight", Hidden, keyValue);
            Matrix($"blk.{layer}.attn_v.weight", Hidden, keyValue, more);
            Matrix($"blk.{layer}.attn_output.weight", Hidden, Hidden);
            Vector($"blk.{layer}.ffn_norm.weight");
            Matrix($"blk.{layer}.ffn_gate.weight", Hidden, FeedForward);
            Matrix($"blk.{layer}.ffn_up.weight", Hidden, FeedForward);
            Matrix($"blk.{layer}.ffn_down.weight", FeedForward, Hidden, more);
        }

        writer.Write(path);
        return path;
    }

    /// <summary>
    /// As published files have it: the head in Q6_K; Q4_K_M is Q4_K and, where it matters, Q6_K; rows that are no multiple
    /// of 256 take Q5_0 and Q8_0 instead of these.
    /// </summary>
    private static TensorType TypeOf(string recipe, int columns, bool important, bool head)
    {
        var whole = columns % 256 == 0;
        var mixture = recipe == "Q4_K_M";
        if ((mixture && important) || (head && (mixture || recipe.StartsWith("Q4_", StringComparison.Ordinal))))
            return whole ? TensorType.Q6_K : TensorType.Q8_0;
        return !mixture ? Enum.Parse<TensorType>(recipe) : whole ? TensorType.Q4_K : TensorType.Q5_0;
    }

    /// <summary>A vocabulary of made-up pieces: the peer does not load a model without one.</summary>
    internal static void AddTokenizer(GgufWriter writer, int vocab)
    {
        string Piece(int i) => i switch
        {
            0 => "<unk>",
            1 => "<s>",
            2 => "</s>",
            < 259 => $"<0x{i - 3:X2}>",
            _ => $"t{i}",
        };
        writer.Add("tokenizer.ggml.model", "llama");
        writer.Add("tokenizer.ggml.tokens", Enumerable.Range(0, vocab).Select(Piece).ToArray());
        writer.Add("tokenizer.ggml.scores", Enumerable.Range(0, vocab).Select(i => (float)-i).ToArray());
        writer.Add("tokenizer.ggml.token_type", Enumerable.Range(0, vocab).Select(i => i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1).ToArray());
        writer.Add("tokenizer.ggml.unknown_token_id", 0u);
        writer.Add("tokenizer.ggml.bos_token_id", 1u);
        writer.Add("tokenizer.ggml.eos_token_id", 2u);
    }

    internal static void WriteNoise(Stream stream, TensorType type, int columns, int rows, Random random)
    {
        var block = TensorTypes.BlockBytes(type);
        var row = new byte[TensorTypes.RowBytes(type, columns)];
        for (var r = 0; r < rows; r++)
        {
            random.NextBytes(row);
            for (var at = 0; at < row.Length; at += block)
                SetScales(type, row.AsSpan(at, block), random);
            stream.Write(row);
        }
    }

    /// <summary>Scales that make weights of about ±0.02; the codes stay noise.</summary>
    private static void SetScales(TensorType type, Span<byte> block, Random random)
    {
        void Half(Span<byte> at, float value) => BinaryPrimitives.WriteHalfLittleEndian(at, (Half)value);
        switch (type)
        {
            case TensorType.F32:
                BinaryPrimitives.WriteSingleLittleEndian(block, 0.08f * (random.NextSingle() - 0.5f));
                break;
            case TensorType.F16:
                Half(block, 0.08f * (random.NextSingle() - 0.5f));
                break;
            case TensorType.BF16:
                BinaryPrimitives.WriteUInt16LittleEndian(block, (ushort)(BitConverter.SingleToInt32Bits(0.08f * (random.NextSingle() - 0.5f)) >> 16));
                break;
            case TensorType.Q8_0:
                Half(block, 0.0003f);
                break;
            case TensorType.Q4_0 or TensorType.IQ4_NL:
                Half(block, type == TensorType.Q4_0 ? 0.004f : 0.0003f);
                break;
            case TensorType.Q5_0:
                Half(block, 0.002f);
                break;
            case TensorType.Q4_1 or TensorType.Q5_1:
                Half(block, 0.004f);
                Half(block[2..], -0.03f);
                break;
            case TensorType.Q4_K or TensorType.Q5_K:
                Half(block, 0.0001f);
                Half(block[2..], 0.0008f);
                break;
            case TensorType.Q6_K:
                Half(block[208..], 0.00002f);
                break;
            case TensorType.Q3_K:
                Half(block[108..], 0.0003f);
                break;
            case TensorType.Q2_K:
                Half(block[80..], 0.002f);
                Half(block[82..], 0.003f);
                break;
            default:
                throw new NotSupportedException($"{type} has no noise here.");
        }
    }
}
