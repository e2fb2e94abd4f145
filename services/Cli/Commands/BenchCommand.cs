using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Models;
using Slm.Engine.Scheduling;
using Spectre.Console;

namespace Slm.Cli.Commands;

/// <summary><c>slm bench</c>: how fast a model loads, reads a prompt and writes, in this process.</summary>
internal static class BenchCommand
{
    /// <summary>Tokens of the warm-up: enough for the hot code to be compiled.</summary>
    private const int WarmUpTokens = 32;

    private sealed record Figures(double LoadMs, double PrefillTokensPerSecond, double DecodeTokensPerSecond, double PeakRssMib, ExpertFigures? Experts);

    private sealed record ExpertFigures(double HitRate, double ReadMbPerStep, double StallMsPerStep, string Reading);

    public static Command Create()
    {
        var model = CommonOptions.Model();
        var prompt = CommonOptions.Positive("--prompt-tokens", "Tokens of each prompt; default 512.", 1 << 24);
        var generate = CommonOptions.Positive("--gen-tokens", "Tokens to generate per sequence; default 128.", 1 << 24);
        var sequences = CommonOptions.Positive("--sequences", "Sequences at a time; default 1.", 4096);
        var (threads, stages, kvType, json) = (CommonOptions.Threads(), CommonOptions.Stages(), CommonOptions.KvType(), CommonOptions.Json());
        var experts = CommonOptions.ExpertMemory();
        var command = new Command("bench", "Measures load time, prompt and generation speed, and memory, with random tokens.")
        {
            model, prompt, generate, sequences, threads, stages, kvType, experts, json,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            var (p, g, s) = (result.GetValue(prompt) ?? 512, result.GetValue(generate) ?? 128, result.GetValue(sequences) ?? 1);
            var path = ModelArgument.ResolveGguf(result.GetRequiredValue(model));
            var figures = await MeasureAsync(path, p, g, s, result.GetValue(threads), result.GetValue(stages), result.GetValue(kvType), result.GetValue(experts), cancellationToken);
            if (result.GetValue(json))
                WriteJson(figures);
            else
                WriteTable(path, p, g, s, result.GetValue(threads) ?? Environment.ProcessorCount, figures);
            return 0;
        });
        return command;
    }

    private static async Task<Figures> MeasureAsync(string path, int prompt, int generate, int sequences, int? threads, int? stages, KvType? kvType, long? experts, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        using var file = ModelFile.Open(path);
        var config = file.Config;
        ModelTaskException.RequireDecoder(config);
        var length = (long)prompt + generate;
        if (length > config.ContextLength)
            throw new CliException($"--prompt-tokens and --gen-tokens: {prompt} + {generate} tokens are more than the context of {config.ContextLength}. Give fewer.");
        var lengths = Enumerable.Repeat((int)length, sequences).ToArray();
        await using var pipeline = LocalPipeline.Load(file, PipelineSizes.For(config, lengths, threads, stages, kvType) with
        {
            MaxStepTokens = Math.Max(512, sequences),
            ExpertMemory = experts,
        });
        var load = clock.Elapsed.TotalMilliseconds;
        await pipeline.Settled;

        var run = new Run(pipeline, config, sequences, (int)length);
        var warmUp = Math.Min(prompt, WarmUpTokens);
        await run.PrefillAsync(warmUp, cancellationToken);
        await run.DecodeAsync(Math.Min(generate, WarmUpTokens), cancellationToken);

        run.Restart();
        clock.Restart();
        await run.PrefillAsync(prompt, cancellationToken);
        var prefill = clock.Elapsed.TotalSeconds;
        clock.Restart();
        var before = pipeline.Stages.Select(stage => stage.Experts).ToArray();
        clock.Restart();
        await run.DecodeAsync(generate, cancellationToken);
        var decode = clock.Elapsed.TotalSeconds;
        return new Figures(load, (long)prompt * sequences / prefill, (long)generate * sequences / decode, PeakRssMib(), Experts(before, [.. pipeline.Stages.Select(stage => stage.Experts)], generate));
    }

    /// <summary>What the steps between two states of the experts' caches have done; null if all experts are in memory.</summary>
    private static ExpertFigures? Experts(ExpertCacheStats?[] before, ExpertCacheStats?[] after, int steps)
    {
        if (after.FirstOrDefault(stats => stats is not null) is not { } first)
            return null;
        double Grown(Func<ExpertCacheStats, double> value) => after.Sum(stats => stats is null ? 0 : value(stats)) - before.Sum(stats => stats is null ? 0 : value(stats));
        var (hits, misses) = (Grown(s => s.Hits), Grown(s => s.Misses));
        return new ExpertFigures(hits / Math.Max(1, hits + misses), Grown(s => s.BytesRead) / 1e6 / steps, Grown(s => s.Stalled.TotalMilliseconds) / steps, first.Reading);
    }

    /// <summary>Steps over all sequences together, tokens from a fixed sequence of pseudo-random ids.</summary>
    private sealed class Run(LocalPipeline pipeline, ModelConfig config, int sequences, int length)
    {
        private readonly StepBatch _batch = new();
        private readonly int[][] _blocks = Tables(pipeline.BlockSize, sequences, length);
        private readonly int[] _tokens = Random(config.VocabSize, length);
        private readonly int[] _next = new int[sequences];
        private int _position;

        public void Restart() => _position = 0;

        /// <summary>Feeds the first <paramref name="tokens"/> of every sequence, in steps as large as the pipeline takes.</summary>
        public async Task PrefillAsync(int tokens, CancellationToken cancellationToken)
        {
            var limit = pipeline.MaxStepTokens;
            _batch.Clear();
            for (var s = 0; s < sequences; s++)
            {
                for (var start = 0; start < tokens;)
                {
                    var count = Math.Min(tokens - start, limit - _batch.TokenCount);
                    _batch.Add(_tokens.AsSpan(start, count), start, Table(s, start + count), start + count == tokens ? 1 : 0, Slot(s));
                    start += count;
                    if (_batch.TokenCount == limit)
                        await StepAsync(cancellationToken);
                }
            }
            if (_batch.TokenCount > 0)
                await StepAsync(cancellationToken);
            _position = tokens;
        }

        /// <summary>One token of every sequence a step, each the most probable one.</summary>
        public async Task DecodeAsync(int tokens, CancellationToken cancellationToken)
        {
            for (var i = 0; i < tokens; i++, _position++)
            {
                _batch.Clear();
                for (var s = 0; s < sequences; s++)
                    _batch.Add(_next.AsSpan(s, 1), _position, Table(s, _position + 1), 1, Slot(s));
                var rows = await pipeline.ForwardAsync(_batch, StepOutput.Logits, cancellationToken);
                for (var s = 0; s < sequences; s++)
                    _next[s] = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(rows.Span.Slice(s * config.VocabSize, config.VocabSize));
            }
        }

        private async Task StepAsync(CancellationToken cancellationToken)
        {
            await pipeline.ForwardAsync(_batch, StepOutput.Logits, cancellationToken);
            _batch.Clear();
        }

        private int Slot(int sequence) => pipeline.StateSlots > 0 ? sequence : -1;

        private ReadOnlySpan<int> Table(int sequence, int tokens) => _blocks[sequence].AsSpan(0, PipelineSizes.BlocksOf(tokens, pipeline.BlockSize));

        private static int[][] Tables(int blockSize, int sequences, int length)
        {
            var per = PipelineSizes.BlocksOf(length, blockSize);
            return [.. Enumerable.Range(0, sequences).Select(s => Enumerable.Range(s * per, per).ToArray())];
        }

        private static int[] Random(int vocabulary, int count)
        {
            var state = 12345u;
            var ids = new int[count];
            for (var i = 0; i < count; i++)
            {
                state = (state * 1664525) + 1013904223;
                ids[i] = (int)((ulong)state * (ulong)vocabulary >> 32);
            }
            return ids;
        }
    }

    private static double PeakRssMib()
    {
        if (OperatingSystem.IsLinux())
        {
            foreach (var line in File.ReadLines("/proc/self/status"))
            {
                if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
                    return double.Parse(line.AsSpan(6).Trim().TrimEnd("kB").Trim(), NumberStyles.None, CultureInfo.InvariantCulture) / 1024;
            }
        }
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / (double)(1 << 20);
    }

    private static void WriteJson(Figures figures) => JsonOutput.Write(json =>
    {
        json.WriteStartObject();
        json.WriteNumber("load_ms", Math.Round(figures.LoadMs, 2));
        json.WriteNumber("prefill_tokens_per_s", Math.Round(figures.PrefillTokensPerSecond, 2));
        json.WriteNumber("decode_tokens_per_s", Math.Round(figures.DecodeTokensPerSecond, 2));
        json.WriteNumber("peak_rss_mib", Math.Round(figures.PeakRssMib, 1));
        if (figures.Experts is { } experts)
        {
            json.WriteNumber("expert_hit_rate", Math.Round(experts.HitRate, 4));
            json.WriteNumber("expert_read_mb_per_step", Math.Round(experts.ReadMbPerStep, 3));
            json.WriteNumber("expert_stall_ms_per_step", Math.Round(experts.StallMsPerStep, 3));
            json.WriteString("expert_reading", experts.Reading);
        }

        json.WriteEndObject();
    });

    private static void WriteTable(string path, int prompt, int generate, int sequences, int threads, Figures figures)
    {
        string N(double value, string format = "N1") => value.ToString(format, CultureInfo.InvariantCulture);
        AnsiConsole.WriteLine($"{Path.GetFileName(path)}, {sequences} × ({prompt} + {generate}) tokens, {threads} threads");
        var table = new Table().AddColumn("measure").AddColumn(new TableColumn("value").RightAligned()).AddColumn("unit");
        table.AddRow("load", N(figures.LoadMs), "ms");
        table.AddRow("prefill", N(figures.PrefillTokensPerSecond), "tokens/s");
        table.AddRow("decode", N(figures.DecodeTokensPerSecond), "tokens/s");
        table.AddRow("decode per sequence", N(figures.DecodeTokensPerSecond / sequences), "tokens/s");
        table.AddRow("peak memory", N(figures.PeakRssMib), "MiB");
        if (figures.Experts is { } experts)
        {
            table.AddRow("experts found in memory", N(100 * experts.HitRate), "%");
            table.AddRow("experts read", N(experts.ReadMbPerStep), "MB/step");
            table.AddRow("waiting for them", N(experts.StallMsPerStep), "ms/step");
        }

        AnsiConsole.Write(table);
        if (figures.Experts is not null)
            AnsiConsole.WriteLine($"experts: {figures.Experts.Reading}");
    }
}
