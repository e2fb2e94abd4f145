using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Models;

namespace Slm.Benchmarks;

/// <summary>
/// What LoRA adapters of every matrix of the layers cost: the same steps in turns without any loaded, with some loaded that no
/// sequence uses, with one that all use, and with another one for each sequence. Ratios are to the first.
/// </summary>
internal static class AdapterMeasurement
{
    private const int Rounds = 7;
    private const int Adapters = 8;
    private const int DecodeSteps = 24;

    /// <summary>Measures a model with adapters of a rank.</summary>
    public static async Task<int> RunAsync(string path, int threads, int rank)
    {
        using var file = ModelFile.Open(path);
        await using var plain = Load(file, threads);
        await using var loaded = Load(file, threads);
        var adapterPath = Path.GetTempFileName();
        try
        {
            Write(adapterPath, file, rank);
            using var adapter = LoraAdapter.Open(adapterPath, file);
            for (var slot = 1; slot <= Adapters; slot++)
                await loaded.LoadAdapterAsync(slot, adapter, CancellationToken.None);
        }
        finally
        {
            File.Delete(adapterPath);
        }

        Console.WriteLine($"rank {rank}, {threads} threads      none loaded   none used     one used  one each");
        foreach (var (work, sequences, tokens) in new[] { ("decode 1", 1, 1), ("decode 8", 8, 1), ("prefill 512", 1, 512) })
        {
            var cases = new (LocalPipeline Pipeline, Func<int, int> Slot)[] { (plain, _ => 0), (loaded, _ => 0), (loaded, _ => 1), (loaded, s => s + 1) };
            var rates = cases.Select(_ => new List<double>()).ToArray();
            for (var round = 0; round <= Rounds; round++)
            {
                for (var c = 0; c < cases.Length; c++)
                {
                    var rate = await MeasureAsync(cases[c].Pipeline, sequences, tokens, cases[c].Slot);
                    if (round > 0)
                        rates[c].Add(rate);
                }
            }

            var medians = rates.Select(r => r.Order().ElementAt(r.Count / 2)).ToArray();
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{work,-12} {medians[0],13:F1} tok/s {medians[1] / medians[0],9:F3} {medians[2] / medians[0],11:F3} {medians[3] / medians[0],9:F3}"));
        }

        return 0;
    }

    private static LocalPipeline Load(ModelFile file, int threads) =>
        LocalPipeline.Load(file, new LocalPipelineOptions { Threads = threads, KvPositions = 2048 });

    private static async Task<double> MeasureAsync(LocalPipeline pipeline, int sequences, int tokens, Func<int, int> slot)
    {
        await pipeline.Settled;
        var batch = new StepBatch();
        var vocabulary = pipeline.Config.VocabSize;
        var each = pipeline.BlockCount / sequences;
        var steps = tokens == 1 ? DecodeSteps : 1;
        var start = Seconds();
        for (var step = 0; step < steps; step++)
        {
            batch.Clear();
            for (var s = 0; s < sequences; s++)
            {
                int[] ids = [.. Enumerable.Range(0, tokens).Select(t => (int)(((step + t + s) * 7919L) % vocabulary))];
                batch.Add(ids, step, [.. Enumerable.Range(s * each, ((step + tokens - 1) / pipeline.BlockSize) + 1)], 1, adapter: slot(s));
            }

            await pipeline.ForwardAsync(batch, StepOutput.Logits, CancellationToken.None);
        }

        return steps * sequences * tokens / (Seconds() - start);
    }

    /// <summary>Of the clock; with SLM_BENCH_CPU set of the processors, where other programs run as well.</summary>
    private static double Seconds() => Environment.GetEnvironmentVariable("SLM_BENCH_CPU") is { Length: > 0 }
        ? Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds
        : Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;

    private static void Write(string path, ModelFile file, int rank)
    {
        var random = new Random(1);
        var writer = new GgufWriter();
        writer.Add("general.type", "adapter");
        writer.Add("general.architecture", file.Config.Architecture);
        writer.Add("adapter.type", "lora");
        writer.Add("adapter.lora.alpha", (float)rank);
        void Add(string name, long columns, long rows)
        {
            var values = new float[columns * rows];
            for (var i = 0; i < values.Length; i++)
                values[i] = (random.NextSingle() - 0.5f) * 0.01f;
            writer.AddTensor(name, TensorType.F32, [columns, rows], MemoryMarshal.AsBytes<float>(values).ToArray());
        }

        foreach (var tensor in file.Source.Tensors.Where(t => t.Shape.Count == 2 && t.Name.StartsWith("blk.", StringComparison.Ordinal)))
        {
            Add(tensor.Name + ".lora_a", tensor.Shape[0], rank);
            Add(tensor.Name + ".lora_b", rank, tensor.Shape[1]);
        }

        writer.Write(path);
    }
}
