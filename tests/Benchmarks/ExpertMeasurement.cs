using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Benchmarks;

/// <summary>Decodes with experts in memory or read from disk; its twin for the other engine is Peer/experts.mjs.</summary>
internal static class ExpertMeasurement
{
    private const int PromptTokens = 64;
    private const int Positions = 1024;

    /// <summary>Measures and prints one line of JSON.</summary>
    /// <param name="path">The model.</param>
    /// <param name="threads">Threads that compute.</param>
    /// <param name="memoryMib">Memory for experts in MiB; 0: all of them resident.</param>
    /// <param name="prefetch">Read experts while attention runs.</param>
    /// <param name="warmTokens">Tokens decoded before the clock starts, so that the cache is as it is in the long run.</param>
    /// <param name="tokens">Tokens decoded.</param>
    public static async Task<int> RunAsync(string path, int threads, int memoryMib, bool prefetch, int warmTokens, int tokens)
    {
        var clock = Stopwatch.StartNew();
        using var file = ModelFile.Open(path);
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions
        {
            Threads = threads,
            MaxStepTokens = PromptTokens,
            KvCacheBytes = CachePlan.BytesPerToken(file.Config, file.KvType) * Positions,
            ExpertMemory = memoryMib == 0 ? null : (long)memoryMib << 20,
            ExpertPrefetch = prefetch,
        });
        var values = new Dictionary<string, object> { ["load_ms"] = clock.Elapsed.TotalMilliseconds };
        await pipeline.Settled;
        var run = new Decoder(pipeline, file.Config.VocabSize);
        clock.Restart();
        await run.StepAsync(PromptTokens);
        values["prefill"] = PromptTokens / clock.Elapsed.TotalSeconds;
        for (var i = 0; i < warmTokens; i++)
            await run.StepAsync(1);
        var before = pipeline.Stages[0].Experts;
        clock.Restart();
        for (var i = 0; i < tokens; i++)
            await run.StepAsync(1);
        var seconds = clock.Elapsed.TotalSeconds;
        values["decode"] = tokens / seconds;
        values["ms_per_token"] = seconds / tokens * 1000;
        if (pipeline.Stages[0].Experts is { } after && before is not null)
        {
            var misses = after.Misses - before.Misses;
            values["slots"] = after.Slots;
            values["hit_rate"] = 1 - ((double)misses / (misses + after.Hits - before.Hits));
            values["read_mb_per_token"] = (after.BytesRead - before.BytesRead) / 1e6 / tokens;
            values["stall_ms_per_token"] = (after.Stalled - before.Stalled).TotalMilliseconds / tokens;
            values["reading"] = after.Reading;
            values["policy"] = after.Policy;
        }

        values["rss_mib"] = EngineMeasurement.PeakRssMib();
        Console.WriteLine(JsonSerializer.Serialize(values));
        return 0;
    }

    private sealed class Decoder(LocalPipeline pipeline, int vocabulary)
    {
        private readonly StepBatch _batch = new();
        private readonly int[] _blocks = [.. Enumerable.Range(0, Positions / pipeline.BlockSize)];
        private int _position;

        /// <summary>The next tokens; at the end of the context it starts again.</summary>
        public async Task StepAsync(int count)
        {
            if (_position + count > Positions)
                _position = 0;
            _batch.Clear();
            _batch.Add(
                [.. Enumerable.Range(_position, count).Select(i => (int)(i * 7919L % vocabulary))], _position, _blocks.AsSpan(0, (_position + count + pipeline.BlockSize - 1) / pipeline.BlockSize), 1);
            _position += count;
            await pipeline.ForwardAsync(_batch, StepOutput.Logits, CancellationToken.None);
        }
    }
}
