using System.Globalization;

namespace Slm.RouterBenchmarks;

/// <summary>The corpus the models are trained on, and the suites: requests of a suite are in no other split.</summary>
internal static class CallData
{
    private static readonly string[] Categories = ["simple", "multiple", "parallel", "parallel_multiple", "irrelevance"];

    /// <summary>Cases of each category in a suite.</summary>
    private const int PerCategory = 120;

    /// <summary>Writes train.txt, and tune.jsonl and test.jsonl into another folder.</summary>
    public static void Write(string corpusFolder, string suiteFolder, int documents)
    {
        Directory.CreateDirectory(corpusFolder);
        Directory.CreateDirectory(suiteFolder);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, seed) in new[] { ("test", 1001), ("tune", 2002) })
        {
            var grammar = new CallGrammar(new Random(seed));
            var lines = new List<string>();
            for (var i = 0; i < PerCategory; i++)
            {
                foreach (var category in Categories)
                {
                    var next = grammar.Next(category);
                    for (var tries = 0; !taken.Add(next.Request) && tries < 1000; tries++)
                        next = grammar.Next(category);
                    lines.Add(next.ToLine(string.Create(CultureInfo.InvariantCulture, $"{name}-{category}-{i:000}")));
                }
            }

            File.WriteAllLines(Path.Combine(suiteFolder, $"{name}.jsonl"), lines);
        }

        var training = new CallGrammar(new Random(3003));
        using var writer = new StreamWriter(Path.Combine(corpusFolder, "train.txt"));
        for (var written = 0; written < documents;)
        {
            var next = training.Next(Categories[written % Categories.Length]);
            if (taken.Contains(next.Request))
                continue;
            writer.Write($"{next.Prompt}{next.Answer}<|endoftext|>");
            written++;
        }
    }
}
