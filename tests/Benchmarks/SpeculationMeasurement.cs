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
/// Decoding speed with and without speculation, in turns, on texts that repeat themselves and on some that do not. The
/// tokens must be the same in each case, which is checked. A model of noise has no texts: there the greedy answer falls
/// into a loop, which is the repetitive task, and a sampled one is free.
/// </summary>
internal static class SpeculationMeasurement
{
    private const int Rounds = 5;
    private const int Tokens = 128;
    private const int Texts = 8;
    private const string Separator = "<|endoftext|>";

    private const string Story =
        "Once upon a time there was a little girl named Lily. She had a red ball and a small dog. One day the ball rolled into the pond. " +
        "The dog jumped into the water and brought the ball back to Lily. Lily was happy and gave the dog a hug. ";

    private sealed record Measured(double Seconds, int[] Tokens, int Drafted, int Accepted);

    /// <summary>Measures a model; with <paramref name="draftPath"/> also with that as the draft model.</summary>
    /// <param name="path">The model.</param>
    /// <param name="draftPath">The draft model, or null.</param>
    /// <param name="textsPath">Texts separated by <c>&lt;|endoftext|&gt;</c>, of which the first eight are begun; null: one built in.</param>
    public static async Task<int> RunAsync(string path, string? draftPath, string? textsPath)
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
        var openings = Openings(file, textsPath);
        int[][] twice = [.. openings.Select(o => (int[])[.. o, .. o, .. o[..(o.Length / 4)]])];
        int[][] starts = [.. openings.Select(o => o[..(o.Length / 4)])];
        SpeculationKind[] kinds = draft is null ? [SpeculationKind.None, SpeculationKind.NGram] : [SpeculationKind.None, SpeculationKind.NGram, SpeculationKind.Draft];
        Console.WriteLine($"{openings.Length} texts, {Tokens} tokens each");
        Console.WriteLine("task         temperature  speculation  tokens/s   ratio  tokens  drafted  accepted    rate");
        foreach (var (task, prompts, temperature) in new[] { ("repetitive", twice, 0f), ("free-form", starts, 0f), ("free-form", starts, 1f) })
        {
            var runs = kinds.ToDictionary(k => k, _ => new List<Measured>());
            for (var round = 0; round <= Rounds; round++)
            {
                foreach (var kind in kinds)
                {
                    var run = await GenerateAsync(scheduler, prompts, temperature, kind);
                    if (round > 0)
                        runs[kind].Add(run);
                }
            }

            foreach (var kind in kinds)
            {
                if (runs[kind].Any(r => !r.Tokens.SequenceEqual(runs[SpeculationKind.None][0].Tokens)))
                    throw new InvalidOperationException($"{kind} changed the answer.");
                var one = runs[kind][0];
                var (speed, plain) = (Speed(runs[kind]), Speed(runs[SpeculationKind.None]));
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{task,-12} {temperature,11:0.0}  {kind,-11} {speed,9:0.0} {speed / plain,7:0.00} {one.Tokens.Length,7} {one.Drafted,8} {one.Accepted,9} {(one.Drafted == 0 ? 0 : 100.0 * one.Accepted / one.Drafted),6:0.0}%"));
            }
        }

        return 0;
    }

    private static int[][] Openings(ModelFile file, string? textsPath)
    {
        if (file.Source.Metadata.ContainsKey("tokenizer.ggml.tokens"))
        {
            var tokenizer = TokenizerLoader.FromGguf(file.Source.Metadata);
            string[] texts = textsPath is null ? [Story] : [.. File.ReadAllText(textsPath).Split(Separator, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Take(Texts)];
            return [.. texts.Select(t => tokenizer.Encode(t, addSpecialTokens: true).Ids is { Length: > 80 } longer ? longer[..80] : tokenizer.Encode(t, addSpecialTokens: true).Ids)];
        }

        var random = new Random(1);
        return [[.. Enumerable.Range(0, 64).Select(_ => random.Next(file.Config.VocabSize))]];
    }

    /// <summary>Tokens per second of the median round.</summary>
    private static double Speed(List<Measured> runs) => runs.Select(r => r.Tokens.Length / r.Seconds).Order().ElementAt(runs.Count / 2);

    private static async Task<Measured> GenerateAsync(Scheduler scheduler, int[][] prompts, float temperature, SpeculationKind kind)
    {
        var ids = new List<int>();
        var seconds = 0.0;
        var (drafted, accepted) = (0, 0);
        foreach (var prompt in prompts)
        {
            var request = new GenerationRequest
            {
                Prompt = prompt,
                Speculation = kind,
                Sampling = new SamplingOptions { MaxTokens = Tokens, Temperature = temperature, Seed = 1, IgnoreEos = true },
            };
            GenerationTimings? timings = null;
            await foreach (var item in scheduler.GenerateAsync(request))
            {
                ids.Add(item.Token!.TokenId);
                timings = item.Timings;
            }

            seconds += timings!.Decode.TotalSeconds;
            drafted += timings.DraftedTokens;
            accepted += timings.AcceptedTokens;
        }

        return new Measured(seconds, [.. ids], drafted, accepted);
    }
}
