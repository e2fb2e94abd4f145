using System.Globalization;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Engine.Threading;
using Slm.Runtime;
using Slm.Tokenization;

namespace Slm.Benchmarks;

/// <summary>
/// Decoding speed with and without speculation, in turns, on a text that repeats itself and on one that does not. The
/// tokens must be the same in each case, which is checked. A model of noise has no texts: there the greedy answer falls
/// into a loop, which is the repetitive task, and a sampled one is free.
/// </summary>
internal static class SpeculationMeasurement
{
    private const int Rounds = 5;
    private const int Tokens = 128;

    private const string Story =
        "Once upon a time there was a little girl named Lily. She had a red ball and a small dog. One day the ball rolled into the pond. " +
        "The dog jumped into the water and brought the ball back to Lily. Lily was happy and gave the dog a hug. ";

    private sealed record Measured(double Speed, int[] Tokens, GenerationTimings Timings);

    /// <summary>Measures a model; with <paramref name="draftPath"/> also with that as the draft model.</summary>
    public static async Task<int> RunAsync(string path, string? draftPath)
    {
        using var file = ModelFile.Open(path);
        using var draftFile = draftPath is null ? null : ModelFile.Open(draftPath);
        using var workers = new WorkerPool(Environment.ProcessorCount);
        var options = new LocalPipelineOptions { Workers = workers, ContextLength = Math.Min(1024, file.Config.ContextLength) };
        await using var pipeline = LocalPipeline.Load(file, options);
        await using var draft = draftFile is null ? null : TextModel.LoadDraft(file, draftFile, options);
        await pipeline.Settled;
        if (draft is not null)
            await draft.Settled;
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System, draft);
        var opening = Opening(file);
        int[] twice = [.. opening, .. opening, .. opening[..(opening.Length / 4)]];
        var start = opening[..(opening.Length / 4)];
        SpeculationKind[] kinds = draft is null ? [SpeculationKind.None, SpeculationKind.NGram] : [SpeculationKind.None, SpeculationKind.NGram, SpeculationKind.Draft];
        Console.WriteLine("task         temperature  speculation  tokens/s   ratio  drafted  accepted");
        foreach (var (task, prompt, temperature) in new[] { ("repetitive", twice, 0f), ("free-form", start, 0f), ("free-form", start, 1f) })
        {
            var runs = kinds.ToDictionary(k => k, _ => new List<Measured>());
            for (var round = 0; round <= Rounds; round++)
            {
                foreach (var kind in kinds)
                {
                    var run = await GenerateAsync(scheduler, prompt, temperature, kind);
                    if (round > 0)
                        runs[kind].Add(run);
                }
            }

            foreach (var kind in kinds)
            {
                if (runs[kind].Any(r => !r.Tokens.SequenceEqual(runs[SpeculationKind.None][0].Tokens)))
                    throw new InvalidOperationException($"{kind} changed the answer.");
                var (speed, timings) = (Median(runs[kind]), runs[kind][0].Timings);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{task,-12} {temperature,11:0.0}  {kind,-11} {speed,9:0.0} {speed / Median(runs[SpeculationKind.None]),7:0.00} {timings.DraftedTokens,8} {timings.AcceptedTokens,9}"));
            }
        }

        return 0;
    }

    private static int[] Opening(ModelFile file)
    {
        if (file.Source.Metadata.ContainsKey("tokenizer.ggml.tokens"))
            return TokenizerLoader.FromGguf(file.Source.Metadata).Encode(Story, addSpecialTokens: true).Ids;
        var random = new Random(1);
        return [.. Enumerable.Range(0, 64).Select(_ => random.Next(file.Config.VocabSize))];
    }

    private static double Median(List<Measured> runs) => runs.Select(r => r.Speed).Order().ElementAt(runs.Count / 2);

    private static async Task<Measured> GenerateAsync(Scheduler scheduler, int[] prompt, float temperature, SpeculationKind kind)
    {
        var request = new GenerationRequest
        {
            Prompt = prompt,
            Speculation = kind,
            Sampling = new SamplingOptions { MaxTokens = Tokens, Temperature = temperature, Seed = 1 },
        };
        var ids = new List<int>();
        GenerationTimings? timings = null;
        await foreach (var item in scheduler.GenerateAsync(request))
        {
            ids.Add(item.Token!.TokenId);
            timings = item.Timings;
        }

        return new Measured((ids.Count - 1) / timings!.Decode.TotalSeconds, [.. ids], timings);
    }
}
