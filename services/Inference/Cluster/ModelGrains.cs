using System.Collections.Concurrent;
using Orleans.Runtime.Placement;
using Slm.Contracts.Grains;
using Slm.Runtime;

namespace Slm.Inference.Cluster;

/// <summary>
/// The models of the whole cluster, and the way to their grains. A grain that is not active yet becomes so on this silo if it has the
/// model's file, else on one that has: it reads the file to plan, and coordinates where no better silo can.
/// </summary>
internal sealed class ModelGrains(IGrainFactory grains, ModelCatalog catalog, SiloDirectory silos)
{
    private readonly ConcurrentDictionary<string, string> _holders = new(StringComparer.Ordinal);

    /// <summary>Names of all models that a silo has, sorted.</summary>
    public async Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken)
    {
        var names = catalog.List().Select(entry => entry.Name);
        return [.. (IsAlone ? names : names.Concat((await silos.ListAsync(cancellationToken)).SelectMany(s => s.Models))).Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>What a name means, which may have an adapter behind the model.</summary>
    /// <exception cref="ModelNotFoundException">No silo has such a model.</exception>
    public async Task<(string Model, string? Adapter)> FindAsync(string name, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(name);
        return ModelName.Match(catalog.List().Select(entry => entry.Name), name)
            ?? (IsAlone ? null : ModelName.Match(await ListAsync(cancellationToken), name))
            ?? throw new ModelNotFoundException(name, await ListAsync(cancellationToken));
    }

    /// <summary>Calls the grain of a model.</summary>
    /// <param name="model">Its name.</param>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task<T> CallAsync<T>(string model, Func<IModelGrain, Task<T>> call, CancellationToken cancellationToken)
    {
        // Only this call's own context is changed.
        if (!IsAlone)
            RequestContext.Set(IPlacementDirector.PlacementHintKey, SiloAddress.FromParsableString(await HolderAsync(model, cancellationToken)));
        return await call(grains.GetGrain<IModelGrain>(model)).WaitAsync(cancellationToken);
    }

    private bool IsAlone => silos.Active.Count <= 1;

    /// <summary>A silo that has the model's file: this one if it has it, or if none has.</summary>
    private async Task<string> HolderAsync(string model, CancellationToken cancellationToken)
    {
        if (catalog.List().Any(entry => entry.Name == model))
            return silos.Local;
        if (_holders.TryGetValue(model, out var known) && silos.Active.Contains(known))
            return known;
        var holder = (await silos.ListAsync(cancellationToken, urgent: true)).Where(s => s.Models.Contains(model)).OrderBy(s => s.Draining).FirstOrDefault()?.Silo;
        if (holder is not null)
            _holders[model] = holder;
        return holder ?? silos.Local;
    }
}
