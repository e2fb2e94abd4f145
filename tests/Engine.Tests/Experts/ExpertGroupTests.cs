using System.Runtime.InteropServices;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Tests.Adapters;
using Slm.Engine.Tests.Stages;
using Slm.Engine.Threading;
using Slm.Engine.Wire;

namespace Slm.Engine.Tests.Experts;

public sealed class ExpertGroupTests
{
    private static readonly int[] Blocks = [5, 0, 9];

    [Theory]
    [InlineData("llama-moe-f16", 2)]
    [InlineData("qwen3moe-q8_0", 3)]
    public void Groups_hold_their_matrices_and_nothing_else(string model, int groups)
    {
        using var file = ReferenceModel.Open(model);
        using var workers = new WorkerPool(1);
        var stored = file.Source.Tensors.Where(t => t.Name.Contains("_exps", StringComparison.Ordinal)).ToArray();
        var count = file.Config.Experts!.Count;
        var slices = ExpertSlice.Split(count, groups);
        var held = slices.Select(slice =>
        {
            using var group = ExpertGroup.Load(file, Whole(file), slice, new ExpertGroupOptions(), workers);
            Assert.Equal(stored.Sum(t => t.ByteLength) / count * slice.Count, group.WeightBytes);
            return group.WeightBytes;
        }).Sum();
        Assert.Equal(stored.Sum(t => t.ByteLength), held);
        using var all = Stage.Load(file, Whole(file), new StageOptions { BlockCount = 1 }, workers);
        using var none = Stage.Load(file, Whole(file), new StageOptions { BlockCount = 1, RemoteExperts = new RemoteExperts(new Unreached(slices), ExpertSlice.None) }, workers);
        using var some = Stage.Load(file, Whole(file), new StageOptions { BlockCount = 1, RemoteExperts = new RemoteExperts(new Unreached(slices[1..]), slices[0]) }, workers);
        Assert.Equal(all.WeightBytes - held, none.WeightBytes);
        Assert.Equal(none.WeightBytes + (held / count * slices[0].Count), some.WeightBytes);
    }

    [Fact]
    public async Task Visits_are_counted_by_layer_and_expert()
    {
        using var file = ReferenceModel.Open("qwen3moe-f32");
        var experts = file.Config.Experts!;
        using var channel = new ByteChannel(file, Whole(file), ExpertSlice.Split(experts.Count, 3), new ExpertGroupOptions { MaxVisits = 4 });
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { KvPositions = 64, RemoteExperts = new RemoteExperts(channel, ExpertSlice.None) });
        var tokens = Tokens(file, 30);
        StepRunner.Logits(pipeline, tokens, [0], 11);
        Assert.All(channel.Held, group => Assert.Equal(Enumerable.Range(0, file.Config.LayerCount), group.Visits.Select(layer => layer.Layer)));
        for (var layer = 0; layer < file.Config.LayerCount; layer++)
            Assert.Equal(30L * experts.UsedCount, channel.Held.Sum(group => group.Visits[layer].Visits.Sum()));
        Assert.Contains(channel.Held, group => group.Visits[0].Visits.Distinct().Count() > 1);
    }

    [Fact]
    public void Callers_take_turns()
    {
        using var file = ReferenceModel.Open("qwen3moe-q8_0");
        using var workers = new WorkerPool(2);
        var slice = ExpertSlice.RoundRobin(file.Config.Experts!.Count, 0, 2);
        using var group = ExpertGroup.Load(file, Whole(file), slice, new ExpertGroupOptions { MaxVisits = 7 }, workers);
        var calls = Enumerable.Range(0, 8).Select(seed => Call.Random(file, slice, rows: 5 + seed, visits: 11 + seed, seed)).ToArray();
        var expected = calls.Select(call => call.Run(group)).ToArray();
        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => Assert.Equal(expected[i % 8], calls[i % 8].Run(group)));
    }

    [Fact]
    public void A_visit_does_not_depend_on_the_others_or_their_order()
    {
        using var file = ReferenceModel.Open("qwen3moe-q8_0");
        using var workers = new WorkerPool(2);
        var slice = ExpertSlice.RoundRobin(file.Config.Experts!.Count, 1, 2);
        using var group = ExpertGroup.Load(file, Whole(file), slice, new ExpertGroupOptions(), workers);
        var call = Call.Random(file, slice, rows: 6, visits: 40, seed: 3);
        var all = call.Run(group);
        for (var visit = 0; visit < 40; visit++)
        {
            var one = call with { VisitRows = [call.VisitRows[visit]], VisitExperts = [call.VisitExperts[visit]] };
            Assert.Equal(all[(visit * group.Width)..((visit + 1) * group.Width)], one.Run(group));
        }
    }

    [Fact]
    public void What_a_group_cannot_compute_is_refused()
    {
        using var file = ReferenceModel.Open("qwen3moe-f32");
        using var dense = ReferenceModel.Open("llama-untied-f32");
        using var workers = new WorkerPool(1);
        var count = file.Config.Experts!.Count;
        var options = new ExpertGroupOptions();
        Assert.Contains("has no experts", Assert.Throws<ArgumentException>(() => ExpertGroup.Load(dense, Whole(dense), ExpertSlice.Of([0]), options, workers)).Message, StringComparison.Ordinal);
        Assert.Contains($"the {count} of", Assert.Throws<ArgumentException>(() => ExpertGroup.Load(file, Whole(file), ExpertSlice.Of([count]), options, workers)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ExpertGroup.Load(file, Whole(file), ExpertSlice.None, options, workers));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertGroup.Load(file, new LayerRange(0, 99), ExpertSlice.Of([0]), options, workers));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertGroup.Load(file, Whole(file), ExpertSlice.Of([0]), options with { MaxVisits = 0 }, workers));

        var group = ExpertGroup.Load(file, new LayerRange(1, 2), ExpertSlice.Of([1, 3]), options, workers);
        var rows = new float[2 * group.Width];
        string Refusal(int layer, int row, int expert, int width = 0, int results = 1) => Assert.ThrowsAny<ArgumentException>(() =>
            group.Forward(layer, new EncodedRows(rows.AsSpan(0, width == 0 ? rows.Length : width), width == 0 ? group.Width : width), [row], [expert], WireFormat.F32, new byte[results * group.Width * 4])).Message;
        Assert.Contains("layers in [1, 2)", Refusal(0, 0, 1), StringComparison.Ordinal);
        Assert.Contains("row 2; there are 2", Refusal(1, 2, 1), StringComparison.Ordinal);
        Assert.Contains("row -1", Refusal(1, -1, 1), StringComparison.Ordinal);
        Assert.Contains("expert 2; this group holds 1, 3", Refusal(1, 0, 2), StringComparison.Ordinal);
        Assert.Contains("expert -1", Refusal(1, 0, -1), StringComparison.Ordinal);
        Assert.Contains("have 8 values", Refusal(1, 0, 1, width: 8), StringComparison.Ordinal);
        Assert.Contains("as F32", Refusal(1, 0, 1, results: 2), StringComparison.Ordinal);
        group.Dispose();
        group.Dispose();
        Assert.Throws<ObjectDisposedException>(() => group.Forward(1, rows, [0], [1], new float[group.Width]));
    }

    [Theory]
    [InlineData("qwen3moe-f32", false)]
    [InlineData("llama-moe-f16", true)]
    public async Task Adapters_of_experts_are_refused_and_others_work(string model, bool apart)
    {
        using var path = apart ? DerivedModelTests.ExpertsApart(model) : null;
        using var file = path is null ? ReferenceModel.Open(model) : ModelFile.Open(path.Path);
        var slices = ExpertSlice.Split(file.Config.Experts!.Count, 2);
        using var channel = new ByteChannel(file, Whole(file), slices[1..]);
        var options = new LocalPipelineOptions { KvPositions = 128, Threads = 2 };
        await using var resident = LocalPipeline.Load(file, options);
        await using var split = LocalPipeline.Load(file, options with { RemoteExperts = new RemoteExperts(channel, slices[0]) });
        // An expert that the stage holds itself is no exception: adapters would change some of a token's experts and not others.
        var expert = apart ? "blk.1.ffn_up.0.weight" : "blk.1.ffn_up_exps.weight";
        using var refused = Adapter(file, [expert]);
        var error = await Assert.ThrowsAsync<AdapterFormatException>(async () => await split.LoadAdapterAsync(1, refused.Adapter, TestContext.Current.CancellationToken));
        Assert.Contains($"'{expert}', which is not supported where groups on several silos hold them", error.Message, StringComparison.Ordinal);
        using var taken = Adapter(file, ["blk.0.attn_q.weight", "blk.1.ffn_gate_inp.weight"]);
        await resident.LoadAdapterAsync(1, taken.Adapter, TestContext.Current.CancellationToken);
        await split.LoadAdapterAsync(1, taken.Adapter, TestContext.Current.CancellationToken);
        var batch = new StepBatch();
        batch.Add(Tokens(file, 20), 0, [0], 20, adapter: 1);
        var changed = StepRunner.Forward(resident, batch).ToArray();
        Assert.Equal(changed, StepRunner.Forward(split, batch).ToArray());
        batch.Clear();
        batch.Add(Tokens(file, 20), 0, [0], 20);
        Assert.NotEqual(changed, StepRunner.Forward(split, batch).ToArray());
    }

    private static int[] Tokens(ModelFile file, int count)
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(file.Config.VocabSize))];
    }

    private static LayerRange Whole(ModelFile file) => new(0, file.Config.LayerCount);

    private static OpenAdapter Adapter(ModelFile file, IReadOnlyList<string> tensors)
    {
        var written = LoraFiles.Write(file.Config.Architecture, LoraFiles.Random(file.Source, tensors, 4, seed: 2), alpha: 8);
        return new OpenAdapter(written, LoraAdapter.Open(written.Path, file));
    }

    private sealed record OpenAdapter(Formats.TemporaryFile File, LoraAdapter Adapter) : IDisposable
    {
        public void Dispose()
        {
            Adapter.Dispose();
            File.Dispose();
        }
    }

    private sealed record Call(float[] Rows, int[] VisitRows, int[] VisitExperts)
    {
        public static Call Random(ModelFile file, ExpertSlice slice, int rows, int visits, int seed)
        {
            var random = new Random(seed);
            return new Call(
                [.. Enumerable.Range(0, rows * file.Config.HiddenSize).Select(_ => (random.NextSingle() * 4) - 2)],
                [.. Enumerable.Range(0, visits).Select(_ => random.Next(rows))],
                [.. Enumerable.Range(0, visits).Select(_ => slice.Experts[random.Next(slice.Count)])]);
        }

        public float[] Run(ExpertGroup group)
        {
            var results = new float[VisitRows.Length * group.Width];
            group.Forward(1, Rows, VisitRows, VisitExperts, results);
            return results;
        }
    }

    private sealed class Unreached(IReadOnlyList<ExpertSlice> groups) : IExpertChannel
    {
        public IReadOnlyList<ExpertSlice> Groups => groups;

        public IExpertCall Begin(int group, ExpertVisits visits, CancellationToken cancellationToken) => throw new InvalidOperationException("It is never called.");
    }
}
