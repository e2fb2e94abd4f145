using System.Text.Json;
using Slm.Engine.Formats;

namespace Slm.Integration;

/// <summary>A model of <c>tests/data/gguf</c> with its recorded outputs.</summary>
internal sealed record ReferenceModel(int[] Tokens, int[] Greedy, IReadOnlyList<(string Text, int[] Ids)> Tokenize, int VocabSize)
{
    /// <summary>Name of the model <see cref="WriteTall"/> writes.</summary>
    public const string Tall = "tall";

    /// <summary>Name of an encoder of random numbers.</summary>
    public const string Bert = "tiny-bert";

    /// <summary>Its context: long enough that a generation does not end by itself during a test.</summary>
    public const int TallContext = 32_768;

    /// <summary>Its layers.</summary>
    public const int TallLayers = 6;

    private const string Origin = "qwen3-f32";

    public static string Folder { get; } = Path.Combine(Checkout.Root, "tests", "data", "gguf");

    public static string PathOf(string name) => Path.Combine(Folder, $"{name}.gguf");

    public static ReferenceModel Read(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, $"{name}.json")));
        var root = document.RootElement;
        return new ReferenceModel(
            Ints(root.GetProperty("tokens")), Ints(root.GetProperty("greedy")),
            [.. root.GetProperty("tokenize").EnumerateArray().Select(t => (t.GetProperty("text").GetString()!, Ints(t.GetProperty("ids"))))],
            root.GetProperty("vocab_size").GetInt32());
    }

    /// <summary>A model of six layers, which none of the reference models has: the layers of one of them, twice, with a long context.</summary>
    public static void WriteTall(string path)
    {
        using var file = GgufFile.Open(PathOf(Origin));
        var writer = new GgufWriter();
        foreach (var (key, value) in file.Metadata)
        {
            writer.Add(key, key switch
            {
                "qwen3.block_count" => (uint)TallLayers,
                "qwen3.context_length" => (uint)TallContext,
                _ => value,
            });
        }
        var layers = Convert.ToInt32(file.Metadata["qwen3.block_count"], System.Globalization.CultureInfo.InvariantCulture);
        foreach (var tensor in file.Tensors)
        {
            var data = file.Bytes(tensor).ToArray();
            var parts = tensor.Name.Split('.', 3);
            if (parts[0] != "blk")
            {
                writer.AddTensor(tensor.Name, tensor.Type, tensor.Shape, data);
                continue;
            }
            for (var layer = int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture); layer < TallLayers; layer += layers)
                writer.AddTensor($"blk.{layer}.{parts[2]}", tensor.Type, tensor.Shape, data);
        }
        writer.Write(path);
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];
}
