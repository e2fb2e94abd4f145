using Dapr.Client;
using Slm.Router.Records;

namespace Slm.Router.Models;

/// <summary>The endpoints of the settings, by name.</summary>
internal sealed class EndpointModels : IDisposable
{
    // Made where a key is in a secret store; where the sidecar is, Dapr's own environment variables say.
    private readonly Lazy<DaprClient> _dapr;

    public EndpointModels(RouterOptions options, SpendLedger ledger, TimeProvider time, HttpMessageHandler? handler = null)
    {
        _dapr = new(() => options.DaprEndpoint is { } endpoint ? new DaprClientBuilder().UseGrpcEndpoint(endpoint).Build() : new DaprClientBuilder().Build());
        All = options.Endpoints.ToDictionary(e => e.Key, e => new EndpointModel(e.Value, ledger, new EndpointKey(e.Value, _dapr, time), time, handler), StringComparer.Ordinal);
    }

    public IReadOnlyDictionary<string, EndpointModel> All { get; }

    public void Dispose()
    {
        foreach (var endpoint in All.Values)
            endpoint.Dispose();
        if (_dapr.IsValueCreated)
            _dapr.Value.Dispose();
    }
}
