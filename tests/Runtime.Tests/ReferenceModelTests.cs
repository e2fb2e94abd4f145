using System.Text.Json;
using Slm.Engine.Formats;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;

namespace Slm.Runtime.Tests;

/// <summary>Whole models from file to text, against the continuations that llama.cpp computed (tests/data/gguf).</summary>
public sealed class ReferenceModelTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("llama-tied-f16")]
    [InlineData("llama-q8_0")]
    [InlineData("qwen2-f32")]
    public async Task The_greedy_continuation_is_the_recorded_one_alone_and_beside_others(string name)
    {
        var (prompt, greedy) = Recorded(name);
        await using var model = TextModel.Open(ModelPath(name), new TextModelOptions { Threads = 2 });
        var request = new TextRequest
        {
            Prompt = new TextPrompt.Tokens(prompt),
            Sampling = new SamplingOptions { Temperature = 0, MaxTokens = greedy.Length, IgnoreEos = true, LogProbs = true, TopLogProbs = 3 },
        };
        var alone = await Collect(model, request);
        Assert.Equal(greedy, alone.SelectMany(c => c.TokenIds));
        Assert.Equal(prompt.Length, alone[^1].Usage!.PromptTokens);

        var others = Enumerable.Range(1, 5).Select(i => Collect(model, request with { Prompt = new TextPrompt.Tokens(prompt[..i]) })).ToArray();
        var beside = await Collect(model, request);
        await Task.WhenAll(others);
        Assert.Equal(greedy, beside.SelectMany(c => c.TokenIds));
        Assert.Equal(LogProbs(alone), LogProbs(beside));

        // Computed as one chunk, the same continuation has the same log-probabilities, to the bit.
        var score = await model.ScoreAsync(new TextPrompt.Tokens(prompt), new TextPrompt.Tokens(greedy), 1, Token);
        Assert.True(score.IsGreedy);
        Assert.Equal(LogProbs(alone), score.Tokens.Select(t => t.LogProb));
        Assert.All(score.Tokens, t => Assert.Equal(t.Top[0].LogProb, t.LogProb));
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public async Task A_draft_model_proposes_tokens_and_changes_nothing(float temperature)
    {
        var (prompt, _) = Recorded("llama-q8_0");
        var request = new TextRequest
        {
            Prompt = new TextPrompt.Tokens(prompt),
            Sampling = new SamplingOptions { Temperature = temperature, Seed = 5, MaxTokens = 60, LogProbs = true, IgnoreEos = true },
        };
        await using var plain = TextModel.Open(ModelPath("llama-q8_0"), new TextModelOptions { Threads = 2 });
        await using var drafted = TextModel.Open(ModelPath("llama-q8_0"), new TextModelOptions { Threads = 2, DraftModel = ModelPath("llama-q8_0") });
        var expected = await Collect(plain, request);
        var answer = await Collect(drafted, request);
        Assert.Equal(LogProbs(expected), LogProbs(answer));
        Assert.Equal(expected[^1].Usage!.SystemFingerprint, answer[^1].Usage!.SystemFingerprint);
        var usage = answer[^1].Usage!;
        Assert.True(usage.DraftedTokens > 30 && usage.AcceptedTokens == usage.DraftedTokens, $"{usage.AcceptedTokens} of {usage.DraftedTokens}");
        Assert.Equal(0, (await Collect(drafted, request with { Speculation = SpeculationKind.None }))[^1].Usage!.DraftedTokens);
    }

    [Fact]
    public void A_draft_model_of_other_tokens_is_refused_with_both_names()
    {
        var error = Assert.Throws<ModelFormatException>(() => TextModel.Open(ModelPath("llama-q8_0"), new TextModelOptions { DraftModel = ModelPath("qwen3-f32") }));
        Assert.Contains("draft model", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stages_and_chunks_change_nothing_and_the_fingerprint_says_so()
    {
        var (prompt, _) = Recorded("llama-q8_0");
        var request = new TextRequest
        {
            Prompt = new TextPrompt.Tokens(prompt),
            Echo = true,
            Sampling = new SamplingOptions { Seed = 5, MaxTokens = 24, LogProbs = true, IgnoreEos = true, TopP = 0.9f },
        };
        TextModelOptions[] variants =
        [
            new() { Threads = 2 },
            new() { Threads = 1, Stages = 2 },
            new() { Threads = 2, Scheduler = new SchedulerOptions { MaxStepTokens = 3 } },
        ];
        var results = new List<(List<TextChunk> Chunks, string Fingerprint)>();
        foreach (var options in variants)
        {
            await using var model = TextModel.Open(ModelPath("llama-q8_0"), options);
            results.Add((await Collect(model, request), model.SystemFingerprint));
        }

        foreach (var (chunks, fingerprint) in results)
        {
            Assert.Equal(results[0].Chunks.SelectMany(c => c.TokenIds), chunks.SelectMany(c => c.TokenIds));
            Assert.Equal(LogProbs(results[0].Chunks), LogProbs(chunks));
            Assert.Equal(results[0].Fingerprint, fingerprint);
            Assert.StartsWith("fp_", fingerprint, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Text_goes_in_and_comes_out()
    {
        await using var model = TextModel.Open(ModelPath("llama-q8_0"), new TextModelOptions { Threads = 2 });
        var chunks = await Collect(model, new TextRequest
        {
            Prompt = new TextPrompt.Text("The quick brown fox"),
            Sampling = new SamplingOptions { Seed = 1, MaxTokens = 40, IgnoreEos = true },
            SkipSpecialTokens = false,
        });
        var ids = chunks.SelectMany(c => c.TokenIds).ToArray();
        Assert.Equal(40, ids.Length);
        var prompt = model.Encode(new TextPrompt.Text("The quick brown fox")).Ids;
        Assert.Equal(
            model.Tokenizer.Decode([.. prompt, .. ids])[model.Tokenizer.Decode(prompt).Length..],
            string.Concat(chunks.Select(c => c.Text)));
        var vectors = (await model.EmbedAsync([new TextPrompt.Text("The quick brown fox")], cancellationToken: Token)).Vectors;
        Assert.Equal(model.Config.HiddenSize, Assert.Single(vectors).Length);
    }

    private static float?[] LogProbs(List<TextChunk> chunks) => [.. chunks.SelectMany(c => c.LogProbs).Select(p => p.LogProb)];

    private static (int[] Prompt, int[] Greedy) Recorded(string name)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.ChangeExtension(ModelPath(name), ".json")));
        return (Ints("tokens"), Ints("greedy"));

        int[] Ints(string property) => [.. json.RootElement.GetProperty(property).EnumerateArray().Select(e => e.GetInt32())];
    }

    private static string ModelPath(string name)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "SlmPlatform.sln")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException("The repository is not above the test.");
        return Path.Combine(folder.FullName, "tests", "data", "gguf", name + ".gguf");
    }

    private static async Task<List<TextChunk>> Collect(TextModel model, TextRequest request)
    {
        var chunks = new List<TextChunk>();
        await foreach (var chunk in model.GenerateAsync(request, Token))
            chunks.Add(chunk);
        return chunks;
    }
}
