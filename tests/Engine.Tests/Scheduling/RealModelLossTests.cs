using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Engine.Tests.Adapters;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Scheduling;

/// <summary>Losses of real layers, with steps that only some of the stages have computed.</summary>
public sealed class RealModelLossTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("llama-q4_0", 1)]
    [InlineData("llama-q4_0", 2)]
    [InlineData("plm-f32", 2)]
    [InlineData("mamba2-f32", 0)]
    [InlineData("mamba2-f32", 2)]
    [InlineData("falcon-h1-norm-f16", 1)]
    [InlineData("falcon-h1-norm-f16", 4)]
    [InlineData("smallthinker-f32", 2)]
    [InlineData("t5-f32", 0)]
    [InlineData("t5-f32", 2)]
    public async Task Answers_log_probabilities_and_embeddings_are_the_same_bits(string model, int depth)
    {
        using var file = ReferenceModel.Open(model);
        var reference = ReferenceModel.Read(model);
        var requests = Requests(reference, file).ToArray();
        await using var whole = new FragilePipeline(() => Load(file, stages: 1), 1, 0);
        await using var pipeline = new FragilePipeline(() => Load(file, stages: 2), 3, depth) { FaultRate = 0.12 };
        var expected = await RunAsync(whole, requests, draft: null);
        await using var draft = file.Config is { Encoder: null } && whole.StateSlots == 0 ? Load(file, stages: 1) : null;
        var actual = await RunAsync(pipeline, requests, draft);
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i]);
        Assert.True(pipeline.StatesLost > 0 && pipeline.Recoveries > pipeline.StatesLost, $"{pipeline.Recoveries} recoveries, {pipeline.StatesLost} with state lost");
    }

    [Fact]
    public async Task Adapters_stay_loaded_and_are_freed_when_they_are_unloaded()
    {
        using var file = ReferenceModel.Open("llama-q8_0");
        using var adapters = new AdapterSet(file);
        var requests = Enumerable.Range(0, 12).Select(i => new GenerationRequest
        {
            Prompt = [.. Enumerable.Range(3, 30), i % 3],
            Adapter = i % 4 == 0 ? null : $"{i % 4}",
            Sampling = new SamplingOptions { MaxTokens = 25, Temperature = i % 2, Seed = (ulong)i, LogProbs = true },
        }).ToArray();
        await using var whole = new FragilePipeline(() => Load(file, stages: 1), 1, 0) { Reopen = adapters.Open };
        await using var pipeline = new FragilePipeline(() => Load(file, stages: 2), 7, 2) { FaultRate = 0.1, Reopen = adapters.Open };
        var expected = await RunAsync(whole, requests, null, adapters);
        Assert.Equal(expected, await RunAsync(pipeline, requests, null, adapters));
        Assert.True(pipeline.StatesLost > 0, $"{pipeline.Recoveries} recoveries, {pipeline.StatesLost} with state lost");
    }

    private static IEnumerable<GenerationRequest> Requests(ReferenceModel reference, ModelFile file)
    {
        for (var i = 0; i < 8; i++)
        {
            int[] text = [.. reference.Tokens, .. reference.Tokens[..(i + 1)]];
            yield return new GenerationRequest
            {
                Prompt = file.Config.Encoder is { } encoder ? [encoder.StartToken] : text,
                EncoderInput = file.Config.Encoder is null ? null : [.. reference.Encoder, .. reference.Encoder[..(i / 2)]],
                Speculation = i % 4 == 0 ? SpeculationKind.NGram : null,
                Sampling = new SamplingOptions
                {
                    MaxTokens = 16,
                    IgnoreEos = true,
                    Temperature = i % 2,
                    Seed = (ulong)i,
                    LogProbs = true,
                    TopLogProbs = 3,
                    RepetitionPenalty = i % 3 == 0 ? 1.2f : 1,
                },
            };
        }
    }

    /// <summary>Every answer as its tokens with the bits of their log-probabilities; then an embedding, where the model makes some.</summary>
    private static async Task<string[]> RunAsync(FragilePipeline pipeline, GenerationRequest[] requests, IPipeline? draft, AdapterSet? adapters = null)
    {
        var options = new SchedulerOptions { MaxRunning = 5, GrowthReserve = 0, ChunkTokens = 16, Speculation = draft is null ? SpeculationKind.None : SpeculationKind.Draft };
        await using var scheduler = new Scheduler(pipeline, options, TimeProvider.System, draft);
        if (adapters is not null)
            await adapters.LoadInto(scheduler);
        var embedding = pipeline.Config.Encoder is null ? scheduler.EmbedAsync(requests[0].Prompt, PoolingKind.Mean, Token) : Task.FromResult<float[]>([]);
        var answers = await Task.WhenAll(requests.Select(DescribeAsync));
        string[] all = [.. answers, string.Join(' ', (await embedding).Select(BitConverter.SingleToInt32Bits))];
        PipelineLossTests.RequireNothingHeld(scheduler);
        for (var slot = 1; adapters is not null && slot <= AdapterSet.Count; slot++)
            await scheduler.UnloadAdapterAsync($"{slot}");
        return all;

        async Task<string> DescribeAsync(GenerationRequest request)
        {
            var parts = new List<string>();
            await foreach (var item in scheduler.GenerateAsync(request, Token))
                parts.Add($"{item.Token!.TokenId}:{BitConverter.SingleToInt32Bits(item.Token.LogProb!.Value)}:{string.Join(',', item.Token.Top.Select(t => (t.TokenId, BitConverter.SingleToInt32Bits(t.LogProb))))}");
            return string.Join(' ', parts);
        }
    }

    private static LocalPipeline Load(ModelFile file, int stages) => LocalPipeline.Load(file, new LocalPipelineOptions
    {
        Threads = 1,
        Stages = stages,
        KvPositions = 14 * 32,
        StateSlots = 6,
        MaxStepTokens = 48,
    });
}
