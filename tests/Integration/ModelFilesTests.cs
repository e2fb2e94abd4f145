using System.Net;
using Google.Rpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Hosting;
using Orleans.Runtime;
using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Fetching;
using Slm.Engine.Models;
using Slm.Engine.Tests.Stages;
using Slm.Engine.Threading;
using Slm.Inference;
using Slm.Inference.Engines;
using Slm.Runtime;
using Slm.ServiceDefaults;

namespace Slm.Integration;

/// <summary>A silo that has a model, and somebody without it who asks over the wire.</summary>
public sealed class ModelFilesTests : IAsyncLifetime
{
    private const string Model = "wide";
    private const int Layers = 6;

    private readonly string _folder = Directory.CreateTempSubdirectory("slm-files-").FullName;
    private readonly List<IDisposable> _owned = [];
    private WebApplication? _silo;
    private IHost? _client;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private IGrainFactory Grains => _client!.Services.GetRequiredService<IGrainFactory>();

    private string Silo => _silo!.Services.GetRequiredService<ILocalSiloDetails>().SiloAddress.ToParsableString();

    private string Original => In("there", $"{Model}.gguf");

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(In("there"));
        Directory.CreateDirectory(In("here"));
        using (var file = Wide(seed: 1))
            File.Copy(file.Path, Original);
        var gateway = Ports.Free();
        _silo = await StartSiloAsync(gateway);

        // What a client gets has crossed a connection and been serialized, as between silos.
        var builder = Host.CreateApplicationBuilder();
        builder.UseOrleansClient(client => client.UseLocalhostClustering(gateway, serviceId: "slm", clusterId: "slm"));
        builder.Configuration["Logging:LogLevel:Default"] = "Error";
        _client = builder.Build();
        await _client.StartAsync(Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        _owned.ForEach(o => o.Dispose());
        if (_client is not null)
        {
            await _client.StopAsync();
            _client.Dispose();
        }

        if (_silo is not null)
        {
            await _silo.StopAsync();
            await _silo.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_stage_loads_from_what_a_peer_gives_and_computes_the_same()
    {
        var root = Compute(Original).Root;
        var files = Files("cache");
        var range = new LayerRange(3, 5);
        var path = await files.PathAsync(new ModelFileNeed(Model, root, new WeightSelection { Layers = range }, [Silo]), null, Cancelled);
        Assert.StartsWith(In("cache"), path, StringComparison.Ordinal);
        Assert.Equal(new FileInfo(Original).Length, new FileInfo(path).Length);

        using var whole = ModelFile.Open(Original);
        using var part = ModelFile.Open(path);
        using var workers = new WorkerPool(2);
        var options = new StageOptions { BlockCount = 2 };
        using var expected = Stage.Load(whole, range, options, workers);
        using var actual = Stage.Load(part, range, options, workers);
        var batch = new StepBatch();
        batch.Add([1, 2, 3], 0, [0], 0);
        var input = Enumerable.Range(0, 3 * whole.Config.HiddenSize).Select(i => MathF.Sin(i)).ToArray();
        Assert.Equal(expected.Forward(batch, input, StepOutput.Hidden).ToArray(), actual.Forward(batch, input, StepOutput.Hidden).ToArray());
        Assert.Throws<Engine.Formats.ModelFormatException>(() => Stage.Load(part, new LayerRange(0, 1), options, workers));
    }

    [Fact]
    public async Task What_has_been_fetched_is_there_when_all_others_are_gone()
    {
        var need = new ModelFileNeed(Model, Compute(Original).Root, new WeightSelection { Layers = new LayerRange(0, 2) }, [Silo]);
        var path = await Files("cache").PathAsync(need, null, Cancelled);
        Assert.Equal(path, await Files("cache").PathAsync(need with { Silos = [] }, null, Cancelled));
        var error = await Assert.ThrowsAsync<StatusException>(() => Files("cache").PathAsync(need with { Silos = [], Selection = new WeightSelection { Layers = new LayerRange(4, 6) } }, null, Cancelled));
        Assert.Equal((int)Code.Unavailable, error.Status.Code);
    }

    [Fact]
    public async Task The_own_file_is_used_if_it_is_the_same_and_refused_if_it_differs()
    {
        var root = Compute(Original).Root;
        var need = new ModelFileNeed(Model, root, new WeightSelection { Layers = new LayerRange(0, 1) }, [Silo]);
        File.Copy(Original, In("here", $"{Model}.gguf"));
        Assert.Equal(In("here", $"{Model}.gguf"), await Files("cache").PathAsync(need, null, Cancelled));

        // One bit of the last tensor, and no other sign of it: size and name are the same.
        await using (var file = File.Open(In("here", $"{Model}.gguf"), FileMode.Open))
        {
            file.Position = file.Length - 1;
            var last = file.ReadByte();
            file.Position = file.Length - 1;
            file.WriteByte((byte)(last ^ 1));
        }

        var other = Compute(In("here", $"{Model}.gguf")).Root;
        var error = await Assert.ThrowsAsync<StatusException>(() => Files("cache").PathAsync(need, null, Cancelled));
        Assert.Equal((int)Code.FailedPrecondition, error.Status.Code);
        foreach (var part in new[] { root, other, Silo, "127.0.0.1:1234@5", Model })
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_peer_with_another_file_is_refused()
    {
        using (var file = Wide(seed: 2))
            File.Copy(file.Path, In("other.gguf"));
        var need = new ModelFileNeed(Model, Compute(In("other.gguf")).Root, new WeightSelection { Layers = new LayerRange(0, 1) }, [Silo]);
        var error = await Assert.ThrowsAsync<StatusException>(() => Files("cache").PathAsync(need, null, Cancelled));
        Assert.Equal((int)Code.FailedPrecondition, error.Status.Code);
        Assert.Contains(need.Root, error.Message, StringComparison.Ordinal);
        Assert.Contains(Compute(Original).Root, error.Message, StringComparison.Ordinal);

        // A file that changes after its manifest was asked for is noticed by the hashes of its parts.
        var files = Files("later");
        var right = need with { Root = Compute(Original).Root };
        await files.PathAsync(right, null, Cancelled);
        File.Copy(In("other.gguf"), Original, overwrite: true);
        error = await Assert.ThrowsAsync<StatusException>(() => files.PathAsync(right with { Selection = new WeightSelection { Layers = new LayerRange(5, 6) } }, null, Cancelled));
        Assert.Equal((int)Code.Unavailable, error.Status.Code);
        Assert.Contains($"silo {Silo}: bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_who_has_it_is_an_error_that_says_what_to_do()
    {
        var need = new ModelFileNeed("nosuch", new string('a', 64), new WeightSelection { Layers = new LayerRange(0, 1) }, [Silo]);
        var error = await Assert.ThrowsAsync<StatusException>(() => Files("cache").PathAsync(need, null, Cancelled));
        Assert.Equal((int)Code.Unavailable, error.Status.Code);
        Assert.Contains("There is no model \"nosuch\"", error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<StatusException>(() => Files("cache").PathAsync(need with { Silos = [] }, null, Cancelled));
        Assert.Contains("Slm:Inference:WeightUrl is not set", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_web_server_helps_out_where_it_has_the_manifest()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration["Logging:LogLevel:Default"] = "Error";
        var port = Ports.Free();
        await using var web = builder.Build();
        web.Urls.Add($"http://127.0.0.1:{port}");
        var manifest = Compute(Original);
        var withManifest = false;
        web.MapGet("/{name}.gguf", (string name) => name == Model ? Results.File(Original, enableRangeProcessing: true, lastModified: File.GetLastWriteTimeUtc(Original)) : Results.NotFound());
        web.MapGet("/{name}.gguf.manifest.json", () => withManifest ? Results.Bytes(manifest.ToJson(), "application/json") : Results.NotFound());
        await web.StartAsync(Cancelled);
        var need = new ModelFileNeed(Model, manifest.Root, new WeightSelection { Layers = new LayerRange(2, 3) }, []);
        var error = await Assert.ThrowsAsync<StatusException>(() => Files("cache", $"http://127.0.0.1:{port}/{{model}}.gguf").PathAsync(need, null, Cancelled));
        Assert.Contains("has no manifest beside it; 'slm manifest FILE", error.Message, StringComparison.Ordinal);
        withManifest = true;
        var path = await Files("cache", $"http://127.0.0.1:{port}/{{model}}.gguf").PathAsync(need, null, Cancelled);
        using var part = ModelFile.Open(path);
        using var workers = new WorkerPool(1);
        using var stage = Stage.Load(part, new LayerRange(2, 3), new StageOptions { BlockCount = 2 }, workers);
        Assert.True(stage.WeightBytes > 0);
        await web.StopAsync(Cancelled);
    }

    [Fact]
    public async Task The_grain_refuses_what_is_not_in_the_file()
    {
        var grain = Grains.GetGrain<IModelFilesGrain>($"{IModelFilesGrain.Name}@{Silo}");
        foreach (var (offset, count, code) in new (long, int, Code)[]
        {
            (0, 0, Code.InvalidArgument), (0, IModelFilesGrain.MaxReadBytes + 1, Code.InvalidArgument), (-1, 1, Code.OutOfRange), (long.MaxValue, 1, Code.OutOfRange),
        })
            Assert.Equal((int)code, (await Assert.ThrowsAsync<StatusException>(() => grain.ReadAsync(Model, $"{Model}.gguf", offset, count))).Status.Code);
        Assert.Equal((int)Code.NotFound, (await Assert.ThrowsAsync<StatusException>(() => grain.ReadAsync("../there/wide", "x", 0, 1))).Status.Code);
    }

    private string In(params string[] parts) => Path.Combine([_folder, .. parts]);

    private static ModelManifest Compute(string path) => ManifestBuilder.Compute(path, 2, progress: null, Cancelled);

    /// <summary>The files of a silo whose model folder is "here".</summary>
    private ModelFiles Files(string cache, string? url = null)
    {
        var options = new ModelFilesOptions { WeightCache = In(cache), Manifests = In("manifests"), WeightUrl = url };
        var fetcher = new ModelFetcher(options.WeightCache);
        var files = new ModelFiles(new ModelCatalog([In("here")]), new ManifestStore(options.Manifests, 2), fetcher, options, Grains, new LocalSilo());
        _owned.AddRange([files, fetcher]);
        return files;
    }

    private async Task<WebApplication> StartSiloAsync(int gateway)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Slm:Http"] = $"http://127.0.0.1:{Ports.Free()}",
            ["Slm:Grpc"] = $"http://127.0.0.1:{Ports.Free()}",
            ["Slm:Models"] = In("there"),
            ["Slm:Data"] = In("data"),
            ["Slm:Inference:SiloGatewayPort"] = $"{gateway}",
            ["Logging:LogLevel:Default"] = "Error",
            ["Logging:LogLevel:Microsoft"] = "Error",
            ["Logging:LogLevel:Microsoft.Hosting.Lifetime"] = "Error",
            ["Logging:LogLevel:Orleans"] = "Error",
        });
        builder.AddServiceDefaults();
        builder.AddInferenceService();
        builder.Services.AddModelFiles(builder.Configuration);
        var app = builder.Build();
        app.MapDefaultEndpoints();
        app.MapInferenceService();
        await app.StartAsync(Cancelled);
        return app;
    }

    /// <summary>A llama whose layers are as large as a chunk.</summary>
    private static Engine.Tests.Formats.TemporaryFile Wide(int seed)
    {
        const int Hidden = 256;
        const int FeedForward = 1024;
        var model = new RandomModel(seed);
        model.Set("general.architecture", "llama");
        foreach (var (key, value) in new (string, object)[]
        {
            ("context_length", 64u), ("embedding_length", (uint)Hidden), ("feed_forward_length", (uint)FeedForward), ("block_count", (uint)Layers), ("attention.head_count", 8u),
            ("attention.layer_norm_rms_epsilon", 1e-5f), ("vocab_size", 16u),
        })
            model.Set($"llama.{key}", value);
        model.Matrix("token_embd.weight", Hidden, 16);
        for (var layer = 0; layer < Layers; layer++)
        {
            var blk = $"blk.{layer}.";
            foreach (var part in new[] { "attn_q", "attn_k", "attn_v", "attn_output" })
                model.Matrix($"{blk}{part}.weight", Hidden, Hidden);
            model.Matrix(blk + "ffn_gate.weight", Hidden, FeedForward);
            model.Matrix(blk + "ffn_up.weight", Hidden, FeedForward);
            model.Matrix(blk + "ffn_down.weight", FeedForward, Hidden);
            model.Norm(blk + "attn_norm", Hidden, bias: false);
            model.Norm(blk + "ffn_norm", Hidden, bias: false);
        }

        model.Norm("output_norm", Hidden, bias: false);
        return model.Write();
    }

    private sealed class LocalSilo : ILocalSiloDetails
    {
        public string Name => "here";

        public string ClusterId => "slm";

        public string DnsHostName => "localhost";

        public SiloAddress SiloAddress { get; } = SiloAddress.New(new IPEndPoint(IPAddress.Loopback, 1234), 5);

        public SiloAddress GatewayAddress => SiloAddress;
    }
}
