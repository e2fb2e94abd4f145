using System.Text.Json;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.Stages;

namespace Slm.Runtime.Tests;

/// <summary>Models with an encoder, from file and text to tokens or vectors.</summary>
public sealed class EncoderModelTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_encoder_decoder_reads_the_prompt_and_begins_from_its_start_token()
    {
        var (input, expected) = await Recorded();
        await using var model = T5();
        var request = new TextRequest
        {
            Prompt = new TextPrompt.Tokens(input),
            Sampling = new SamplingOptions { Temperature = 0, MaxTokens = 12, IgnoreEos = true, LogProbs = true },
        };
        var alone = await Collect(model, request);
        Assert.Equal(expected, alone.SelectMany(c => c.TokenIds));
        Assert.Equal((input.Length, 0), (alone[^1].Usage!.PromptTokens, alone[^1].Usage!.CachedPromptTokens));

        // Beside others, and again with the input's keys and values of the first time.
        var others = Enumerable.Range(1, 6).Select(i => Collect(model, request with { Prompt = new TextPrompt.Tokens(input[..i]) })).ToArray();
        var beside = await Collect(model, request);
        await Task.WhenAll(others);
        Assert.Equal(expected, beside.SelectMany(c => c.TokenIds));
        Assert.Equal(LogProbs(alone), LogProbs(beside));
        Assert.Equal(input.Length, beside[^1].Usage!.CachedPromptTokens);

        var score = await model.ScoreAsync(new TextPrompt.Tokens(input), new TextPrompt.Tokens(expected), 1, Token);
        Assert.True(score.IsGreedy);
        Assert.Equal(LogProbs(alone), score.Tokens.Select(t => t.LogProb));
    }

    [Fact]
    public async Task Stages_and_speculation_change_no_answer_of_an_encoder_decoder()
    {
        var request = new TextRequest
        {
            Prompt = new TextPrompt.Text("the cat sat on the mat"),
            Sampling = new SamplingOptions { Temperature = 1, Seed = 3, MaxTokens = 40, IgnoreEos = true, LogProbs = true },
        };
        await using var model = T5();
        var expected = LogProbs(await Collect(model, request));
        Assert.Equal(40, expected.Count());
        await using var split = T5(new TextModelOptions { Threads = 2, Stages = 4, Scheduler = new SchedulerOptions { PrefixSharing = false } });
        Assert.Equal(expected, LogProbs(await Collect(split, request)));
        Assert.Equal(expected, LogProbs(await Collect(split, request with { Speculation = Engine.Speculation.SpeculationKind.NGram })));
    }

    [Fact]
    public async Task What_an_encoder_decoder_cannot_do_is_refused()
    {
        await using var model = T5();
        await Assert.ThrowsAsync<ModelTaskException>(() => model.EmbedAsync([new TextPrompt.Text("cat")], cancellationToken: Token));
        var echo = new TextRequest { Prompt = new TextPrompt.Text("cat"), Echo = true, Sampling = new SamplingOptions { LogProbs = true } };
        Assert.Contains("no probabilities", Assert.Throws<ModelTaskException>(() => model.GenerateAsync(echo, Token)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => model.GenerateAsync(new TextRequest { Prompt = new TextPrompt.Tokens([]) }, Token));
    }

    [Theory]
    [InlineData(0u, PoolingKind.Mean)]
    [InlineData(1u, PoolingKind.Mean)]
    [InlineData(2u, PoolingKind.Cls)]
    [InlineData(3u, PoolingKind.Last)]
    public async Task An_encoder_embeds_texts_as_its_file_says(uint stored, PoolingKind expected)
    {
        using var path = RandomBert.Write(stored);
        await using var model = TextModel.Open(path.Path, new TextModelOptions { Threads = 2 });
        string[] texts = ["The cat sat.", "on the mat", "cats", "dog"];
        int[][] ids = [[2, 4, 5, 6, 10, 3], [2, 8, 4, 9, 3], [2, 5, 7, 3], [2, 1, 3]];
        var embedded = await model.EmbedAsync([.. texts.Select(t => new TextPrompt.Text(t))], normalize: false, cancellationToken: Token);
        Assert.Equal(ids.Sum(i => i.Length), embedded.PromptTokens);
        for (var i = 0; i < texts.Length; i++)
        {
            Assert.Equal(await Pooled(path.Path, ids[i], expected), embedded.Vectors[i]);
            var alone = await model.EmbedAsync([new TextPrompt.Tokens(ids[i])], expected, normalize: false, cancellationToken: Token);
            Assert.Equal(embedded.Vectors[i], alone.Vectors[0]);
        }

        var unit = (await model.EmbedAsync([new TextPrompt.Text("cat")], dimensions: 8, cancellationToken: Token)).Vectors[0];
        Assert.Equal(8, unit.Length);
        Assert.Equal(1, unit.Sum(v => (double)v * v), 1e-6);
    }

    [Fact]
    public async Task An_encoder_takes_texts_up_to_its_context_and_generates_nothing()
    {
        using var path = RandomBert.Write(2);
        await using var model = TextModel.Open(path.Path, new TextModelOptions { Threads = 2 });
        var longest = Enumerable.Repeat("cat", 598);
        Assert.Equal(600, (await model.EmbedAsync([new TextPrompt.Text(string.Join(' ', longest))], cancellationToken: Token)).PromptTokens);
        var error = await Assert.ThrowsAsync<ContextLengthExceededException>(() => model.EmbedAsync([new TextPrompt.Text(string.Join(' ', longest) + " cat")], cancellationToken: Token));
        Assert.Equal((601, 600), (error.PromptTokens, error.ContextLength));
        Assert.Contains("embeddings", Assert.Throws<ModelTaskException>(() => model.GenerateAsync(new TextRequest { Prompt = new TextPrompt.Text("cat") }, Token)).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ModelTaskException>(() => model.ScoreAsync(new TextPrompt.Text("cat"), new TextPrompt.Text("cat"), 0, Token));
    }

    private static TextModel T5(TextModelOptions? options = null) => TextModel.Open(Data("t5-f32.gguf"), options ?? new TextModelOptions { Threads = 2 });

    /// <summary>The recorded encoder input, and what a pipeline makes of it greedily, a token at a time, without scheduler.</summary>
    private static async Task<(int[] Input, int[] Answer)> Recorded()
    {
        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(Data("t5-f32.json"), Token));
        int[] input = [.. document.RootElement.GetProperty("encoder_tokens").EnumerateArray().Select(e => e.GetInt32())];
        using var file = ModelFile.Open(Data("t5-f32.gguf"));
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 1 });
        var batch = new StepBatch { Encodes = true };
        batch.Add(input, 0, [3], 0);
        await pipeline.ForwardAsync(batch, StepOutput.Logits, Token);
        var answer = new List<int>();
        for (var next = file.Config.Encoder!.StartToken; answer.Count < 12; answer.Add(next))
        {
            batch.Clear();
            batch.Add([next], answer.Count, [3, 1], 1, encoderTokens: input.Length);
            next = System.Numerics.Tensors.TensorPrimitives.IndexOfMax((await pipeline.ForwardAsync(batch, StepOutput.Logits, Token)).Span);
        }

        return (input, [.. answer]);
    }

    private static async Task<float[]> Pooled(string path, int[] ids, PoolingKind kind)
    {
        using var file = ModelFile.Open(path);
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 1 });
        var batch = new StepBatch();
        batch.Add(ids, 0, [0], ids.Length);
        var rows = (await pipeline.ForwardAsync(batch, StepOutput.Hidden, Token)).ToArray();
        return kind switch
        {
            PoolingKind.Cls => rows[..RandomBert.Hidden],
            PoolingKind.Last => rows[^RandomBert.Hidden..],
            _ => [.. Enumerable.Range(0, RandomBert.Hidden).Select(d => (float)(Enumerable.Range(0, ids.Length).Sum(t => (double)rows[(t * RandomBert.Hidden) + d]) / ids.Length))],
        };
    }

    private static string Data(string name)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (Path.Combine(folder.FullName, "tests", "data", "gguf", name) is var path && File.Exists(path))
                return path;
        }

        throw new FileNotFoundException(name);
    }

    private static IEnumerable<float?> LogProbs(IEnumerable<TextChunk> chunks) => chunks.SelectMany(c => c.LogProbs).Select(p => p.LogProb);

    private static async Task<List<TextChunk>> Collect(TextModel model, TextRequest request)
    {
        var chunks = new List<TextChunk>();
        await foreach (var chunk in model.GenerateAsync(request, Token))
            chunks.Add(chunk);
        return chunks;
    }
}
