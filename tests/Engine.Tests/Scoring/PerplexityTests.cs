using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Scoring;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Scoring;

public sealed class PerplexityTests
{
    private const string Model = "llama-untied-f32";

    private static CancellationToken None => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(8, null)]
    [InlineData(9, 1)]
    [InlineData(512, 1)]
    public async Task It_is_the_definition_in_double_precision(int chunk, int? begin)
    {
        var tokens = Tokens(70);
        using var file = ReferenceModel.Open(Model);
        await using var pipeline = StepRunner.Load(file);
        var measured = await Perplexity.MeasureAsync(pipeline, tokens, new PerplexityOptions { ChunkTokens = chunk, BeginToken = begin }, null, None);

        var length = Math.Min(chunk, tokens.Length);
        var losses = new List<double>();
        for (var start = 0; start + length <= tokens.Length; start += length)
        {
            var ids = tokens[start..(start + length)];
            ids[0] = begin ?? ids[0];
            for (var p = (length / 2) + 1; p < length; p++)
            {
                // Every prefix on its own, one token at a time.
                var row = StepRunner.Logits(pipeline, ids.AsSpan(0, p), [3, 1, 0], 1)[^file.Config.VocabSize..];
                losses.Add(Math.Log(row.Sum(z => Math.Exp(z))) - row[ids[p]]);
            }
        }

        Assert.Equal(losses.Count, measured.Tokens);
        Assert.Equal(tokens.Length / length, measured.Chunks);
        Assert.Equal(Math.Exp(losses.Average()), measured.Perplexity, 1e-6 * measured.Perplexity);
        var spread = losses.Average(l => Math.Pow(l - losses.Average(), 2));
        Assert.Equal(measured.Perplexity * Math.Sqrt(spread / (losses.Count - 1)), measured.StandardError, 1e-6 * measured.Perplexity);
    }

    [Fact]
    public async Task A_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary()
    {
        using var file = ReferenceModel.Open(Model);
        await using var pipeline = new Uniform(file.Config);
        var measured = await Perplexity.MeasureAsync(pipeline, Tokens(50), new PerplexityOptions { ChunkTokens = 10 }, null, None);
        Assert.Equal(file.Config.VocabSize, measured.Perplexity, 1e-9 * file.Config.VocabSize);
        Assert.Equal(0, measured.StandardError, 1e-4);
        Assert.Equal(5 * 4, measured.Tokens);
    }

    [Fact]
    public async Task Too_few_tokens_are_refused()
    {
        using var file = ReferenceModel.Open(Model);
        await using var pipeline = new Uniform(file.Config);
        await Assert.ThrowsAsync<ArgumentException>(() => Perplexity.MeasureAsync(pipeline, [1, 2], new PerplexityOptions(), null, None));
    }

    private static int[] Tokens(int count)
    {
        var random = new Random(4);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(3, 300))];
    }

    /// <summary>Says that all tokens are as likely.</summary>
    private sealed class Uniform(ModelConfig config) : IPipeline
    {
        public ModelConfig Config => config;

        public int BlockSize => 32;

        public int BlockCount => 8;

        public int MaxStepTokens => 4;

        public ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken)
        {
            var rows = new float[batch.OutputRows.Length * config.VocabSize];
            rows.AsSpan().Fill(2.5f);
            return new(rows);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
