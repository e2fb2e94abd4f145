using System.Net;
using System.Net.Sockets;
using Google.Rpc;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Npgsql;
using Orleans.Configuration;
using Orleans.Dashboard;
using Orleans.Runtime.Hosting;
using Orleans.Serialization.Configuration;
using Slm.Contracts.Grains;
using Slm.Inference.Cluster;
using Slm.Inference.Direct;
using Slm.Inference.Engines;
using Slm.Inference.Mapping;
using Slm.Runtime;
using Slm.ServiceDefaults;
using Slm.ServiceDefaults.Errors;
using Slm.Shared;
using Slm.V1;

namespace Slm.Inference;

/// <summary>Registration of the service: an Orleans silo with the model grains, and their gRPC faces.</summary>
public static class InferenceExtensions
{
    private const string ClusterName = "slm";

    /// <summary>Adds what the service needs.</summary>
    /// <exception cref="OptionException">A setting is not usable.</exception>
    public static IHostApplicationBuilder AddInferenceService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = InferenceOptions.From(builder.Configuration);
        var models = PlatformOptions.From(builder.Configuration).Models;
        builder.Services.AddSingleton(options);
        builder.Services.TryAddSingleton(_ => models is null ? ModelCatalog.Default() : new ModelCatalog(models));
        builder.Services.TryAddSingleton<AdapterCatalog>();
        builder.Services.AddSingleton<SiloEngine>();
        builder.Services.AddSingleton<SiloRunners<StageRunner>>();
        builder.Services.AddSingleton<SiloRunners<ExpertGroupRunner>>();
        builder.Services.AddSingleton<DirectLinks>();
        builder.Services.AddSingleton<DirectListener>();
        builder.Services.AddSingleton<ExpertCompute>();
        builder.Services.AddModelFiles(builder.Configuration);
        builder.Services.AddSingleton<PartFiles>();
        builder.Services.AddSingleton<SiloSpeed>();
        builder.Services.AddSingleton<SiloParts>();
        builder.Services.AddSingleton<SiloDirectory>();
        builder.Services.AddSingleton<ModelGrains>();
        builder.Services.AddSingleton<ModelPlanner>();
        builder.Services.AddSingleton<ReplicaCalls>();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.Configure<ErrorMap>(RuntimeErrors.AddTo);
        builder.Services.Configure<ErrorMap>(PlacementErrors.AddTo);
        builder.Services.AddHealthChecks().AddCheck<SiloHealthCheck>("silo");
        builder.Services.AddGrpcServiceHealth(InferenceService.Descriptor.FullName);
        builder.Services.AddGrpcServiceHealth(ModelService.Descriptor.FullName);
        builder.Services.AddGrpcServiceHealth(ClusterService.Descriptor.FullName);
        AddStore(builder);
        // Between silos only types of the contracts are read.
        builder.Services.Configure<TypeManifestOptions>(types => types.AddAllowedAssembly(typeof(IModelGrain).Assembly));
        builder.Services.AddHostedService<SiloHandover>();
        // Handing over and letting answers end take their time.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds((2 * options.DrainSeconds) + 10));
        var tls = SiloTls.From(builder.Configuration);
        builder.Services.AddSingleton(new DirectOptions(options.Direct, options.DirectPort, tls));
        builder.UseOrleans(silo =>
        {
            Configure(silo, builder.Configuration, options);
            tls?.Apply(silo);
            // Whoever may look at figures may not read the log.
            if (options.Dashboard)
                silo.AddDashboard(dashboard => dashboard.HideTrace = true);
        });
        builder.Services.AddHostedService<DeploymentRestore>();
        return builder;
    }

    /// <summary>Maps its endpoints.</summary>
    public static WebApplication MapInferenceService(this WebApplication app)
    {
        app.MapGrpcService<InferenceEndpoint>();
        app.MapGrpcService<ModelEndpoint>();
        app.MapGrpcService<ClusterEndpoint>();
        if (app.Services.GetRequiredService<InferenceOptions>().Dashboard)
            app.MapOrleansDashboard("/orleans");
        return app;
    }

    private static void AddStore(IHostApplicationBuilder builder)
    {
        if (!ClusterSchema.IsUsed(builder.Configuration))
        {
            builder.Services.AddSingleton<IDeploymentStore, MemoryDeploymentStore>();
            return;
        }

        builder.Services.AddHostedService<ClusterSchema>();
        builder.Services.AddSingleton(_ => NpgsqlDataSource.Create(ClusterSchema.ConnectionString(builder.Configuration)));
        builder.Services.AddSingleton<IDeploymentStore, PostgreSqlDeploymentStore>();
        builder.Services.Configure<ErrorMap>(map => map.Add<NpgsqlException>(error => ErrorMap.Make(
            Code.Unavailable, $"The database of the cluster does not answer: {error.Message}", ErrorMap.Retry(TimeSpan.FromSeconds(2)), ErrorMap.Info("DATABASE_UNAVAILABLE"))));
    }

    private static void Configure(ISiloBuilder silo, IConfiguration configuration, InferenceOptions options)
    {
        silo.Services.AddPlacementDirector<OnSiloPlacement, OnSiloDirector>();
        silo.AddGrainDirectory<OnSiloDirectory>(OnSiloDirectory.Name, static (_, _) => new OnSiloDirectory());
        // Losses are noticed in seconds: two probes missed, by two silos where there are so many.
        silo.Configure<ClusterMembershipOptions>(o =>
        {
            o.ProbeTimeout = TimeSpan.FromSeconds(2);
            o.NumMissedProbesLimit = 2;

            // Times the limit, for so long a silo that has been heard of at all does not count as lost; four times as long by default.
            o.MaxProbeTimeout = o.ProbeTimeout;
            o.TableRefreshTimeout = TimeSpan.FromSeconds(10);

            // After a loss of all silos at once, new ones wait three of these before they stop asking for the old ones' consent to join.
            o.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(5);

            // A probe through a third silo does not count while that one is busy, and is then made again and again; here they are busy by design.
            o.EnableIndirectProbes = false;
        });
        silo.Configure<SiloOptions>(o => o.SiloName = options.SiloName ?? o.SiloName);
        silo.Services.AddOptions<SiloOptions>().PostConfigure<IOptions<EndpointOptions>>((o, endpoint) =>
        {
            // Orleans' own default is a random name.
            if (options.SiloName is null)
                o.SiloName = $"{Environment.MachineName}-{endpoint.Value.SiloPort}";
        });
        // Orleans reads the section itself: clustering, cluster and service id, ports.
        if (configuration.GetSection("Orleans:Clustering").Exists())
            return;
        var port = options.SiloPort == 0 ? FreePort() : options.SiloPort;
        silo.UseLocalhostClustering(port, options.SiloGatewayPort, serviceId: ClusterName, clusterId: ClusterName);
        // One process has nobody to probe, and must not give itself up when the machine sleeps.
        silo.Configure<ClusterMembershipOptions>(o => o.LivenessEnabled = false);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
