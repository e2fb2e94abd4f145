using System.Runtime.InteropServices;
using Slm.Engine.Formats;
using Slm.Engine.Quantization;
using Slm.Engine.Tests.Formats;

namespace Slm.Engine.Tests.Adapters;

/// <summary>Adapters of random numbers for the reference models, and the models that they make when they are merged.</summary>
internal static class LoraFiles
{
    /// <summary>Elements of a tensor as F32.</summary>
    public static unsafe float[] Floats(ModelSource file, TensorInfo tensor)
    {
        var values = new float[tensor.Elements];
        fixed (float* target = values)
        {
            var rowBytes = TensorTypes.RowBytes(tensor.Type, tensor.Columns);
            for (long row = 0; row < tensor.Rows; row++)
                RowDequantizer.Dequantize(tensor.Type, file.Pointer(tensor) + (row * rowBytes), target + (row * tensor.Columns), (int)tensor.Columns);
        }

        return values;
    }

    /// <summary>Names of all matrices that products or embeddings use; with an own head for a model whose head is the embedding.</summary>
    public static IReadOnlyList<string> Matrices(ModelSource file)
    {
        var names = file.Tensors.Where(t => t.Shape.Count > 1 && t.Name.EndsWith(".weight", StringComparison.Ordinal) && !t.Name.Contains("conv1d", StringComparison.Ordinal) && !t.Name.Contains("norm", StringComparison.Ordinal)).Select(t => t.Name).ToList();
        if (!names.Contains("output.weight"))
            names.Add("output.weight");
        return names;
    }

    /// <summary>Random pairs for some tensors.</summary>
    public static List<LoraNumbers> Random(ModelSource file, IEnumerable<string> tensors, int rank, int seed, float size = 0.1f)
    {
        var random = new Random(seed);
        return [.. tensors.Select(name =>
        {
            var shape = (file.TryGetTensor(name, out var tensor) ? tensor : file.Tensors.Single(t => t.Name == "token_embd.weight")).Shape;
            var experts = shape.Count > 2 ? (int)shape[2] : 1;
            float[] Numbers(long count) => [.. Enumerable.Range(0, (int)count).Select(_ => ((random.NextSingle() * 2) - 1) * size)];
            return new LoraNumbers(name, rank, (int)shape[0], (int)shape[1], experts, Numbers(rank * shape[0] * experts), Numbers(rank * shape[1] * experts));
        })];
    }

    /// <summary>Writes an adapter.</summary>
    public static TemporaryFile Write(string architecture, IEnumerable<LoraNumbers> pairs, float? alpha, Action<GgufWriter>? more = null, string? type = "lora")
    {
        var writer = new GgufWriter();
        writer.Add("general.type", "adapter");
        writer.Add("general.architecture", architecture);
        if (type is not null)
            writer.Add("adapter.type", type);
        if (alpha is not null)
            writer.Add("adapter.lora.alpha", alpha.Value);
        more?.Invoke(writer);
        foreach (var pair in pairs)
        {
            long[] third = pair.Experts == 1 ? [] : [pair.Experts];
            if (pair.Tensor == "token_embd.weight")
            {
                // Rows are looked up: a row of the factor for each of them.
                Add(writer, pair.Tensor + ".lora_a", [pair.Rank, pair.Rows], pair.B);
                Add(writer, pair.Tensor + ".lora_b", [pair.Rank, pair.Columns], [.. Enumerable.Range(0, pair.Columns * pair.Rank).Select(i => pair.A[(i % pair.Rank * pair.Columns) + (i / pair.Rank)])]);
                continue;
            }

            Add(writer, pair.Tensor + ".lora_a", [pair.Columns, pair.Rank, .. third], pair.A);
            Add(writer, pair.Tensor + ".lora_b", [pair.Rank, pair.Rows, .. third], pair.B);
        }

        var file = new TemporaryFile();
        writer.Write(file.Path);
        return file;
    }

    /// <summary>The model in F32 with W + scale · B·A in place of W, summed in double.</summary>
    public static TemporaryFile Merge(ModelSource file, IReadOnlyList<LoraNumbers> pairs, float alpha)
    {
        var writer = new GgufWriter();
        foreach (var (key, value) in file.Metadata)
            writer.Add(key, value);
        foreach (var tensor in file.Tensors)
            Add(writer, tensor.Name, tensor.Shape, Merged(Floats(file, tensor), pairs.SingleOrDefault(p => p.Tensor == tensor.Name), alpha));
        if (!file.TryGetTensor("output.weight", out _))
        {
            var embedding = file.Tensors.Single(t => t.Name == "token_embd.weight");
            Add(writer, "output.weight", embedding.Shape, Merged(Floats(file, embedding), pairs.SingleOrDefault(p => p.Tensor == "output.weight"), alpha));
        }

        var merged = new TemporaryFile();
        writer.Write(merged.Path);
        return merged;
    }

    public static void Add(GgufWriter writer, string name, IReadOnlyList<long> shape, float[] values) =>
        writer.AddTensor(name, TensorType.F32, shape, MemoryMarshal.AsBytes<float>(values).ToArray());

    private static float[] Merged(float[] weights, LoraNumbers? pair, float alpha)
    {
        if (pair is null)
            return weights;
        for (var e = 0; e < pair.Experts; e++)
        {
            for (var r = 0; r < pair.Rows; r++)
            {
                for (var c = 0; c < pair.Columns; c++)
                    weights[(((e * pair.Rows) + r) * pair.Columns) + c] += (float)((double)alpha / pair.Rank * pair.Product(e, r, c));
            }
        }

        return weights;
    }
}

/// <summary>The pair of one matrix [rows, columns] of each expert: A [experts, rank, columns], B [experts, rows, rank].</summary>
internal sealed record LoraNumbers(string Tensor, int Rank, int Columns, int Rows, int Experts, float[] A, float[] B)
{
    /// <summary>An element of B·A.</summary>
    public double Product(int expert, int row, int column)
    {
        var sum = 0.0;
        for (var j = 0; j < Rank; j++)
            sum += (double)B[(((expert * Rows) + row) * Rank) + j] * A[(((expert * Rank) + j) * Columns) + column];
        return sum;
    }
}
