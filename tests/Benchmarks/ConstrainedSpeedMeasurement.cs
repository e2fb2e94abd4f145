using System.Globalization;
using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;
using Slm.Engine.Constraints.Tokens;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Engine.Threading;
using Slm.Tokenization;

namespace Slm.Benchmarks;

/// <summary>Decoding speed with a schema and without, in turns, as many tokens each; with guesses of forced text as well as without.</summary>
internal static class ConstrainedSpeedMeasurement
{
    private const int Rounds = 7;
    private const int Tokens = 192;

    private const string Schema = """
        {"type":"array","minItems":200,"items":{"type":"object","properties":{"name":{"type":"string","maxLength":40},"age":{"type":"integer","minimum":0,"maximum":120},"email":{"type":"string","format":"email","maxLength":60},"tags":{"type":"array","items":{"enum":["red","green","blue"]},"maxItems":4},"note":{"type":"string"}},"required":["name","age","email","tags","note"],"additionalProperties":false}}
        """;

    public static async Task<int> RunAsync(string path)
    {
        using var file = ModelFile.Open(path);
        var tokenizer = TokenizerLoader.FromGguf(file.Source.Metadata);
        using var workers = new WorkerPool(Environment.ProcessorCount);
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Workers = workers, ContextLength = Math.Min(1024, file.Config.ContextLength) });
        await pipeline.Settled;
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions(), TimeProvider.System, null);
        var vocabulary = new TokenVocabulary(file.Config.VocabSize, id => id < tokenizer.VocabSize && !tokenizer.IsSpecial(id) ? tokenizer.TokenBytes(id) : default, tokenizer.Special.EndTokens);
        var prompt = tokenizer.Encode("Once upon a time there was a list of people:", addSpecialTokens: true).Ids;
        var form = new JsonForm { Whitespace = JsonWhitespace.Spaced, SchemaOrder = true, PlainIntegers = true, PlainStrings = true };
        var runs = new Dictionary<string, List<double>> { ["free"] = [], ["schema"] = [], ["schema, new"] = [] };
        var accepted = 0;
        var kept = Compile();
        for (var round = 0; round <= Rounds; round++)
        {
            foreach (var name in runs.Keys)
            {
                var constraint = name switch { "free" => null, "schema" => kept, _ => Compile() };
                var (speed, guesses) = await MeasureAsync(scheduler, prompt, constraint);
                if (round > 0)
                    runs[name].Add(speed);
                accepted = name == "schema" ? guesses : accepted;
            }
        }

        double Median(string name) => runs[name].Order().ElementAt(Rounds / 2);
        foreach (var name in runs.Keys)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-12} {Median(name),9:F1} tokens/s {Median(name) / Median("free"),6:F3}"));
        Console.WriteLine($"{accepted} of {Tokens} tokens were guessed ahead");
        return 0;

        TokenConstraint Compile() => new(CompiledConstraint.Compile(new ConstraintSource.JsonSchema(Schema, form)), vocabulary);
    }

    private static async Task<(double Speed, int Accepted)> MeasureAsync(Scheduler scheduler, int[] prompt, TokenConstraint? constraint)
    {
        var request = new GenerationRequest
        {
            Prompt = prompt,
            Constraint = constraint,
            Speculation = SpeculationKind.None,
            Sampling = new SamplingOptions { MaxTokens = Tokens, Temperature = 0.8f, Seed = 1, IgnoreEos = true },
        };
        GenerationTimings? timings = null;
        await foreach (var item in scheduler.GenerateAsync(request))
            timings = item.Timings;
        return (Tokens / timings!.Decode.TotalSeconds, timings.AcceptedTokens);
    }
}
