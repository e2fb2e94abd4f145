using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Slm.V1;

namespace Slm.Cli.Tests;

/// <summary>The commands that operate a cluster, against a server that says what it was asked.</summary>
public sealed class ClusterTests : IAsyncLifetime
{
    private readonly Recorder _recorder = new();
    private FakePlatform? _platform;

    public async ValueTask InitializeAsync() => _platform = await FakePlatform.StartAsync(_recorder, server =>
    {
        server.MapGrpcService<FakeCluster>();
        server.MapGrpcService<FakeModels>();
    });

    public async ValueTask DisposeAsync()
    {
        if (_platform is not null)
            await _platform.DisposeAsync();
    }

    [Fact]
    public async Task Silos_are_listed_with_what_they_can_do_and_hold()
    {
        var table = await RunAsync("silos");
        foreach (var text in new[] { "left", "0a1b2c3d", "active", "2.0 GiB", "9.3 GiB/s", "50.0B int8/s", "zone=a", "m: stage 0, layers 0-7 (1.0 MiB)", "10.0.0.9:11111@7", "unreachable", "0.250 ms" })
            Assert.Contains(text, table, StringComparison.Ordinal);
        Assert.DoesNotContain("0a1b2c3d-", table, StringComparison.Ordinal);

        var json = (await SlmCommand.RunAsync("silos", "--endpoint", _platform!.Endpoint, "--json")).Json();
        Assert.Equal("SILO_STATE_UNREACHABLE", json.GetProperty("silos")[1].GetProperty("state").GetString());
        Assert.Empty(_recorder.Calls);
        await RunAsync("silos", "--measure");
        Assert.Equal("measure", Assert.Single(_recorder.Calls));
        Assert.Equal("2147483648", json.GetProperty("silos")[0].GetProperty("free_memory_bytes").GetString());
    }

    [Theory]
    [InlineData("drain", "left is draining and holds nothing.")]
    [InlineData("resume", "left is active and holds nothing.")]
    public async Task A_silo_is_drained_and_resumed_by_its_name(string command, string answer)
    {
        Assert.Equal($"{answer}\n", await RunAsync(command, "left"));
        Assert.Equal($"{command} left", Assert.Single(_recorder.Calls));
    }

    [Fact]
    public async Task A_silo_that_is_not_there_is_named()
    {
        var result = await SlmCommand.RunAsync("drain", "right", "--endpoint", _platform!.Endpoint);
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("slm: silo is \"right\", which does not answer or is not there. There are: left.\n", result.Error);
    }

    [Fact]
    public async Task Rebalance_says_what_moved()
    {
        Assert.Equal("Replica 0: 0-7@left became 0-3@left, 4-7@right.\n", await RunAsync("rebalance", "m"));
        Assert.Equal("rest is where it should be; nothing moved.\n", await RunAsync("rebalance", "rest"));
    }

    public static TheoryData<string[], string> Wishes => new()
    {
        { [], "{ }" },
        { ["--placement", "auto"], """{ "placement": { } }""" },
        { ["--placement", "stages=2,replicas=3,label:zone=a"], """{ "placement": { "stages": 2, "replicas": 3, "labels": { "zone": "a" } } }""" },
        { ["--placement", "0-3@left,4-7@right;experts:0-1@c,2-3@d", "--wire", "q8"], """{ "placement": { "map": "0-3@left,4-7@right;experts:0-1@c,2-3@d", "wire": "WIRE_FORMAT_Q8" } }""" },
        {
            ["--wire", "f16", "--rounded-residual", "--context", "512", "--kv-cache", "64MiB", "--kv-type", "q8", "--speculate", "draft", "--draft-model", "small"],
            """{ "placement": { "wire": "WIRE_FORMAT_F16" }, "roundedResidual": true, "contextLength": 512, "kvCacheBytes": "67108864", "kvCacheType": "KV_CACHE_TYPE_Q8", "speculation": "SPECULATION_DRAFT", "draftModel": "small" }"""
        },
    };

    [Theory]
    [MemberData(nameof(Wishes))]
    public async Task Load_sends_what_is_wished(string[] options, string expected)
    {
        var text = await RunAsync(["load", "m", .. options]);
        var request = JsonParser.Default.Parse<LoadModelRequest>(expected);
        request.Model = "m";
        Assert.Equal(request, _recorder.Load);
        Assert.StartsWith("m is loaded.\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_placement_is_described_with_its_prediction_and_reasons()
    {
        string[] expected =
        [
            "replicas", "replica 1, stage 0", "embedding, layers 0 to 3: 1.0 MiB on left", "experts, group 0", "0-2, 5: 2.0 KiB on right, 41 visits",
            "2 running, 1 waiting, KV cache 25", "3 recoveries", "12.5 tokens/s decode, 200 tokens/s prefill, 1.0 KiB between silos per token",
            "memory of left", "1.0 MiB of 2.0 MiB free", "bottleneck", "memory bandwidth of left", "because", "It does not fit on one silo.",
        ];
        var description = await RunAsync("describe", "--model", "m");
        Assert.All(expected, text => Assert.Contains(text, description, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Unload_says_what_became_of_the_model() => Assert.Equal("m is available.\n", await RunAsync("unload", "m"));

    private async Task<string> RunAsync(params string[] arguments)
    {
        var result = await SlmCommand.RunAsync([.. arguments, "--endpoint", _platform!.Endpoint]);
        Assert.Equal("", result.Error);
        Assert.Equal(0, result.ExitCode);
        return result.Output;
    }

    private sealed class Recorder
    {
        public List<string> Calls { get; } = [];

        public LoadModelRequest? Load { get; set; }
    }

    private sealed class FakeCluster(Recorder recorder) : ClusterService.ClusterServiceBase
    {
        public override Task<ListSilosResponse> ListSilos(ListSilosRequest request, ServerCallContext context)
        {
            if (request.Measure)
                recorder.Calls.Add("measure");
            return Task.FromResult(Silos());
        }

        private static ListSilosResponse Silos() => new()
        {
            Silos =
            {
                new Silo
                {
                    Silo_ = "left", Address = "10.0.0.2:11111@4", Host = "0a1b2c3d-9999", State = SiloState.Active, Threads = 2, Labels = { ["zone"] = "a" },
                    FreeMemoryBytes = 1L << 31, ReadBytesPerSecond = 1e10, MultiplyAddsPerSecond = 5e10,
                    Parts = { new HeldPart { Model = "m", Part = "stage 0, layers 0-7", WeightBytes = 1 << 20 } },
                    Links = { new Link { To = "right", LatencyMs = 0.25, BytesPerSecond = 1e9 } },
                },
                new Silo { Address = "10.0.0.9:11111@7", State = SiloState.Unreachable },
            },
        };

        public override Task<Silo> Drain(DrainRequest request, ServerCallContext context) => Answer("drain", request.Silo, SiloState.Draining);

        public override Task<Silo> Resume(ResumeRequest request, ServerCallContext context) => Answer("resume", request.Silo, SiloState.Active);

        public override Task<RebalanceResponse> Rebalance(RebalanceRequest request, ServerCallContext context) => Task.FromResult(request.Model == "rest"
            ? new RebalanceResponse { Model = "rest" }
            : new RebalanceResponse { Model = request.Model, Moves = { "Replica 0: 0-7@left became 0-3@left, 4-7@right." } });

        private Task<Silo> Answer(string call, string silo, SiloState state)
        {
            if (silo != "left")
                throw new RpcException(new Status(StatusCode.InvalidArgument, $"silo is \"{silo}\", which does not answer or is not there. There are: left."));
            recorder.Calls.Add($"{call} {silo}");
            return Task.FromResult(new Silo { Silo_ = silo, State = state });
        }
    }

    private sealed class FakeModels(Recorder recorder) : ModelService.ModelServiceBase
    {
        public override Task<Model> Load(LoadModelRequest request, ServerCallContext context)
        {
            recorder.Load = request;
            return Task.FromResult(new Model { Model_ = request.Model, State = ModelState.Loaded });
        }

        public override Task<Model> Unload(UnloadModelRequest request, ServerCallContext context) =>
            Task.FromResult(new Model { Model_ = request.Model, State = ModelState.Available });

        public override Task<ModelDescription> Describe(DescribeModelRequest request, ServerCallContext context) => Task.FromResult(new ModelDescription
        {
            Model = new Model { Model_ = request.Model, State = ModelState.Loaded },
            Memory = new MemoryUse { WeightBytes = 2 << 20 },
            Load = new LoadFigures { RunningSequences = 2, WaitingSequences = 1, KvOccupancy = 0.25, Recoveries = 3 },
            Stages =
            {
                new StagePlacement { EndLayer = 4, HasEmbedding = true, Silo = "10.0.0.2:11111@4", SiloName = "left", WeightBytes = 1 << 20 },
                new StagePlacement
                {
                    Replica = 1, EndLayer = 4, SiloName = "right", WeightBytes = 1 << 20,
                    ExpertGroups = { new ExpertGroupPlacement { SiloName = "right", WeightBytes = 2048, Experts = { 0, 1, 2, 5 }, Visits = { 10, 20, 11, 0 } } },
                },
            },
            Prediction = new PlacementPrediction
            {
                DecodeTokensPerSecond = 12.5,
                PrefillTokensPerSecond = 200,
                WireBytesPerToken = 1024,
                Bottleneck = "memory bandwidth of left",
                Reasons = { "It does not fit on one silo." },
                Memory = { new SiloMemory { SiloName = "left", PlannedBytes = 1 << 20, FreeBytes = 2 << 20 } },
            },
        });
    }
}
