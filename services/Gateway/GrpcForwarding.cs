using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace Slm.Gateway;

/// <summary>
/// Where services run in processes of their own, the gateway's gRPC port forwards each call to the one that has it. In a
/// single process there is nothing to forward: the services are mapped on the same port.
/// </summary>
internal static class GrpcForwarding
{
    private static readonly (string Service, string[] Contracts)[] Table =
    [
        ("tokenizer", ["slm.v1.TokenizerService"]),
        ("inference", ["slm.v1.InferenceService", "slm.v1.ModelService"]),
        ("router", ["slm.v1.RouterService"]),
        ("evaluator", ["slm.v1.EvaluatorService"]),
        ("trainer", ["slm.v1.TrainerService"]),
    ];

    public static void AddGrpcForwarding(this IHostApplicationBuilder builder)
    {
        if (!Remote(builder.Configuration).Any())
            return;
        // Streams may be silent for as long as a long prompt takes: the call's own deadline governs.
        var request = new ForwarderRequestConfig { Version = new Version(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionExact, ActivityTimeout = TimeSpan.FromHours(1) };
        var clusters = Remote(builder.Configuration).Select(r => new ClusterConfig
        {
            ClusterId = r.Service,
            HttpRequest = request,
            Destinations = new Dictionary<string, DestinationConfig> { ["0"] = new() { Address = r.Address } },
        }).ToList();
        var routes = Remote(builder.Configuration).SelectMany(r => r.Contracts.Select(contract => new RouteConfig
        {
            RouteId = contract,
            ClusterId = r.Service,
            Match = new RouteMatch { Path = $"/{contract}/{{**method}}", Methods = ["POST"] },
        })).ToList();
        builder.Services.AddReverseProxy().LoadFromMemory(routes, clusters);
    }

    public static void MapGrpcForwarding(this WebApplication app)
    {
        if (Remote(app.Configuration).Any())
            app.MapReverseProxy();
    }

    private static IEnumerable<(string Service, string Address, string[] Contracts)> Remote(IConfiguration configuration) =>
        from entry in Table
        let address = PlatformClients.RemoteAddress(configuration, entry.Service)
        where address is not null
        select (entry.Service, address, entry.Contracts);
}
