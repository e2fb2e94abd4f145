using System.Runtime.InteropServices;
using Slm.Engine.Formats;

namespace Slm.Integration;

/// <summary>A LoRA adapter of random numbers.</summary>
internal static class RandomAdapter
{
    /// <summary>Writes one that changes every matrix of a model's layers.</summary>
    public static void Write(string path, string modelPath, int seed, string? architecture = null)
    {
        const int Rank = 4;
        using var model = GgufFile.Open(modelPath);
        var random = new Random(seed);
        var writer = new GgufWriter();
        writer.Add("general.type", "adapter");
        writer.Add("general.architecture", architecture ?? model.Metadata["general.architecture"]);
        writer.Add("adapter.type", "lora");
        writer.Add("adapter.lora.alpha", 40f);
        void Add(string name, long columns, long rows)
        {
            var values = Enumerable.Range(0, (int)(columns * rows)).Select(_ => (random.NextSingle() - 0.5f) * 0.2f).ToArray();
            writer.AddTensor(name, TensorType.F32, [columns, rows], MemoryMarshal.AsBytes<float>(values).ToArray());
        }

        foreach (var tensor in model.Tensors.Where(t => t.Shape.Count == 2 && t.Name.StartsWith("blk.", StringComparison.Ordinal)))
        {
            Add(tensor.Name + ".lora_a", tensor.Shape[0], Rank);
            Add(tensor.Name + ".lora_b", Rank, tensor.Shape[1]);
        }

        writer.Write(path);
    }
}
