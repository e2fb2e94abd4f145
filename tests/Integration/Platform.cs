using System.Net;
using System.Net.Sockets;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Slm.AppHost.Local;
using Slm.Engine.Tests.Stages;
using Slm.V1;

[assembly: AssemblyFixture(typeof(Slm.Integration.Platform))]

namespace Slm.Integration;

/// <summary>The whole platform in this process, on free ports, over the reference models; real gRPC and HTTP clients.</summary>
public class Platform : IAsyncLifetime
{
    private readonly string[] _settings;
    private readonly Action<WebApplicationBuilder>? _configure;
    private readonly string _folder = Directory.CreateTempSubdirectory("slm-platform-").FullName;
    private WebApplication? _app;
    private GrpcChannel? _channel;
    private Task? _stopped;

    /// <summary>With the default settings.</summary>
    public Platform()
        : this([])
    {
    }

    /// <summary>With further settings, such as <c>--Slm:Inference:MaxRunning=1</c>.</summary>
    protected Platform(string[] settings, Action<WebApplicationBuilder>? configure = null) => (_settings, _configure) = (settings, configure);

    /// <summary>Folder of what the platform writes.</summary>
    public string Data => Path.Combine(_folder, "data");

    /// <summary>Address of HTTP.</summary>
    public string Http { get; } = $"http://127.0.0.1:{Ports.Free()}";

    /// <summary>Address of gRPC.</summary>
    public string Grpc { get; } = $"http://127.0.0.1:{Ports.Free()}";

    /// <summary>A client of the HTTP address.</summary>
    public HttpClient Web { get; private set; } = null!;

    public GrpcChannel Channel => _channel!;

    public InferenceService.InferenceServiceClient Inference => new(Channel);

    public ModelService.ModelServiceClient Models => new(Channel);

    public TokenizerService.TokenizerServiceClient Tokens => new(Channel);

    public async ValueTask InitializeAsync()
    {
        ReferenceModel.WriteTall(Path.Combine(_folder, $"{ReferenceModel.Tall}.gguf"));
        File.Copy(Path.Combine(ReferenceModel.Folder, "..", "..", "..", "infra", "models", "stories.gguf"), Path.Combine(_folder, "stories.gguf"));
        using (var bert = RandomBert.Write(pooling: 2))
            File.Copy(bert.Path, Path.Combine(_folder, $"{ReferenceModel.Bert}.gguf"));
        await File.WriteAllBytesAsync(Path.Combine(_folder, "broken.gguf"), (await File.ReadAllBytesAsync(ReferenceModel.PathOf("qwen3-f32")))[..5000]);
        ReferenceModel.WriteTall(Path.Combine(_folder, $"{AdapterFile.Tall}.gguf"));
        AdapterFile.WriteAll(Path.Combine(_folder, "adapters"));
        RandomAdapter.Write(Path.Combine(_folder, "adapters", $"{AdapterFile.Tall}.gguf"), Path.Combine(_folder, $"{AdapterFile.Tall}.gguf"), seed: 4);
        _app = LocalPlatform.Build(
            [
                $"--Slm:Http={Http}", $"--Slm:Grpc={Grpc}", $"--Slm:Models={ReferenceModel.Folder};{_folder}", $"--Slm:Trainer:Folder={_folder}/jobs", $"--Slm:Data={Data}",
                "--Logging:LogLevel:Default=Warning", "--Logging:LogLevel:Microsoft.Hosting.Lifetime=Warning", .. _settings,
            ],
            _configure);
        await _app.StartAsync();
        _channel = GrpcChannel.ForAddress(Grpc, new GrpcChannelOptions { MaxReceiveMessageSize = null });
        Web = new HttpClient { BaseAddress = new Uri(Http) };
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        Web.Dispose();
        _channel?.Dispose();
        if (_app is not null)
        {
            await StopAsync(CancellationToken.None);
            await _app.DisposeAsync();
        }
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Stops it as a signal does.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _stopped ??= _app!.StopAsync(cancellationToken);

    /// <summary>Asks for a model's description until it is as wanted.</summary>
    public async Task<ModelDescription> DescribeUntilAsync(string model, Func<ModelDescription, bool> wanted, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            var description = await Models.DescribeAsync(new DescribeModelRequest { Model = model }, cancellationToken: deadline.Token);
            if (wanted(description))
                return description;
        }
    }
}

/// <summary>A platform that works on one request at a time and lets none wait.</summary>
public sealed class SmallPlatform() : Platform(["--Slm:Inference:MaxRunning=1", "--Slm:Inference:MaxWaiting=0"]);
