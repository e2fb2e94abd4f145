using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Slm.V1;

namespace Slm.Cli.Tests;

/// <summary>The command against a gRPC server that says what it was asked.</summary>
public sealed class RemoteTests : IAsyncLifetime
{
    private readonly Recorder _recorder = new();
    private FakePlatform? _platform;

    public async ValueTask InitializeAsync() => _platform = await FakePlatform.StartAsync(_recorder, server =>
    {
        server.MapGrpcService<FakeInference>();
        server.MapGrpcService<FakeModels>();
        server.MapGrpcService<FakeTokenizer>();
    });

    public async ValueTask DisposeAsync()
    {
        if (_platform is not null)
            await _platform.DisposeAsync();
    }

    [Fact]
    public async Task Generate_sends_the_options_and_collects_the_stream()
    {
        var json = (await SlmCommand.RunAsync("generate", "--model", "m", "--prompt", "Hi", "--max-tokens", "5", "--temperature", "0.5", "--top-k", "3",
            "--seed", "9", "--stop", "X", "--stop", "Y", "--logit-bias", "4:-1.5", "--endpoint", _platform!.Endpoint, "--json")).Json();
        Assert.Equal("one two", json.GetProperty("text").GetString());
        Assert.Equal([1, 2, 3], json.GetProperty("token_ids").EnumerateArray().Select(i => i.GetInt32()));
        Assert.Equal("stop", json.GetProperty("finish_reason").GetString());
        Assert.Equal(9UL, json.GetProperty("usage").GetProperty("seed").GetUInt64());

        var request = _recorder.Generate!;
        Assert.Equal("Hi", request.Text);
        Assert.Equal(5, request.Sampling.MaxTokens);
        Assert.Equal(0.5f, request.Sampling.Temperature);
        Assert.Equal(3, request.Sampling.TopK);
        Assert.Equal(["X", "Y"], request.Sampling.Stop);
        Assert.Equal(-1.5f, request.Sampling.LogitBias[4]);
    }

    [Fact]
    public async Task Chat_sends_messages()
    {
        var result = await SlmCommand.RunAsync("chat", "--model", "m", "--system", "s", "--message", "q", "--endpoint", _platform!.Endpoint);
        Assert.Equal("one two\n", result.Output);
        Assert.Equal(["system:s", "user:q"], _recorder.Generate!.Messages.Messages_.Select(m => $"{m.Role}:{m.Content}"));
    }

    [Fact]
    public async Task A_refusal_is_printed_in_one_line()
    {
        var result = await SlmCommand.RunAsync("generate", "--model", "unknown", "--prompt", "x", "--endpoint", _platform!.Endpoint, "--json");
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.Equal("slm: There is no model unknown. There are: m.\n", result.Error);
    }

    [Fact]
    public async Task Models_and_descriptions_come_from_the_platform()
    {
        var models = (await SlmCommand.RunAsync("models", "--endpoint", _platform!.Endpoint, "--json")).Json().GetProperty("models");
        Assert.Equal("loaded", Assert.Single(models.EnumerateArray()).GetProperty("state").GetString());
        var description = (await SlmCommand.RunAsync("describe", "--model", "m", "--endpoint", _platform!.Endpoint, "--json")).Json();
        Assert.Equal("silo-1", description.GetProperty("stages")[0].GetProperty("silo").GetString());
    }

    [Fact]
    public async Task A_model_that_is_not_loaded_is_described_without_memory()
    {
        var result = await SlmCommand.RunAsync("describe", "--model", "idle", "--endpoint", _platform!.Endpoint);
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("not loaded", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokenize_asks_the_platform()
    {
        var json = (await SlmCommand.RunAsync("tokenize", "--model", "m", "--text", "ab", "--endpoint", _platform!.Endpoint, "--json")).Json();
        Assert.Equal([7, 8], json.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()));
        Assert.False(_recorder.Encode!.AddSpecialTokens);
    }

    private sealed class Recorder
    {
        public GenerateRequest? Generate { get; set; }

        public EncodeRequest? Encode { get; set; }
    }

    private sealed class FakeInference(Recorder recorder) : InferenceService.InferenceServiceBase
    {
        public override async Task Generate(GenerateRequest request, IServerStreamWriter<GenerateResponse> responseStream, ServerCallContext context)
        {
            if (request.Model == "unknown")
                throw new RpcException(new Status(StatusCode.NotFound, "There is no model unknown.\nThere are: m."));
            recorder.Generate = request;
            await responseStream.WriteAsync(new GenerateResponse { Text = "one ", TokenIds = { 1 } });
            await responseStream.WriteAsync(new GenerateResponse { Text = "two", TokenIds = { 2, 3 } });
            await responseStream.WriteAsync(new GenerateResponse
            {
                FinishReason = FinishReason.Stop,
                Usage = new Usage { PromptTokens = 1, CompletionTokens = 3, Seed = request.Sampling.HasSeed ? request.Sampling.Seed : 1 },
            });
        }
    }

    private sealed class FakeModels : ModelService.ModelServiceBase
    {
        public override Task<ListModelsResponse> List(ListModelsRequest request, ServerCallContext context) =>
            Task.FromResult(new ListModelsResponse { Models = { new Model { Model_ = "m", State = ModelState.Loaded, Architecture = "llama" } } });

        public override Task<ModelDescription> Describe(DescribeModelRequest request, ServerCallContext context) => Task.FromResult(request.Model == "idle"
            ? new ModelDescription { Model = new Model { Model_ = request.Model, State = ModelState.Available } }
            : new ModelDescription { Model = new Model { Model_ = request.Model }, Memory = new MemoryUse(), Stages = { new StagePlacement { Silo = "silo-1", EndLayer = 2 } } });
    }

    private sealed class FakeTokenizer(Recorder recorder) : TokenizerService.TokenizerServiceBase
    {
        public override Task<EncodeResponse> Encode(EncodeRequest request, ServerCallContext context)
        {
            recorder.Encode = request;
            return Task.FromResult(new EncodeResponse { Ids = { 7, 8 }, Pieces = { "a", "b" } });
        }
    }
}
