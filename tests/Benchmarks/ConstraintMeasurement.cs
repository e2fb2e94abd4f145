using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;
using Slm.Engine.Constraints.Tokens;
using Slm.Engine.Tests.Constraints;
using Slm.Tokenization;

namespace Slm.Benchmarks;

/// <summary>
/// MaskBench: every document of every schema, token by token, with the mask before each. The first mask counts to the time of compiling, as
/// the benchmark's own tables have it. All is done twice, and the second time counts: the first one is for the just-in-time compiler.
/// </summary>
internal static class ConstraintMeasurement
{
    private sealed class Figures
    {
        public int Schemas, Passed, Refused, Strict, Lax;

        public List<double> Compile { get; } = [];

        public List<double> Mask { get; } = [];
    }

    /// <param name="tokenizerJson">A tokenizer.json, whose vocabulary is used.</param>
    /// <param name="archive">A .tar.gz of MaskBench files.</param>
    public static int Run(string tokenizerJson, string archive)
    {
        var tokenizer = TokenizerLoader.FromTokenizerJson(tokenizerJson);
        var watch = Stopwatch.StartNew();
        var vocabulary = new TokenVocabulary(tokenizer.VocabSize, id => tokenizer.IsSpecial(id) ? default : tokenizer.TokenBytes(id), tokenizer.Special.EndTokens);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tokenizer.VocabSize} tokens prepared in {watch.ElapsedMilliseconds} ms"));
        var files = TestArchive.Read(Path.GetFullPath(archive)).ToList();
        Dictionary<string, Figures> sources = [];
        for (var round = 0; round < 2; round++)
        {
            sources = [];
            foreach (var (path, json) in files)
            {
                var source = Path.GetFileNameWithoutExtension(path).Split("---")[0] is var first && first.Split('_')[0] is "BFCL" or "JME" ? first.Split('_')[0] : first;
                if (!sources.TryGetValue(source, out var figures))
                    sources[source] = figures = new Figures();
                Measure(json.RootElement, tokenizer, vocabulary, figures);
            }
        }

        Console.WriteLine("| source | schemas | pass | refused | too strict | too lax | compile p50 / p99 (µs) | mask p50 / p99 / avg (µs) |");
        Console.WriteLine("|---|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var (source, figures) in sources.OrderByDescending(s => s.Value.Schemas))
            Print(source, figures);
        var all = new Figures();
        foreach (var figures in sources.Values)
        {
            all.Schemas += figures.Schemas;
            all.Passed += figures.Passed;
            all.Refused += figures.Refused;
            all.Strict += figures.Strict;
            all.Lax += figures.Lax;
            all.Compile.AddRange(figures.Compile);
            all.Mask.AddRange(figures.Mask);
        }

        Print("all", all);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{all.Mask.Count} masks, longest {all.Mask.Max() / 1000:F1} ms; longest compilation {all.Compile.Max() / 1000:F0} ms"));
        return 0;
    }

    private static void Measure(JsonElement file, ITokenizer tokenizer, TokenVocabulary vocabulary, Figures figures)
    {
        figures.Schemas++;
        var schema = file.GetProperty("schema").GetRawText();
        var mask = new ulong[vocabulary.MaskLength];
        var begun = Stopwatch.GetTimestamp();
        TokenConstraint constraint;
        try
        {
            constraint = new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.JsonSchema(schema, new JsonForm())), vocabulary);
            constraint.Start().FillMask(mask);
        }
        catch (ConstraintException)
        {
            figures.Refused++;
            return;
        }
        finally
        {
            figures.Compile.Add(Stopwatch.GetElapsedTime(begun).TotalMicroseconds);
        }

        var (strict, lax) = (false, false);
        foreach (var test in file.GetProperty("tests").EnumerateArray())
        {
            var valid = test.GetProperty("valid").GetBoolean();
            var state = constraint.Start();
            var accepted = true;
            foreach (var token in tokenizer.Encode(TestArchive.Write(test.GetProperty("data")), addSpecialTokens: false).Ids)
            {
                begun = Stopwatch.GetTimestamp();
                state.FillMask(mask);
                figures.Mask.Add(Stopwatch.GetElapsedTime(begun).TotalMicroseconds);
                accepted = state.Accept(token);
                if (accepted != ((mask[token >> 6] >> (token & 63) & 1) != 0))
                    throw new InvalidOperationException($"Mask and automaton disagree about token {token}.");
                if (!accepted)
                    break;
            }

            accepted &= state.CanEnd;
            strict |= valid && !accepted;
            lax |= !valid && accepted;
        }

        figures.Strict += strict ? 1 : 0;
        figures.Lax += lax ? 1 : 0;
        figures.Passed += strict || lax ? 0 : 1;
    }

    private static void Print(string source, Figures figures)
    {
        figures.Compile.Sort();
        figures.Mask.Sort();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {source} | {figures.Schemas} | {figures.Passed} | {figures.Refused} | {figures.Strict} | {figures.Lax} | {At(figures.Compile, 0.5):F0} / {At(figures.Compile, 0.99):F0} | {At(figures.Mask, 0.5):F1} / {At(figures.Mask, 0.99):F0} / {(figures.Mask.Count == 0 ? 0 : figures.Mask.Average()):F1} |"));
    }

    private static double At(List<double> sorted, double share) => sorted.Count == 0 ? 0 : sorted[(int)Math.Min(sorted.Count - 1, share * sorted.Count)];
}
