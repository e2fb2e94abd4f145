using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Tokenization;

namespace Slm.Benchmarks;

/// <summary>
/// One round of the comparison, in a process of its own: load, prefill of 512 tokens, decode behind nothing and behind 512
/// tokens, eight sequences decoded together. Its twin for the other engine is Peer/peer.mjs.
/// </summary>
internal static class EngineMeasurement
{
    private const int PromptTokens = 512;
    private const int Sequences = 8;

    /// <summary>Measures a model and prints one line of JSON.</summary>
    public static async Task<int> RunAsync(string path, int threads, int decodeTokens, int longContext)
    {
        var clock = Stopwatch.StartNew();
        using var file = ModelFile.Open(path);
        // The peer reads it while it loads.
        _ = TokenizerLoader.FromGguf(file.Source.Metadata);
        var context = Math.Max(PromptTokens + decodeTokens + 8, longContext + decodeTokens + 8);
        var positions = Math.Max(context + 64, Sequences * (decodeTokens + 64));
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions
        {
            Threads = threads,
            KvType = KvTypeOf(),
            KvPositions = positions,
        });
        var load = clock.Elapsed.TotalMilliseconds;
        var run = new Run(pipeline, file.Config.VocabSize, positions);
        await run.DecodeAsync(1, 0, 1);
        var first = clock.Elapsed.TotalMilliseconds;
        await run.PrefillAsync(PromptTokens);
        var prompt = clock.Elapsed.TotalMilliseconds;
        await pipeline.Settled;
        var settled = clock.Elapsed.TotalMilliseconds;
        await run.PrefillAsync(64);
        for (var i = 0; i < 8; i++)
            await run.DecodeAsync(1, 64 + i, 2);

        clock.Restart();
        var prompts = Math.Max(1, decodeTokens / 16);
        for (var i = 0; i < prompts; i++)
            await run.PrefillAsync(PromptTokens);
        var prefill = prompts * PromptTokens / clock.Elapsed.TotalSeconds;
        clock.Restart();
        await run.DecodeAsync(1, PromptTokens, decodeTokens);
        var after = decodeTokens / clock.Elapsed.TotalSeconds;
        clock.Restart();
        await run.DecodeAsync(1, 0, decodeTokens);
        var empty = decodeTokens / clock.Elapsed.TotalSeconds;
        var rss = PeakRssMib();
        await run.DecodeAsync(Sequences, 0, 2);
        clock.Restart();
        await run.DecodeAsync(Sequences, 0, decodeTokens / 2);
        var eight = Sequences * (decodeTokens / 2) / clock.Elapsed.TotalSeconds;
        var values = new Dictionary<string, double>
        {
            ["load_ms"] = load,
            ["first_ms"] = first,
            ["prompt_ms"] = prompt,
            ["settled_ms"] = settled,
            ["prefill_512"] = prefill,
            ["decode_empty"] = empty,
            ["decode_512"] = after,
            ["decode_8"] = eight,
            ["rss_mib"] = rss,
            ["read_mib"] = BytesPerToken(file) / (double)(1 << 20),
        };
        if (longContext > 0)
        {
            for (var start = 0; start < longContext; start += PromptTokens)
                await run.PrefillAsync(PromptTokens, start);
            clock.Restart();
            await run.DecodeAsync(1, longContext, decodeTokens);
            values["decode_long"] = decodeTokens / clock.Elapsed.TotalSeconds;
        }

        Console.WriteLine(JsonSerializer.Serialize(values));
        return 0;
    }

    /// <summary>Repeats one kind of work for some seconds, for a profiler; prints tokens per second.</summary>
    public static async Task<int> ProfileAsync(string path, int threads, string work, int seconds)
    {
        using var file = ModelFile.Open(path);
        const int Positions = 8 * 1024;
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions
        {
            Threads = threads,
            KvType = KvTypeOf(),
            KvPositions = Positions,
        });
        await pipeline.Settled;
        var run = new Run(pipeline, file.Config.VocabSize, Positions);
        for (var start = 0; start < (work == "long" ? Positions / 2 : PromptTokens); start += PromptTokens)
            await run.PrefillAsync(PromptTokens, start);
        var rates = new List<double>();
        for (var all = Stopwatch.StartNew(); all.Elapsed.TotalSeconds < seconds;)
        {
            var clock = Stopwatch.StartNew();
            var tokens = PromptTokens;
            switch (work)
            {
                case "prefill":
                    await run.PrefillAsync(PromptTokens);
                    break;
                case "decode":
                    await run.DecodeAsync(1, 0, tokens = 16);
                    break;
                case "after":
                    await run.DecodeAsync(1, PromptTokens, tokens = 16);
                    break;
                case "long":
                    await run.DecodeAsync(1, Positions / 2, tokens = 16);
                    break;
                case "eight":
                    await run.DecodeAsync(Sequences, 0, 16);
                    tokens = 16 * Sequences;
                    break;
                default:
                    throw new ArgumentException($"'{work}' is none of prefill, decode, after, long, eight.");
            }

            rates.Add(tokens / clock.Elapsed.TotalSeconds);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(path)} {work}: best {rates.Max():F1}, median {rates.Order().ElementAt(rates.Count / 2):F1}, first {string.Join(" ", rates.Take(6).Select(r => r.ToString("F0", CultureInfo.InvariantCulture)))} tokens/s"));
        return 0;
    }

    /// <summary>From the environment, to compare them.</summary>
    private static KvType? KvTypeOf() => Environment.GetEnvironmentVariable("SLM_BENCH_KV") is { Length: > 0 } name ? Enum.Parse<KvType>(name, ignoreCase: true) : null;

    /// <summary>Bytes of weights that a token of decode reads: all but a separate embedding.</summary>
    private static long BytesPerToken(ModelFile file)
    {
        var all = file.Source.Tensors.Sum(t => t.ByteLength);
        return file.Source.TryGetTensor("output.weight", out _) && file.Source.TryGetTensor("token_embd.weight", out var embedding) ? all - embedding!.ByteLength : all;
    }

    internal static double PeakRssMib()
    {
        foreach (var line in File.ReadLines("/proc/self/status"))
        {
            if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
                return double.Parse(line.AsSpan(6).Trim().TrimEnd("kB").Trim(), NumberStyles.None, CultureInfo.InvariantCulture) / 1024;
        }

        return double.NaN;
    }

    private sealed class Run(LocalPipeline pipeline, int vocabulary, int positions)
    {
        private readonly StepBatch _batch = new();
        private readonly int[] _tokens = [.. Enumerable.Range(0, positions).Select(i => (int)(i * 7919L % vocabulary))];
        private readonly int[] _blocks = [.. Enumerable.Range(0, positions / pipeline.BlockSize)];

        public async Task PrefillAsync(int tokens, int start = 0)
        {
            _batch.Clear();
            _batch.Add(_tokens.AsSpan(start, tokens), start, Table(0, 1, start + tokens), 1);
            await pipeline.ForwardAsync(_batch, StepOutput.Logits, CancellationToken.None);
        }

        public async Task DecodeAsync(int sequences, int start, int tokens)
        {
            for (var i = 0; i < tokens; i++)
            {
                _batch.Clear();
                for (var s = 0; s < sequences; s++)
                    _batch.Add(_tokens.AsSpan(start + i + s, 1), start + i, Table(s, sequences, start + i + 1), 1);
                await pipeline.ForwardAsync(_batch, StepOutput.Logits, CancellationToken.None);
            }
        }

        private ReadOnlySpan<int> Table(int sequence, int sequences, int tokens) =>
            _blocks.AsSpan(sequence * (_blocks.Length / sequences), (tokens + pipeline.BlockSize - 1) / pipeline.BlockSize);
    }
}
