using System.Net.Sockets;
using Slm.Contracts.Grains;

namespace Slm.Inference.Cluster;

/// <summary>The silos of the cluster that answer, asked when somebody wants to know.</summary>
internal sealed class SiloDirectory(IGrainFactory grains, ISiloStatusOracle oracle, InferenceOptions options, TimeProvider time)
{
    /// <summary>A new silo measures itself first.</summary>
    private static readonly TimeSpan FirstPatience = TimeSpan.FromSeconds(15);

    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    /// <summary>Parsable address of this process's silo.</summary>
    public string Local => oracle.SiloAddress.ToParsableString();

    /// <summary>Addresses of all that the cluster takes to be active.</summary>
    public IReadOnlyList<string> Active => [.. oracle.GetActiveSilos().Select(s => s.ToParsableString())];

    /// <summary>What placements call a silo; its address if the cluster does not know it any more.</summary>
    public string NameOf(string silo) => oracle.TryGetSiloName(SiloAddress.FromParsableString(silo), out var name) ? name : silo;

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
            var info = await AnswerAsync(Grain(silo).GetAsync(), silo, known ? options.Pipeline.LostAfter : FirstPatience, cancellationToken);
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

    /// <summary>Waits for the answer of a silo as long as it may be alive.</summary>
    /// <exception cref="TimeoutException">It has not answered for as long as one that lives may need, or nobody listens at its address any more.</exception>
    public Task<T> AnswerAsync<T>(Task<T> answer, string silo, CancellationToken cancellationToken) => AnswerAsync(answer, silo, options.Pipeline.LostAfter, cancellationToken);

    private async Task<T> AnswerAsync<T>(Task<T> answer, string silo, TimeSpan patience, CancellationToken cancellationToken)
    {
        // This process answers itself when it can; nobody else would be quicker.
        if (answer.IsCompleted || silo == Local)
            return await answer.WaitAsync(cancellationToken);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var first = await Task.WhenAny(answer, RefusedAsync(silo, ends.Token), Task.Delay(patience, time, ends.Token));
        await ends.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
        return first == answer || answer.IsCompleted ? await answer : throw new TimeoutException($"Silo {silo} does not answer.");
    }

    /// <summary>Ends when the machine of a silo says that nobody listens there: its process has ended. Else it ends with the token.</summary>
    private static async Task RefusedAsync(string silo, CancellationToken cancellationToken)
    {
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(SiloAddress.FromParsableString(silo).Endpoint, cancellationToken);
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return;
        }
        catch (SocketException)
        {
            // The way there may be broken, which says nothing of the silo.
        }

        await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    /// <summary>The grain of a silo.</summary>
    public ISiloGrain Grain(string silo) => grains.GetGrain<ISiloGrain>(SiloKey.At(ISiloGrain.Name, silo));

    private const int MostMeasured = 16;
}
