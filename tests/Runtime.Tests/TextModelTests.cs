using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Tests.Scheduling;
using Slm.Tokenization;
using Slm.Tokenization.Templates;

namespace Slm.Runtime.Tests;

public sealed class TextModelTests
{
    private const string Template =
        "{{ bos_token }}{% for m in messages %}<turn>{{ m.role }}: {{ m.content }}<end>{% endfor %}{% if add_generation_prompt %}<turn>assistant: {% endif %}";

    private static readonly TableTokenizer Tokenizer = NewTokenizer(addsBos: true);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_answer_is_streamed_as_text_and_ends_with_usage()
    {
        await using var model = Model("Once", " upon a timé.<end>");
        var chunks = await Collect(model, new TextRequest { Prompt = new TextPrompt.Text("Once"), Sampling = Greedy with { Seed = 9 } });
        Assert.Equal(" upon a timé.", Text(chunks));
        Assert.Equal(Tokenizer.Encode(" upon a timé.<end>", false, true).Ids, chunks.SelectMany(c => c.TokenIds));
        Assert.All(chunks.SkipLast(1), c => Assert.True(c.Finish is null && c.Usage is null));
        var last = chunks[^1];
        Assert.Equal((FinishKind.Stop, null), (last.Finish, last.StopMatch));
        Assert.Equal((5, 9, 9UL, "fake"), (last.Usage!.PromptTokens, last.Usage.CompletionTokens, last.Usage.Seed, last.Usage.SystemFingerprint));
    }

    [Theory]
    [InlineData("time", false, " upon a ", 2)]
    [InlineData("time", true, " upon a time", 6)]
    [InlineData("n a", false, " upo", 1)]
    [InlineData("never", false, " upon a time.", 8)]
    public async Task A_stop_string_ends_the_text(string stop, bool include, string expected, int tokens)
    {
        await using var model = Model("Once", " upon a time.<end>");
        var chunks = await Collect(model, new TextRequest
        {
            Prompt = new TextPrompt.Text("Once"),
            Sampling = Greedy with { LogProbs = true, TopLogProbs = 1 },
            Stop = ["zzz", stop],
            IncludeStopInOutput = include,
        });
        Assert.Equal(expected, Text(chunks));
        Assert.Equal(FinishKind.Stop, chunks[^1].Finish);
        Assert.Equal(stop == "never" ? null : stop, chunks[^1].StopMatch);
        Assert.Equal(Tokenizer.Encode(" upon a time.<end>", false, true).Ids[..tokens], chunks.SelectMany(c => c.TokenIds));
        Assert.Equal(chunks.SelectMany(c => c.TokenIds), chunks.SelectMany(c => c.LogProbs).Select(p => p.TokenId));
        while (model.Stats.Running > 0)
            await Task.Yield();
        Assert.Equal((1, 0L), ((int)model.Stats.Completed, model.Stats.Cancelled));
    }

    [Fact]
    public async Task Length_ends_the_answer_and_gives_what_was_held_back()
    {
        await using var model = Model("a", "bcST");
        var chunks = await Collect(model, new TextRequest { Prompt = new TextPrompt.Text("a"), Sampling = Greedy with { MaxTokens = 4 }, Stop = ["STOP"] });
        Assert.Equal(("bcST", FinishKind.Length, 4), (Text(chunks), chunks[^1].Finish!.Value, chunks[^1].Usage!.CompletionTokens));
    }

    [Fact]
    public async Task Control_tokens_show_only_if_asked_for()
    {
        await using var model = Model("a", "b<turn>c<end>");
        var request = new TextRequest { Prompt = new TextPrompt.Text("a"), Sampling = Greedy };
        Assert.Equal("bc", Text(await Collect(model, request)));
        Assert.Equal("b<turn>c", Text(await Collect(model, request with { SkipSpecialTokens = false })));
        Assert.Equal("b<turn>c<end>", Text(await Collect(model, request with { SkipSpecialTokens = false, IncludeStopInOutput = true })));
    }

    [Fact]
    public async Task Echo_gives_the_prompt_first_with_its_log_probabilities()
    {
        await using var model = Model("abé", "c<end>");
        var chunks = await Collect(model, new TextRequest
        {
            Prompt = new TextPrompt.Text("abé"),
            Echo = true,
            Sampling = Greedy with { MaxTokens = 1, LogProbs = true, TopLogProbs = 2 },
        });
        Assert.True(chunks[0].IsPrompt);
        Assert.Equal("abé", chunks[0].Text);
        Assert.Equal(chunks[0].TokenIds, chunks[0].LogProbs.Select(p => p.TokenId));
        Assert.Null(chunks[0].LogProbs[0].LogProb);
        Assert.All(chunks[0].LogProbs.Skip(1), p => Assert.Equal(p.Top[0].LogProb, p.LogProb));
        Assert.Equal(["<bos>", "a", "b", "bytes:\\xc3", "bytes:\\xa9"], chunks[0].LogProbs.Select(p => p.Piece));
        Assert.Equal("c", Text(chunks.Skip(1)));

        var only = await Collect(model, new TextRequest { Prompt = new TextPrompt.Text("abé"), Echo = true, Sampling = Greedy with { MaxTokens = 0, LogProbs = true } });
        Assert.Equal(2, only.Count);
        Assert.Equal((5, FinishKind.Length, 0), (only[0].LogProbs.Count, only[1].Finish!.Value, only[1].Usage!.CompletionTokens));
        var plain = await Collect(model, new TextRequest { Prompt = new TextPrompt.Text("abé"), Echo = true, Sampling = Greedy with { MaxTokens = 0 } });
        Assert.Equal(("abé", 0), (plain[0].Text, plain[0].LogProbs.Count));
        var refused = Assert.Throws<SamplingOptionException>(() => model.GenerateAsync(new TextRequest { Prompt = new TextPrompt.Text("a"), Sampling = Greedy with { MaxTokens = 0 } }, Token));
        Assert.Equal("max_tokens", refused.Field);
    }

    [Fact]
    public async Task A_chat_is_rendered_with_special_tokens_and_one_bos()
    {
        await using var model = Model("", "x<end>");
        TextPrompt chat = new TextPrompt.Chat([new ChatTurn("user", "hi")]);
        var expected = "<bos><turn>user: hi<end><turn>assistant: ";
        Assert.Equal(Tokenizer.Encode(expected, false, true).Ids, model.Encode(chat).Ids);
        Assert.Equal(Tokenizer.Control("<bos>"), model.Encode(chat).Ids[0]);
        Assert.NotEqual(Tokenizer.Control("<bos>"), model.Encode(chat).Ids[1]);

        // Written by a user, the same characters are text.
        Assert.Equal([Tokenizer.Control("<bos>"), .. "<end>".Select(c => (int)c)], model.Encode(new TextPrompt.Text("<end>")).Ids);
        Assert.Equal("<end>".Select(c => (int)c), model.Encode(new TextPrompt.Text("<end>", AddSpecialTokens: false)).Ids);

        await using var silent = Model("", "x<end>", template: "{% for m in messages %}{{ m.content }}{% endfor %}");
        Assert.Equal([Tokenizer.Control("<bos>"), 'h', 'i'], silent.Encode(chat).Ids);
        await using var none = Model("", "x", template: null);
        Assert.Throws<ChatTemplateMissingException>(() => none.Encode(chat));
    }

    [Fact]
    public async Task Bad_requests_name_what_is_wrong_before_anything_runs()
    {
        await using var model = Model("a", "b");
        Assert.Equal("stop", Assert.Throws<SamplingOptionException>(() => model.GenerateAsync(Request("a") with { Stop = [""] }, Token)).Field);
        Assert.Equal("top_p", Assert.Throws<SamplingOptionException>(() => model.GenerateAsync(Request("a") with { Sampling = new() { TopP = float.NaN } }, Token)).Field);
        Assert.Throws<ContextLengthExceededException>(() => model.GenerateAsync(Request(new string('x', 600)), Token));
        Assert.Throws<ArgumentException>(() => model.GenerateAsync(Request("") with { Prompt = new TextPrompt.Tokens([99999]) }, Token));
        Assert.Equal(0, model.Stats.Steps);
    }

    [Fact]
    public async Task A_score_respects_the_boundary_of_two_texts()
    {
        var tokenizer = new TableTokenizer(["ab", "bc"], ["<bos>"], new SpecialTokens { AddsBos = true, Bos = 258 });
        var pipeline = new HashPipeline(tokenizer.VocabSize);
        await using var model = Model(tokenizer, pipeline, null);

        // "x" + "bc" begins with the context's tokens; "xa" + "bc" does not, since "ab" would span the boundary.
        var joint = await model.ScoreAsync(new TextPrompt.Text("x"), new TextPrompt.Text("bc"), 1, Token);
        Assert.Equal((2, "bc"), (joint.ContextTokens, string.Concat(joint.Tokens.Select(t => t.Piece))));
        Assert.Equal(LogProb(pipeline, [258, 'x'], 257), joint.Tokens[0].LogProb);
        var apart = await model.ScoreAsync(new TextPrompt.Text("xa"), new TextPrompt.Text("bc"), 1, Token);
        Assert.Equal((3, "bc"), (apart.ContextTokens, string.Concat(apart.Tokens.Select(t => t.Piece))));
        Assert.Equal(LogProb(pipeline, [258, 'x', 'a'], 257), apart.Tokens[0].LogProb);
        Assert.Equal(apart.SumLogProb, (await model.ScoreAsync(new TextPrompt.Tokens([258, 'x', 'a']), new TextPrompt.Tokens([257]), 0, Token)).SumLogProb);

        var empty = await model.ScoreAsync(new TextPrompt.Text("", AddSpecialTokens: false), new TextPrompt.Text("x"), 0, Token);
        Assert.Equal((1, LogProb(pipeline, [258], 'x')), (empty.ContextTokens, empty.Tokens[0].LogProb));
    }

    [Fact]
    public async Task Embeddings_come_in_order_cut_and_normalized()
    {
        var pipeline = new HashPipeline(Tokenizer.VocabSize);
        await using var model = Model(Tokenizer, pipeline, null);
        TextPrompt[] inputs = [.. Enumerable.Range(0, 100).Select(i => new TextPrompt.Text($"text {i}"))];
        var raw = await model.EmbedAsync(inputs, PoolingKind.Last, normalize: false, cancellationToken: Token);
        for (var i = 0; i < inputs.Length; i++)
            Assert.Equal(pipeline.Reference(model.Encode(inputs[i]).Ids)[..8], raw.Vectors[i]);
        Assert.Equal(inputs.Sum(p => model.Encode(p).Ids.Length), raw.PromptTokens);
        var cut = await model.EmbedAsync(inputs, PoolingKind.Last, dimensions: 3, cancellationToken: Token);
        Assert.All(cut.Vectors, v => Assert.Equal(1, Math.Sqrt(v.Sum(x => (double)x * x)), 1e-6));
        Assert.Equal(raw.Vectors[7][1] / raw.Vectors[7][0], cut.Vectors[7][1] / cut.Vectors[7][0], 1e-5);
        await Assert.ThrowsAsync<SamplingOptionException>(() => model.EmbedAsync(inputs, dimensions: 9, cancellationToken: Token));
    }

    [Fact]
    public async Task Disposal_ends_the_pipeline_after_the_requests()
    {
        var pipeline = new ScriptPipeline(Tokenizer.VocabSize, [.. Enumerable.Repeat((int)'a', 100)]);
        var model = Model(Tokenizer, pipeline, null);
        var running = Collect(model, new TextRequest { Prompt = new TextPrompt.Text("a"), Sampling = Greedy with { MaxTokens = 30 } });
        await model.DisposeAsync();
        Assert.True(pipeline.Disposed);
        Assert.Equal(new string('a', 30), Text(await running));
    }

    private static SamplingOptions Greedy => new() { Temperature = 0, MaxTokens = 100 };

    private static TextRequest Request(string prompt) => new() { Prompt = new TextPrompt.Text(prompt), Sampling = Greedy };

    private static TableTokenizer NewTokenizer(bool addsBos) => new([" upon", " a "], ["<bos>", "<turn>", "<end>"], new SpecialTokens
    {
        AddsBos = addsBos,
        Bos = 258,
        Eos = 260,
        EndTokens = new HashSet<int> { 260 },
    });

    private static TextModel Model(string prompt, string answer, string? template = Template)
    {
        int[] script = [.. Tokenizer.Encode(prompt, true).Ids, .. Tokenizer.Encode(answer, false, true).Ids];
        return Model(Tokenizer, new ScriptPipeline(Tokenizer.VocabSize, script), template);
    }

    private static TextModel Model(ITokenizer tokenizer, Engine.Execution.IPipeline pipeline, string? template) => new(
        new TextModelParts
        {
            Name = "fake",
            Tokenizer = tokenizer,
            ChatTemplate = template is null ? null : ChatTemplate.Parse(template),
            Pipeline = pipeline,
            Fingerprint = () => "fake",
        },
        new TextModelOptions());

    private static float LogProb(HashPipeline pipeline, int[] context, int token)
    {
        var logits = pipeline.Reference(context);
        return LogProbabilities.Of(logits[token], LogProbabilities.LogSumExp(logits));
    }

    private static async Task<List<TextChunk>> Collect(TextModel model, TextRequest request)
    {
        var chunks = new List<TextChunk>();
        await foreach (var chunk in model.GenerateAsync(request, Token))
            chunks.Add(chunk);
        return chunks;
    }

    private static string Text(IEnumerable<TextChunk> chunks) => string.Concat(chunks.Select(c => c.Text));
}
