using System.Diagnostics;
using System.Reflection;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Slm.Inference;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Integration;

/// <summary>The inference service in this process, as a silo that meets others on PostgreSQL, with the settings an Aspire composition writes.</summary>
internal sealed class SiloHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Lazy<GrpcChannel> _channel;
    private bool _runs;

    private SiloHost(WebApplication app)
    {
        _app = app;
        _channel = new(() => GrpcChannel.ForAddress(app.Configuration["Slm:Grpc"]!));
        Web = new HttpClient { BaseAddress = new Uri(app.Configuration["Slm:Http"]!) };
    }

    public HttpClient Web { get; }

    public InferenceService.InferenceServiceClient Inference => new(_channel.Value);

    public ModelService.ModelServiceClient Models => new(_channel.Value);

    public ClusterService.ClusterServiceClient Cluster => new(_channel.Value);

    /// <summary>Builds one that is not started yet.</summary>
    /// <param name="connectionString">Where silos meet.</param>
    /// <param name="logs">Takes what it logs; null: nothing does.</param>
    /// <param name="settings">More settings, which win.</param>
    public static SiloHost Create(string connectionString, ILoggerProvider? logs = null, params (string Key, string Value)[] settings)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(Settings(connectionString, settings));
        builder.AddServiceDefaults();
        builder.AddInferenceService();
        if (logs is not null)
            builder.Logging.AddProvider(logs);
        var app = builder.Build();
        app.MapDefaultEndpoints();
        app.MapInferenceService();
        return new SiloHost(app);
    }

    /// <summary>Starts one in a process of its own, which a silo that cannot join ends.</summary>
    public static Process StartProcess(string connectionString, params (string Key, string Value)[] settings)
    {
        var configuration = typeof(SiloHost).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        var program = Path.Combine(Checkout.Root, "services", "Inference", "bin", configuration, "net10.0", "Slm.Inference.dll");
        return Process.Start(new ProcessStartInfo("dotnet", [program, .. Settings(connectionString, settings).Select(s => $"--{s.Key}={s.Value}")]))!;
    }

    /// <summary>Builds and starts one.</summary>
    public static async Task<SiloHost> StartAsync(string connectionString, params (string Key, string Value)[] settings)
    {
        var host = Create(connectionString, null, settings);
        await host.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _runs = true;
        return _app.StartAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _runs = false;
        return _app.StopAsync(cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        Web.Dispose();
        if (_channel.IsValueCreated)
            _channel.Value.Dispose();
        // A silo that is taken apart at work ends the process.
        if (_runs)
            await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static Dictionary<string, string?> Settings(string connectionString, (string Key, string Value)[] more)
    {
        var settings = new Dictionary<string, string?>
        {
            ["Slm:Http"] = $"http://127.0.0.1:{Ports.Free()}",
            ["Slm:Grpc"] = $"http://127.0.0.1:{Ports.Free()}",
            ["Slm:Models"] = ReferenceModel.Folder,
            ["Slm:Inference:DrainSeconds"] = "1",
            ["Logging:LogLevel:Default"] = "Error",
            ["Logging:LogLevel:Microsoft"] = "Error",
            ["Logging:LogLevel:Orleans"] = "Error",
            ["Orleans:ClusterId"] = "slm",
            ["Orleans:ServiceId"] = "slm",
            ["Orleans:EnableDistributedTracing"] = "true",
            ["Orleans:Endpoints:SiloPort"] = $"{Ports.Free()}",
            ["Orleans:Endpoints:GatewayPort"] = $"{Ports.Free()}",
            ["Orleans:Endpoints:AdvertisedIPAddress"] = "127.0.0.1",
            ["Orleans:Clustering:ProviderType"] = "AdoNet",
            ["Orleans:Clustering:Invariant"] = "Npgsql",
            ["Orleans:Clustering:ConnectionName"] = "slmdb",
            ["ConnectionStrings:slmdb"] = connectionString,
        };
        foreach (var (key, value) in more)
            settings[key] = value;
        return settings;
    }
}
