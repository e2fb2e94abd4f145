using Slm.Router.Records;

namespace Slm.Router.Models;

/// <summary>The endpoints of the settings, by name.</summary>
internal sealed class EndpointModels(RouterOptions options, SpendLedger ledger, TimeProvider time) : IDisposable
{
    public IReadOnlyDictionary<string, EndpointModel> All { get; } =
        options.Endpoints.ToDictionary(e => e.Key, e => new EndpointModel(e.Value, ledger, time), StringComparer.Ordinal);

    public void Dispose()
    {
        foreach (var endpoint in All.Values)
            endpoint.Dispose();
    }
}
