using Slm.ServiceDefaults;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace Slm.Gateway;

/// <summary>
/// Where services run in processes of their own, the gateway forwards each gRPC call, and each HTTP call that the contracts
/// annotate, to the one that has it; requests to models go through <see cref="InferenceForwarding"/>. In a single process there is nothing to forward: the services are mapped on the same ports.
/// </summary>
internal static class GrpcForwarding
{
    private static readonly (string Service, string[] Contracts, string[] Paths)[] Table =
    [
        ("tokenizer", ["slm.v1.TokenizerService"], ["/v1/tokenizer/{**rest}"]),
        ("inference", ["slm.v1.ModelService", "slm.v1.ClusterService"], ["/v1/deployments/{**rest}", "/v1/silos/{**rest}"]),
        ("router", ["slm.v1.RouterService"], ["/v1/router:{verb}", "/v1/router/{**rest}"]),
        ("evaluator", ["slm.v1.EvaluatorService"], ["/v1/evaluation/{**rest}"]),
        ("trainer", ["slm.v1.TrainerService"], ["/v1/training/{**rest}"]),
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
        }).Concat(r.Paths.Select(path => new RouteConfig
        {
            RouteId = path,
            ClusterId = r.Service,
            Match = new RouteMatch { Path = path },
        }))).ToList();
        builder.Services.AddReverseProxy().LoadFromMemory(routes, clusters);
    }

    public static void MapGrpcForwarding(this WebApplication app)
    {
        if (Remote(app.Configuration).Any())
            app.MapReverseProxy();
        if (ServiceChannels.RemoteAddress(app.Configuration, "inference") is not null)
            app.MapGrpcService<InferenceForwarding>();
    }

    private static IEnumerable<(string Service, string Address, string[] Contracts, string[] Paths)> Remote(IConfiguration configuration) =>
        from entry in Table
        let address = ServiceChannels.RemoteAddress(configuration, entry.Service)
        where address is not null
        select (entry.Service, address, entry.Contracts, entry.Paths);
}
