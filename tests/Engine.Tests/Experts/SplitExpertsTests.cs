using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Models;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.HuggingFace;
using Slm.Engine.Tests.Stages;
using Slm.Engine.Threading;

namespace Slm.Engine.Tests.Experts;

/// <summary>Experts that groups hold give the bits that resident ones give, however they are split.</summary>
public sealed class SplitExpertsTests
{
    private const int Length = 45;
    public static TheoryData<string> AllModels => [.. ExpertModels.Names];

    [Theory]
    [MemberData(nameof(ExpertModels.Cases), MemberType = typeof(ExpertModels))]
    public async Task Who_holds_an_expert_does_not_change_the_logits(string model, string kernels)
    {
        using var file = ReferenceModel.Open(model);
        await Compare(file, kernels);
    }

    [Fact]
    public async Task The_shared_expert_stays_with_the_stage()
    {
        using var path = ExactDecoderTests.Qwen2moe(normalizes: true).Write();
        using var file = ModelFile.Open(path.Path);
        foreach (var kernels in StepRunner.KernelSets)
            await Compare(file, kernels);
    }

    [Fact]
    public async Task Experts_in_tensors_of_their_own_are_split_as_well()
    {
        using var path = DerivedModelTests.ExpertsApart("llama-moe-f16");
        using var file = ModelFile.Open(path.Path);
        await Compare(file, null);
    }

    [Theory]
    [InlineData("llama-moe-f16")]
    [InlineData("qwen3moe-f32")]
    [InlineData("smallthinker-f32")]
    public async Task Folders_are_split_as_well(string model)
    {
        using var folder = new ReferenceFolder(model);
        using var file = ModelFile.Open(folder.Write(3));
        await Compare(file, null);
    }

    [Theory]
    [MemberData(nameof(AllModels))]
    public async Task Stages_share_groups_and_company_does_not_change_the_logits(string model)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, null, Length);
        var (vocab, experts) = (file.Config.VocabSize, file.Config.Experts!.Count);
        var slices = ExpertSlice.Split(experts, 3);
        using var channel = new ByteChannel(file, Whole(file), slices[1..], new ExpertGroupOptions { MaxVisits = 3 });
        for (var stages = 1; stages <= file.Config.LayerCount; stages++)
        {
            await using var pipeline = LocalPipeline.Load(file, Options(null, channel, slices[0]) with { Stages = stages });
            var random = new Random(stages);
            var batch = new StepBatch();
            for (var start = 0; start < Length;)
            {
                var count = Math.Min(random.Next(1, 7), Length - start);
                var before = random.Next(0, 12);
                batch.Clear();
                if (before > 0)
                    batch.Add(tokens.AsSpan(random.Next(Length - before), before), 0, [11], 1);
                batch.Add(tokens.AsSpan(start, count), start, ExpertModels.Blocks, count);
                if (random.Next(2) == 0)
                    batch.Add(tokens.AsSpan(random.Next(Length - 5), 5), 3, [12], 1);
                ExpertModels.Same(expected.AsSpan(start * vocab, count * vocab), StepRunner.Forward(pipeline, batch).Span.Slice(before > 0 ? vocab : 0, count * vocab));
                start += count;
            }
        }
    }

    [Theory]
    [MemberData(nameof(AllModels))]
    public async Task A_group_gets_one_call_per_layer_and_step_and_a_row_once(string model)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, _) = await ExpertModels.ResidentAsync(file, null, Length);
        var experts = file.Config.Experts!;
        using var channel = new ByteChannel(file, Whole(file), ExpertSlice.Split(experts.Count, 2));
        await using var pipeline = LocalPipeline.Load(file, Options(null, channel, ExpertSlice.None));
        StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, Length);
        Assert.InRange(channel.Calls, file.Config.LayerCount, 2 * file.Config.LayerCount);
        Assert.InRange(channel.RowsSent, Length * file.Config.LayerCount, 2 * Length * file.Config.LayerCount);
        Assert.Equal((long)Length * file.Config.LayerCount * experts.UsedCount, channel.VisitsSent);
        Assert.Equal((channel.RowsSent + channel.VisitsSent) * file.Config.HiddenSize * sizeof(float), channel.Bytes);
    }

    [Theory]
    [MemberData(nameof(AllModels))]
    public async Task Visits_are_counted_wherever_the_expert_is(string model)
    {
        using var file = ReferenceModel.Open(model);
        var (tokens, _) = await ExpertModels.ResidentAsync(file, null, Length);
        var experts = file.Config.Experts!;
        await using var resident = StepRunner.Load(file, null, threads: 1);
        StepRunner.Logits(resident, tokens, ExpertModels.Blocks, 7);
        var all = resident.Stages[0];
        Assert.Equal(Enumerable.Range(0, experts.Count), all.HeldExperts.Experts);
        Assert.Equal(Enumerable.Range(0, file.Config.LayerCount), all.Visits.Select(layer => layer.Layer));
        Assert.All(all.Visits, layer => Assert.Equal((long)Length * experts.UsedCount, layer.Visits.Sum()));
        Assert.Equal((long)Length * file.Config.LayerCount * experts.UsedCount, all.VisitCount);

        // Where some are elsewhere, the stage counts its own, and as often.
        var slices = ExpertSlice.Split(experts.Count, 2);
        using var channel = new ByteChannel(file, Whole(file), slices[1..]);
        await using var split = LocalPipeline.Load(file, Options(null, channel, slices[0]));
        StepRunner.Logits(split, tokens, ExpertModels.Blocks, Length);
        var own = split.Stages[0];
        Assert.Equal(slices[0].Experts, own.HeldExperts.Experts);
        foreach (var (layer, whole) in own.Visits.Zip(all.Visits))
            Assert.Equal(slices[0].Experts.Select(expert => whole.Visits[expert]), layer.Visits);
        Assert.Equal(all.VisitCount, own.VisitCount + channel.VisitsSent);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_group_that_fails_ends_the_step_and_the_next_one_works(int failing)
    {
        using var file = ReferenceModel.Open("smallthinker-f32");
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, null, Length);
        using var channel = new ByteChannel(file, Whole(file), ExpertSlice.Split(file.Config.Experts!.Count, 2));
        await using var pipeline = LocalPipeline.Load(file, Options(null, channel, ExpertSlice.None));
        channel.Reached = (group, _) => group == failing ? throw new IOException("the cable is gone") : Task.CompletedTask;
        for (var i = 0; i < 3; i++)
        {
            var error = Assert.Throws<PipelineLostException>(() => StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, 20));
            Assert.Contains("the cable is gone", error.Message, StringComparison.Ordinal);
            Assert.Contains($"experts {channel.Groups[failing]} did not compute layer 0", error.Message, StringComparison.Ordinal);
            Assert.IsType<IOException>(error.InnerException);
        }

        channel.Reached = null;
        ExpertModels.Same(expected, StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, 20));
    }

    [Fact]
    public async Task A_cancelled_token_ends_a_step_that_waits_and_late_answers_write_nothing()
    {
        using var file = ReferenceModel.Open("qwen3moe-f32");
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, null, Length);
        var slices = ExpertSlice.Split(file.Config.Experts!.Count, 3);
        using var channel = new ByteChannel(file, Whole(file), slices[1..]);
        await using var pipeline = LocalPipeline.Load(file, Options(null, channel, slices[0]));
        var reached = new SemaphoreSlim(0);
        var mayGoOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        channel.Reached = (_, _) =>
        {
            reached.Release();
            return mayGoOn.Task;
        };
        using var cancelled = new CancellationTokenSource();
        var batch = new StepBatch();
        batch.Add(tokens, 0, ExpertModels.Blocks, 1);
        var step = Task.Run(() => pipeline.Stages[0].Run(batch, default, StepOutput.Logits, cancelled.Token), TestContext.Current.CancellationToken);
        await reached.WaitAsync(TestContext.Current.CancellationToken);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => step);
        channel.Reached = null;
        mayGoOn.SetResult();
        ExpertModels.Same(expected, StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, 13));
    }

    [Fact]
    public async Task The_splitting_itself_allocates_nothing()
    {
        using var file = ReferenceModel.Open("qwen3moe-q8_0");
        using var workers = new WorkerPool(2);
        var slices = ExpertSlice.Split(file.Config.Experts!.Count, 2);
        using var group = ExpertGroup.Load(file, Whole(file), slices[1], new ExpertGroupOptions(), workers);
        await using var pipeline = LocalPipeline.Load(file, Options(null, new DirectChannel(group, 8), slices[0]) with { Workers = workers });
        var batch = new StepBatch();
        int[] token = [5];
        void Step(int position)
        {
            batch.Clear();
            batch.Add(token, position, ExpertModels.Blocks, 1);
            StepRunner.Forward(pipeline, batch);
        }

        for (var position = 0; position < 90; position++)
            Step(position);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var position = 1; position < 90; position++)
            Step(position);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Contains(group.Visits, layer => layer.Visits.Any(count => count > 0));
    }

    [Fact]
    public void Groups_that_are_not_the_models_are_refused()
    {
        using var file = ReferenceModel.Open("qwen3moe-f32");
        using var workers = new WorkerPool(1);
        var count = file.Config.Experts!.Count;
        string Refusal(ExpertSlice local, params ExpertSlice[] groups) => Assert.Throws<ArgumentException>(() => Load(file, workers, new NoChannel(groups), local)).Message;
        Assert.Contains($"No group holds expert {count - 1} of {count}", Refusal(ExpertSlice.Of(Enumerable.Range(0, count - 1))), StringComparison.Ordinal);
        Assert.Contains("Group 1 holds expert 0, which the stage holds as well", Refusal(ExpertSlice.Of([0]), ExpertSlice.Of([1]), ExpertSlice.All(count)), StringComparison.Ordinal);
        Assert.Contains("Group 1 holds expert 1, which group 0 holds as well", Refusal(ExpertSlice.None, ExpertSlice.All(count), ExpertSlice.Of([1])), StringComparison.Ordinal);
        Assert.Contains($"holds expert {count}, but the model has {count}", Refusal(ExpertSlice.Of([count]), ExpertSlice.All(count)), StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_go_together_is_refused()
    {
        using var file = ReferenceModel.Open("qwen3moe-f32");
        using var dense = ReferenceModel.Open("llama-untied-f32");
        using var workers = new WorkerPool(1);
        var count = file.Config.Experts!.Count;
        var channel = new NoChannel([ExpertSlice.All(count)]);
        Assert.Contains("RemoteExperts", Assert.Throws<ArgumentException>(() => Load(file, workers, channel, ExpertSlice.None, o => o with { ExpertMemory = 1 << 30 })).Message, StringComparison.Ordinal);
        Assert.Contains("observer", Assert.Throws<ArgumentException>(() => Load(file, workers, channel, ExpertSlice.None, o => o with { Observer = new NoObserver() })).Message, StringComparison.Ordinal);
        Assert.Contains("without experts", Assert.Throws<ArgumentException>(() => Load(dense, workers, channel, ExpertSlice.None)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Slices_are_balanced_and_checked()
    {
        Assert.Equal("0, 3, 6 | 1, 4, 7 | 2, 5", string.Join(" | ", ExpertSlice.Split(8, 3).Select(slice => slice.ToString())));
        Assert.Equal([1, 2, 9], ExpertSlice.Of([9, 1, 2]).Experts);
        Assert.Contains("twice", Assert.Throws<ArgumentException>(() => ExpertSlice.Of([3, 1, 3])).Message, StringComparison.Ordinal);
        Assert.Contains("-1", Assert.Throws<ArgumentException>(() => ExpertSlice.Of([-1])).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertSlice.Split(4, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => ExpertSlice.RoundRobin(4, 2, 2));
    }

    private static async Task Compare(ModelFile file, string? kernels)
    {
        var (tokens, expected) = await ExpertModels.ResidentAsync(file, kernels, Length);
        var count = file.Config.Experts!.Count;
        var splits = Enumerable.Range(1, 4).SelectMany(groups =>
        {
            var slices = ExpertSlice.Split(count, groups);
            return new[] { (Local: ExpertSlice.None, Groups: slices), (Local: slices[groups / 2], Groups: slices.Where((_, i) => i != groups / 2).ToArray()) };
        }).ToList();
        splits.Add((ExpertSlice.Of([count - 1]), [ExpertSlice.Of([1]), ExpertSlice.Of([0, .. Enumerable.Range(2, count - 3)])]));
        splits.Add((ExpertSlice.None, [ExpertSlice.Of(Enumerable.Range(1, count - 1)), ExpertSlice.Of([0])]));
        var visits = new[] { 2048, 1, 5 };
        for (var i = 0; i < splits.Count; i++)
        {
            var (local, groups) = splits[i];
            using var channel = new ByteChannel(file, Whole(file), groups, new ExpertGroupOptions { MaxVisits = visits[i % 3], Kernels = StepRunner.Kernels(kernels) }, threads: 1 + (i % 2));
            await using var pipeline = LocalPipeline.Load(file, Options(kernels, channel, local));
            foreach (var chunk in new[] { 1, 7, Length })
                ExpertModels.Same(expected, StepRunner.Logits(pipeline, tokens, ExpertModels.Blocks, chunk));
            Assert.Equal(groups.Length > 0, channel.Calls > 0);
        }
    }

    private static LocalPipelineOptions Options(string? kernels, IExpertChannel channel, ExpertSlice local) => new()
    {
        Threads = 2,
        KvCacheBytes = 32 << 20,
        Kernels = StepRunner.Kernels(kernels),
        RemoteExperts = new RemoteExperts(channel, local),
    };

    private static void Load(ModelFile file, WorkerPool workers, IExpertChannel channel, ExpertSlice local, Func<StageOptions, StageOptions>? change = null)
    {
        var options = new StageOptions { BlockCount = 4, RemoteExperts = new RemoteExperts(channel, local) };
        Stage.Load(file, Whole(file), change is null ? options : change(options), workers).Dispose();
    }

    private static LayerRange Whole(ModelFile file) => new(0, file.Config.LayerCount);

    /// <summary>A group in the same thread.</summary>
    private sealed class DirectChannel(ExpertGroup group, int most) : IExpertChannel, IExpertCall
    {
        private readonly float[] _rows = new float[most * group.Width], _results = new float[most * group.Width];
        private ExpertVisits? _visits;

        public IReadOnlyList<ExpertSlice> Groups { get; } = [group.Slice];

        public IExpertCall Begin(int index, ExpertVisits visits, CancellationToken cancellationToken)
        {
            _visits = visits;
            for (var row = 0; row < visits.Rows; row++)
                visits.Row(row).CopyTo(_rows.AsSpan(row * group.Width));
            return this;
        }

        public void Finish()
        {
            var visits = _visits!;
            group.Forward(visits.Layer, _rows.AsSpan(0, visits.Rows * group.Width), visits.VisitRows, visits.VisitExperts, _results.AsSpan(0, visits.Count * group.Width));
            for (var visit = 0; visit < visits.Count; visit++)
                _results.AsSpan(visit * group.Width, group.Width).CopyTo(visits.Result(visit));
        }

        public void Dispose()
        {
        }
    }

    private sealed class NoChannel(IReadOnlyList<ExpertSlice> groups) : IExpertChannel
    {
        public IReadOnlyList<ExpertSlice> Groups => groups;

        public IExpertCall Begin(int group, ExpertVisits visits, CancellationToken cancellationToken) => throw new InvalidOperationException("It is never called.");
    }

    private sealed class NoObserver : IInputObserver
    {
        public void Observe(string tensor, ReadOnlySpan<float> rows, int columns, int index, int count)
        {
        }
    }
}
