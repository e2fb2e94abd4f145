using System.Text;
using CsCheck;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Engine.Tests.Scheduling;
using Slm.Tokenization;

namespace Slm.Runtime.Tests;

/// <summary>Answers whose stream broke after any chunk and that another model continues.</summary>
public sealed class ResumeTests
{
    private static readonly TableTokenizer Tokenizer = new(["ab", "abc", " st", "op", "é", "STOP"], ["<mark>", "<end>"], new SpecialTokens { Eos = 263, EndTokens = new HashSet<int> { 263 } });

    // Letters, pieces of characters, tokens of several letters, a control token, and the end.
    private static readonly int[] Ids = ['a', 'b', 'c', ' ', 0xC3, 0xA9, 0xF0, 0x9F, 256, 257, 258, 259, 260, 261, 262, 263];

    private static readonly Gen<TextRequest> Request = Gen.Select(
        Gen.Int[0, 13].Select(i => Ids[i]).Array[1, 12],
        Gen.Int[1, 25],
        Gen.Int[0, 8].Select(i => "abc stopé"[i]).Array[1, 4].Select(c => new string(c)).Array[0, 3],
        Gen.Int, Gen.OneOf(Gen.Const(0f), Gen.Const(0.7f), Gen.Const(1f)), Gen.Bool, Gen.Bool,
        (prompt, max, stops, bits, temperature, include, penalties) => new TextRequest
        {
            Prompt = new TextPrompt.Tokens(prompt),
            Stop = stops,
            Echo = (bits & 1) != 0,
            IncludeStopInOutput = include,
            SkipSpecialTokens = (bits & 2) != 0,
            Speculation = (bits & 4) != 0 ? SpeculationKind.NGram : null,
            Sampling = new SamplingOptions
            {
                MaxTokens = (bits & 8) != 0 ? max : null,
                Temperature = temperature,
                Seed = temperature == 0 ? null : (ulong)(uint)bits,
                LogProbs = (bits & 16) != 0,
                TopLogProbs = (bits & 16) != 0 ? 2 : 0,
                RepetitionPenalty = penalties ? 1.3f : 1,
                FrequencyPenalty = penalties ? 0.4f : 0,
                StopTokenIds = (bits & 32) != 0 ? [260] : [],
                LogitBias = Ids.ToDictionary(id => id, id => id == 263 ? 14f : 20f),
            },
        });

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_rest_and_what_was_received_are_the_undisturbed_answer_wherever_it_was_cut()
    {
        var (cuts, matches, heldBack) = (0, 0, 0);
        await using var model = Model();
        await using var other = Model();
        await Request.SampleAsync(async request =>
        {
            var whole = await Collect(model, request);
            var answer = whole.Where(c => !c.IsPrompt).ToList();
            for (var received = 0; received <= answer.Count; received++)
            {
                var have = answer[..received];
                var tokens = have.SelectMany(c => c.TokenIds).ToArray();
                if (tokens.Length == 0)
                    continue;
                var text = Text(have);
                var rest = await Collect(other, request with { ResumeTokens = tokens, ResumeTextBytes = Encoding.UTF8.GetByteCount(text) });
                Assert.DoesNotContain(rest, c => c.IsPrompt);
                Assert.Equal(Text(answer), text + Text(rest));
                Assert.Equal(answer.SelectMany(c => c.TokenIds), tokens.Concat(rest.SelectMany(c => c.TokenIds)));
                Assert.Equal(answer.SelectMany(c => c.LogProbs).Select(Describe), have.Concat(rest).SelectMany(c => c.LogProbs).Select(Describe));
                var (last, again) = (answer[^1], rest[^1]);
                Assert.Equal((last.Finish, last.StopMatch, last.Usage!.PromptTokens, last.Usage.CompletionTokens), (again.Finish, again.StopMatch, again.Usage!.PromptTokens, again.Usage.CompletionTokens));
                Assert.All(rest.SkipLast(1), c => Assert.True(c.Finish is null && c.Usage is null));

                // Whoever has none of the text gets all of it.
                Assert.Equal(Text(answer), Text(await Collect(other, request with { ResumeTokens = tokens })));
                Interlocked.Increment(ref cuts);
                if (last.StopMatch is not null)
                    Interlocked.Increment(ref matches);
                if (Tokenizer.Decode(tokens, request.SkipSpecialTokens) != text)
                    Interlocked.Increment(ref heldBack);
            }
        }, iter: 300, threads: 2);
        Assert.True(cuts > 1000 && matches > 100 && heldBack > 50, $"{cuts} cuts, {matches} with a stop string, {heldBack} amid text held back");
    }

    [Fact]
    public async Task What_cannot_be_resumed_is_refused_by_its_field()
    {
        await using var model = Model();
        var request = new TextRequest { Prompt = new TextPrompt.Tokens(['a']), Sampling = new SamplingOptions { MaxTokens = 3, Seed = 1 }, ResumeTokens = ['a', 'b'] };
        Assert.Equal("seed", Refused(request with { Sampling = request.Sampling with { Seed = null } }));
        Assert.Equal("resume_token_ids", Refused(request with { ResumeTokens = ['a', 'b', 'c', 'd'] }));
        Assert.Equal("resume_token_ids[1]", Refused(request with { ResumeTokens = ['a', 264] }));
        Assert.Equal("resume_token_ids[0]", Refused(request with { ResumeTokens = [263, 'a'] }));
        Assert.Equal("resume_text_bytes", Refused(request with { ResumeTextBytes = 9 }));
        Assert.Equal("resume_text_bytes", Refused(request with { ResumeTextBytes = -1 }));
        Assert.Equal("resume_text_bytes", Refused(request with { ResumeTokens = [], ResumeTextBytes = 1 }));
        Assert.Equal("resume_text_bytes", Refused(request with { ResumeTokens = [0xC3, 0xA9], ResumeTextBytes = 1 }));

        string Refused(TextRequest wrong) => Assert.Throws<SamplingOptionException>(() => model.GenerateAsync(wrong, Token)).Field;
    }

    private static TextModel Model() => new(
        new TextModelParts
        {
            Name = "fake",
            Tokenizer = Tokenizer,
            Pipeline = new HashPipeline(Tokenizer.VocabSize, context: 40),
            Fingerprint = () => "fake",
        },
        new TextModelOptions());

    private static string Describe(TokenLogProb token) => $"{token.TokenId} {token.LogProb:R} {string.Join(',', token.Top.Select(t => (t.TokenId, t.LogProb)))}";

    private static async Task<List<TextChunk>> Collect(TextModel model, TextRequest request)
    {
        var chunks = new List<TextChunk>();
        await foreach (var chunk in model.GenerateAsync(request))
            chunks.Add(chunk);
        return chunks;
    }

    private static string Text(IEnumerable<TextChunk> chunks) => string.Concat(chunks.Select(c => c.Text));
}
