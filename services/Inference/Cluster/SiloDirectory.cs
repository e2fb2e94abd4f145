using Slm.Contracts.Grains;

namespace Slm.Inference.Cluster;

/// <summary>The silos of the cluster that answer, asked when somebody wants to know.</summary>
internal sealed class SiloDirectory(IGrainFactory grains, ISiloStatusOracle oracle, TimeProvider time)
{
    /// <summary>A silo that does not answer for so long is left out.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>A new silo measures itself first.</summary>
    private static readonly TimeSpan FirstPatience = TimeSpan.FromSeconds(15);

    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>Parsable address of this process's silo.</summary>
    public string Local => oracle.SiloAddress.ToParsableString();

    /// <summary>Name of this process's silo.</summary>
    public string LocalName => oracle.SiloName;

    /// <summary>Addresses of all that the cluster takes to be active.</summary>
    public IReadOnlyList<string> Active => [.. oracle.GetActiveSilos().Select(s => s.ToParsableString())];

    /// <summary>All active silos that answer.</summary>
    public async Task<IReadOnlyList<SiloInfo>> ListAsync(CancellationToken cancellationToken)
    {
        var asked = await Task.WhenAll(Active.Select(silo => TryGetAsync(silo, cancellationToken)));
        return [.. asked.OfType<SiloInfo>().OrderBy(s => s.Name, StringComparer.Ordinal).ThenBy(s => s.Silo, StringComparer.Ordinal)];
    }

    /// <summary>A silo, if it answers.</summary>
    public async Task<SiloInfo?> TryGetAsync(string silo, CancellationToken cancellationToken)
    {
        bool known;
        lock (_known)
            known = _known.Contains(silo);
        try
        {
            // This process answers itself when it can; nobody is there to be quicker.
            var answer = Grain(silo).GetAsync();
            var info = silo == Local ? await answer.WaitAsync(cancellationToken) : await answer.WaitAsync(known ? Patience : FirstPatience, time, cancellationToken);
            lock (_known)
                _known.Add(silo);
            return info;
        }
#pragma warning disable CA1031 // Whatever went wrong, it did not answer.
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return null;
        }
    }

    /// <summary>The ways between silos, both directions; those that could not be measured are left out.</summary>
    public async Task<IReadOnlyList<SiloLink>> LinksAsync(IReadOnlyList<SiloInfo> silos, CancellationToken cancellationToken)
    {
        // Few pairs are measured each; of many silos only those from here.
        var from = silos.Count <= MostMeasured ? silos : silos.Where(s => s.Silo == Local);
        var pairs = from.SelectMany(a => silos.Where(b => b.Silo != a.Silo).Select(b => (a, b)));
        var links = await Task.WhenAll(pairs.Select(async pair =>
        {
            try
            {
                return await Grain(pair.a.Silo).MeasureAsync(pair.b.Silo).WaitAsync(FirstPatience, time, cancellationToken);
            }
#pragma warning disable CA1031 // A way that cannot be measured is not taken for a good one.
            catch (Exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                return null;
            }
        }));
        return [.. links.OfType<SiloLink>()];
    }

    /// <summary>The grain of a silo.</summary>
    public ISiloGrain Grain(string silo) => grains.GetGrain<ISiloGrain>(SiloKey.At(ISiloGrain.Name, silo));

    private const int MostMeasured = 16;
}
