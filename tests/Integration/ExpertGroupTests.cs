using Google.Rpc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Hosting;
using Orleans.Runtime;
using Orleans.Runtime.Hosting;
using Orleans.Serialization;
using Orleans.Serialization.Configuration;
using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Models;
using Slm.Engine.Wire;
using Slm.Inference;
using Slm.Inference.Cluster;
using Slm.Inference.Direct;
using Slm.Inference.Engines;
using Slm.Runtime;

namespace Slm.Integration;

/// <summary>Groups of experts on silos of their own, with stages that call them.</summary>
public sealed class ExpertGroupTests
{
    private const string Model = "qwen3moe-q8_0";
    private const int Length = 24;
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Each of two silos has a stage whose thread waits for experts of the other.</summary>
    [Theory]
    [InlineData("qwen3moe-q8_0", WireFormat.F32)]
    [InlineData("qwen3moe-q8_0", WireFormat.Q8)]
    [InlineData("smallthinker-f32", WireFormat.F32)]
    public async Task Silos_that_wait_for_each_others_experts_go_on_and_compute_the_same_bits(string model, WireFormat format)
    {
        await using var one = await Silo.StartAsync(null);
        await using var two = await Silo.StartAsync(one);
        using var file = ModelFile.Open(ReferenceModel.PathOf(model));
        var halves = ExpertSlice.Split(file.Config.Experts!.Count, 2);
        var groups = await Task.WhenAll(one.LoadAsync(file, halves[0]), two.LoadAsync(file, halves[1]));
        Assert.Equal([one.Address, two.Address], groups.Select(group => group.Info.Silo));
        using var here = one.Stage(file, halves[0], format, groups[1]);
        using var there = two.Stage(file, halves[1], format, groups[0]);
        var expected = Resident(file);
        var steps = Enumerable.Range(0, 8).SelectMany(_ => new[] { one.RunAsync(here, file), two.RunAsync(there, file) });
        Assert.All(await Task.WhenAll(steps).WaitAsync(Deadline, Cancelled), logits => Assert.Equal(expected, logits));

        // Every visit of either stage went to one of the groups or stayed in the stage itself.
        var state = (await groups[0].Grain.GetAsync())!;
        Assert.Equal((model, groups[0].Info.WeightBytes), (state.Model, state.Info.WeightBytes));
        Assert.Equal(Enumerable.Range(0, file.Config.LayerCount), state.Layers);
        Assert.All(state.Visits, layer => Assert.InRange(layer.Sum(), 1, 8L * Length * file.Config.Experts.UsedCount));
        Assert.Contains("experts 0, 2", one.Parts.Single().Part, StringComparison.Ordinal);
        await groups[0].Grain.UnloadAsync();
        Assert.Empty(one.Parts);
    }

    [Fact]
    public async Task Groups_on_the_stages_own_silo_work_without_copies_between_silos()
    {
        await using var silo = await Silo.StartAsync(null);
        using var file = ModelFile.Open(ReferenceModel.PathOf(Model));
        var thirds = ExpertSlice.Split(file.Config.Experts!.Count, 3);
        var groups = await Task.WhenAll(thirds.Select(slice => silo.LoadAsync(file, slice)));
        using var stage = silo.Stage(file, ExpertSlice.None, WireFormat.F32, groups);
        Assert.Equal(Resident(file), await silo.RunAsync(stage, file).WaitAsync(Deadline, Cancelled));
    }

    [Fact]
    public async Task A_stage_whose_group_is_lost_says_so_and_goes_on_with_another()
    {
        await using var one = await Silo.StartAsync(null);
        using var file = ModelFile.Open(ReferenceModel.PathOf(Model));
        var halves = ExpertSlice.Split(file.Config.Experts!.Count, 2);
        var expected = Resident(file);
        var two = await Silo.StartAsync(one);
        var lost = await two.LoadAsync(file, halves[1]);
        var remote = one.Open(halves[0], WireFormat.F32, lost);
        using var stage = one.Stage(file, remote);
        Assert.Equal(expected, await one.RunAsync(stage, file).WaitAsync(Deadline, Cancelled));
        await two.DisposeAsync();
        var error = await Assert.ThrowsAsync<PipelineLostException>(() => one.RunAsync(stage, file).WaitAsync(Deadline, Cancelled));
        Assert.Contains($"experts {halves[1]} did not compute layer 0", error.Message, StringComparison.Ordinal);
        var other = await one.LoadAsync(file, halves[1]);
        ((GrainExpertChannel)remote.Channel).Replace(0, other.Grain, other.Key);
        Assert.Equal(expected, await one.RunAsync(stage, file).WaitAsync(Deadline, Cancelled));
    }

    [Fact]
    public async Task What_a_group_cannot_hold_or_compute_is_refused()
    {
        await using var silo = await Silo.StartAsync(null);
        using var file = ModelFile.Open(ReferenceModel.PathOf(Model));
        var spec = Silo.Spec(file, ExpertSlice.Of([0, 2]));
        var grain = silo.Grain("refused");
        async Task Refused(Code code, string message, ExpertGroupSpec wrong)
        {
            var error = await Assert.ThrowsAsync<StatusException>(() => grain.LoadAsync(wrong));
            Assert.Equal(code, (Code)error.Status.Code);
            Assert.Contains(message, error.Message, StringComparison.Ordinal);
        }

        await Refused(Code.FailedPrecondition, "computes as", spec with { Arithmetic = "abacus" });
        await Refused(Code.FailedPrecondition, "these are different files", spec with { Source = new FileSource(new string('0', 64), []) });
        await Refused(Code.InvalidArgument, "holds at least one of the", spec with { Experts = [99] });
        await Refused(Code.InvalidArgument, "listed twice", spec with { Experts = [2, 2] });
        async Task NotComputed(Code code, string message, ExpertRequest request)
        {
            var error = await Assert.ThrowsAsync<StatusException>(async () => await grain.ForwardAsync(request));
            Assert.Equal(code, (Code)error.Status.Code);
            Assert.Contains(message, error.Message, StringComparison.Ordinal);
        }

        ExpertRequest Request(int expert, int format = 1, int width = 0)
        {
            var size = width == 0 ? file.Config.HiddenSize : width;
            return new ExpertRequest(0, RowMessages.Write(WireFormat.F32, new float[size], size), [0], [expert], format);
        }

        Assert.False(await grain.PingAsync());
        Assert.Null(await grain.GetAsync());
        await NotComputed(Code.Unavailable, "holds no experts any more", Request(0));
        await grain.LoadAsync(spec);
        Assert.True(await grain.PingAsync());
        await NotComputed(Code.InvalidArgument, "to expert 1; this group holds 0, 2", Request(1));
        await NotComputed(Code.InvalidArgument, "Q8 (3)", Request(0, format: 9));
        await NotComputed(Code.InvalidArgument, "have 8 values", Request(0, width: 8));
        Assert.Equal(1, (await grain.ForwardAsync(Request(0))).Rows.Rows);
    }

    [Fact]
    public async Task A_group_that_nobody_calls_frees_itself()
    {
        await using var silo = await Silo.StartAsync(null);
        using var file = ModelFile.Open(ReferenceModel.PathOf(Model));
        var grain = silo.Grain("forgotten");
        await grain.LoadAsync(Silo.Spec(file, ExpertSlice.Of([0])) with { LeaseSeconds = 1 });
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        deadline.CancelAfter(Deadline);
        while (await grain.GetAsync() is not null)
            deadline.Token.ThrowIfCancellationRequested();
        Assert.Empty(silo.Parts);
    }

    private static int[] Tokens(ModelFile file)
    {
        var random = new Random(9);
        return [.. Enumerable.Range(0, Length).Select(_ => random.Next(file.Config.VocabSize))];
    }

    private static float[] Resident(ModelFile file)
    {
        using var workers = new Engine.Threading.WorkerPool(1);
        using var stage = Engine.Execution.Stage.Load(file, new LayerRange(0, file.Config.LayerCount), new StageOptions { BlockCount = 4 }, workers);
        return Logits(stage, file);
    }

    /// <summary>A prompt, then token by token.</summary>
    private static float[] Logits(Stage stage, ModelFile file)
    {
        var (tokens, batch, logits) = (Tokens(file), new StepBatch(), new List<float>());
        for (var start = 0; start < Length; start += start == 0 ? 10 : 1)
        {
            var count = start == 0 ? 10 : 1;
            batch.Clear();
            batch.Add(tokens.AsSpan(start, count), start, [1], count);
            logits.AddRange(stage.Run(batch, default, StepOutput.Logits, CancellationToken.None).Span);
        }

        return [.. logits];
    }

    private sealed record Group(IExpertGroupGrain Grain, string Key, ExpertGroupInfo Info);

    /// <summary>A silo with what expert groups need; others join the first.</summary>
    private sealed class Silo : IAsyncDisposable
    {
        private readonly IHost _host;
        private readonly int _port;

        private Silo(IHost host, int port) => (_host, _port) = (host, port);

        public string Address => _host.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress.ToParsableString();

        public SiloPart[] Parts => _host.Services.GetRequiredService<SiloParts>().List();

        private IGrainFactory Grains => _host.Services.GetRequiredService<IGrainFactory>();

        private SiloEngine Compute => _host.Services.GetRequiredService<SiloEngine>();

        public static async Task<Silo> StartAsync(Silo? first)
        {
            var builder = Host.CreateApplicationBuilder();
            builder.Logging.SetMinimumLevel(LogLevel.Critical);
            builder.Configuration["Slm:Data"] = Directory.CreateTempSubdirectory("slm-data-").FullName;
            builder.Services.AddSingleton(new InferenceOptions { Threads = 2 });
            builder.Services.AddSingleton(new ModelCatalog([ReferenceModel.Folder]));
            builder.Services.AddSingleton<SiloEngine>();
            builder.Services.AddSingleton<SiloRunners<StageRunner>>();
            builder.Services.AddSingleton<SiloRunners<ExpertGroupRunner>>();
            builder.Services.AddSingleton<SiloSpeed>();
            builder.Services.AddSingleton<DirectLinks>();
            builder.Services.AddSingleton<DirectListener>();
            builder.Services.AddSingleton(new DirectOptions(IsOn: true, Port: 0));
            builder.Services.AddSingleton<ExpertCompute>();
            builder.Services.AddModelFiles(builder.Configuration);
            builder.Services.AddSingleton<PartFiles>();
            builder.Services.AddSingleton<SiloParts>();
            builder.Services.AddSingleton(TimeProvider.System);
            builder.Services.Configure<TypeManifestOptions>(types => types.AddAllowedAssembly(typeof(WireRows).Assembly));
            var port = Ports.Free();
            builder.UseOrleans(silo =>
            {
                silo.Services.AddPlacementDirector<OnSiloPlacement, OnSiloDirector>();
                silo.AddGrainDirectory<OnSiloDirectory>(OnSiloDirectory.Name, static (_, _) => new OnSiloDirectory());
                silo.UseLocalhostClustering(port, Ports.Free(), first is null ? null : new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, first._port), "experts", "experts");
            });
            var host = builder.Build();
            await host.StartAsync(Cancelled);
            return new Silo(host, port);
        }

        public static ExpertGroupSpec Spec(ModelFile file, ExpertSlice slice) =>
            new(file.Name, FileSource.Own, 0, file.Config.LayerCount, [.. slice.Experts], 16, Numerics.Arithmetic, 600, 0);

        public IExpertGroupGrain Grain(string name) => Grains.GetGrain<IExpertGroupGrain>(SiloKey.At(name, Address));

        public async Task<Group> LoadAsync(ModelFile file, ExpertSlice slice)
        {
            var key = SiloKey.At($"{file.Name}/experts {slice}", Address);
            var grain = Grains.GetGrain<IExpertGroupGrain>(key);
            return new Group(grain, key, await grain.LoadAsync(Spec(file, slice)));
        }

        public RemoteExperts Open(ExpertSlice local, WireFormat format, params Group[] groups) => GrainExpertChannel.Open(
            new StageExperts([.. local.Experts], [.. groups.Select(group => new StageExpertGroup(group.Key, group.Info.Experts))], (int)format, (int)WireFormat.F32, 30_000),
            Grains, _host.Services.GetRequiredService<DirectLinks>(), _host.Services.GetRequiredService<Serializer>(), TimeProvider.System);

        public Stage Stage(ModelFile file, ExpertSlice local, WireFormat format, params Group[] groups) => Stage(file, Open(local, format, groups));

        public Stage Stage(ModelFile file, RemoteExperts remote) => Engine.Execution.Stage.Load(
            file, new LayerRange(0, file.Config.LayerCount), new StageOptions { BlockCount = 4, RemoteExperts = remote }, Compute.Workers);

        /// <summary>Computes on the thread that computes the silo's stages.</summary>
        public Task<float[]> RunAsync(Stage stage, ModelFile file) => Compute.Compute.RunAsync(() => Logits(stage, file));

        public async ValueTask DisposeAsync()
        {
            await _host.StopAsync(CancellationToken.None);
            _host.Dispose();
        }
    }
}
