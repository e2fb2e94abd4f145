using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Slm.Engine.Formats;
using Slm.Engine.Quantization;

namespace Slm.Benchmarks;

/// <summary>
/// Quantizes the same tensors with this engine and with the peer's library, and compares what comes back: root mean square
/// errors, weighted ones where columns have importances, and the time. Library: libggml-base of the npm package node-llama-cpp.
/// </summary>
internal static unsafe class QuantizationComparison
{
    private static readonly TensorType[] Types = [.. RowQuantizer.Supported.Where(t => TensorTypes.BlockElements(t) > 1)];

    /// <summary>Prints ratios, ours over the peer's; returns 1 if any came out above 1.</summary>
    public static int Run(string library, string? model)
    {
        var peer = (delegate* unmanaged<int, float*, void*, long, long, long, float*, nuint>)NativeLibrary.GetExport(NativeLibrary.Load(library), "ggml_quantize_chunk");
        Console.WriteLine("| tensor | type | RMSE ours | RMSE peer | ratio | weighted ratio | time ratio |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        var worse = 0;
        foreach (var (name, rows, columns, data) in Tensors(model))
        {
            var importance = Importance(columns);
            foreach (var type in Types.Where(t => columns % TensorTypes.BlockElements(t) == 0))
            {
                var ours = new byte[rows * TensorTypes.RowBytes(type, columns)];
                var theirs = new byte[ours.Length];
                double Quantize(byte[] target, float[]? weights, bool own)
                {
                    var clock = Stopwatch.StartNew();
                    fixed (float* x = data, w = weights)
                    fixed (byte* stored = target)
                    {
                        if (!own)
                            _ = peer((int)type, x, stored, 0, rows, columns, w);
                        for (var row = 0; own && row < rows; row++)
                            RowQuantizer.Quantize(type, x + ((long)row * columns), w, stored + (row * TensorTypes.RowBytes(type, columns)), columns);
                    }

                    return clock.Elapsed.TotalSeconds;
                }

                var times = (Ours: Quantize(ours, null, true), Theirs: Quantize(theirs, null, false));
                var plain = (Ours: Error(type, ours, data, columns, null), Theirs: Error(type, theirs, data, columns, null));
                Quantize(ours, importance, true);
                Quantize(theirs, importance, false);
                var weighted = Error(type, ours, data, columns, importance) / Error(type, theirs, data, columns, importance);
                var ratio = plain.Ours / plain.Theirs;
                if (ratio > 1 || weighted > 1)
                    worse++;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"| {name} | {type} | {plain.Ours:G5} | {plain.Theirs:G5} | {ratio:F4} | {weighted:F4} | {times.Ours / times.Theirs:F1} |"));
            }
        }

        Console.WriteLine($"{worse} worse than the peer's.");
        return worse == 0 ? 0 : 1;
    }

    /// <summary>Root of the mean square error, weighted by column.</summary>
    private static double Error(TensorType type, byte[] stored, float[] data, int columns, float[]? importance)
    {
        var row = new float[columns];
        var (sum, weights) = (0.0, 0.0);
        for (var r = 0; r < data.Length / columns; r++)
        {
            fixed (byte* source = stored)
            fixed (float* target = row)
                RowDequantizer.Dequantize(type, source + (r * TensorTypes.RowBytes(type, columns)), target, columns);
            for (var c = 0; c < columns; c++)
            {
                var difference = (double)row[c] - data[(r * columns) + c];
                var w = importance?[c] ?? 1;
                sum += w * difference * difference;
                weights += w;
            }
        }

        return Math.Sqrt(sum / weights);
    }

    /// <summary>Squares of activations as they are in models: spread over some decades.</summary>
    private static float[] Importance(int columns)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, columns).Select(_ => (float)Math.Exp(1.5 * Normal(random)))];
    }

    private static IEnumerable<(string Name, int Rows, int Columns, float[] Data)> Tensors(string? model)
    {
        const int Rows = 256;
        const int Columns = 1024;
        var random = new Random(11);
        yield return ("normal", Rows, Columns, [.. Enumerable.Range(0, Rows * Columns).Select(_ => (float)(0.02 * Normal(random)))]);
        yield return ("heavy-tailed", Rows, Columns, [.. Enumerable.Range(0, Rows * Columns).Select(_ => (float)(0.02 * Normal(random) / Math.Sqrt(Enumerable.Range(0, 4).Sum(_ => Math.Pow(Normal(random), 2)) / 4)))]);
        yield return ("uniform above zero", Rows, Columns, [.. Enumerable.Range(0, Rows * Columns).Select(_ => random.NextSingle())]);
        if (model is null)
            yield break;
        using var file = GgufFile.Open(model);
        foreach (var tensor in file.Tensors.Where(t => t.Shape.Count == 2 && t.Columns % 32 == 0 && TensorTypes.BlockElements(t.Type) == 1).Take(9))
        {
            yield return (tensor.Name, (int)tensor.Rows, (int)tensor.Columns, Read(file, tensor));
        }
    }

    private static float[] Read(GgufFile file, TensorInfo tensor)
    {
        var data = new float[tensor.Elements];
        fixed (float* target = data)
            RowDequantizer.Dequantize(tensor.Type, file.Pointer(tensor), target, data.Length);
        return data;
    }

    private static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
