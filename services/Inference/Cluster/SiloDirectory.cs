using System.Collections.Concurrent;
using System.Net.Sockets;
using Slm.Contracts.Grains;

namespace Slm.Inference.Cluster;

/// <summary>The silos of the cluster that answer, asked when somebody wants to know.</summary>
internal sealed class SiloDirectory(IGrainFactory grains, ISiloStatusOracle oracle, InferenceOptions options, TimeProvider time)
{
    /// <summary>A new silo measures itself first.</summary>
    private static readonly TimeSpan FirstPatience = TimeSpan.FromSeconds(15);

    private readonly ConcurrentDictionary<string, bool> _known = new(StringComparer.Ordinal);

    /// <summary>Silos that did not answer in time, since when, until they do.</summary>
    private readonly ConcurrentDictionary<string, long> _silent = new(StringComparer.Ordinal);

    /// <summary>Parsable address of this process's silo.</summary>
    public string Local => oracle.SiloAddress.ToParsableString();

    /// <summary>Addresses of all that the cluster takes to be active.</summary>
    public IReadOnlyList<string> Active => [.. oracle.GetActiveSilos().Select(s => s.ToParsableString())];

    /// <summary>What placements call a silo; its address if the cluster does not know it any more.</summary>
    public string NameOf(string silo) => oracle.TryGetSiloName(SiloAddress.FromParsableString(silo), out var name) ? name : silo;

    /// <summary>All active silos that answer.</summary>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="urgent">
    /// Answers wait for it: one that was silent before is asked as well, but not waited for. It is lost, or the next one to ask learns
    /// that it is back.
    /// </param>
    public async Task<IReadOnlyList<SiloInfo>> ListAsync(CancellationToken cancellationToken, bool urgent = false)
    {
        var active = Active;
        foreach (var gone in _known.Keys.Concat(_silent.Keys).Except(active))
        {
            _known.TryRemove(gone, out _);
            _silent.TryRemove(gone, out _);
        }

        var asked = active.Select(silo => (IsLeftOut: urgent && IsSilent(silo), Answer: TryGetAsync(silo, cancellationToken))).ToArray();
        await Task.WhenAll(asked.Where(a => !a.IsLeftOut).Select(a => a.Answer));
        return [.. asked.Where(a => a.Answer.IsCompletedSuccessfully).Select(a => a.Answer.Result).OfType<SiloInfo>()
            .OrderBy(s => s.Name, StringComparer.Ordinal).ThenBy(s => s.Silo, StringComparer.Ordinal)];
    }

    /// <summary>A silo, if it answers.</summary>
    private async Task<SiloInfo?> TryGetAsync(string silo, CancellationToken cancellationToken)
    {
        try
        {
            var info = await AnswerAsync(Grain(silo).GetAsync(), silo, _known.ContainsKey(silo) ? options.Pipeline.LostAfter : FirstPatience, cancellationToken);
            _known[silo] = true;
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
    /// <param name="silos">The silos.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="urgent">Answers wait for it: what takes longer to measure than a silo may be silent is left out as well.</param>
    public async Task<IReadOnlyList<SiloLink>> LinksAsync(IReadOnlyList<SiloInfo> silos, CancellationToken cancellationToken, bool urgent = false)
    {
        // Few pairs are measured each; of many silos only those from here.
        var from = silos.Count <= MostMeasured ? silos : silos.Where(s => s.Silo == Local);
        var links = await Task.WhenAll(from.GroupBy(silo => silo.Host, StringComparer.Ordinal).Select(async host =>
        {
            // Silos of one machine would measure each other's work.
            var (measured, begun) = (new List<SiloLink?>(), time.GetTimestamp());
            var asked = host.SelectMany(a => silos.Where(b => b.Silo != a.Silo).Select(b => (a, b)));
            if (urgent)
                return await Task.WhenAll(asked.Select(pair => MeasureAsync(pair.a, pair.b, options.Pipeline.LostAfter, cancellationToken)));
            foreach (var (a, b) in asked)
            {
                if (FirstPatience - time.GetElapsedTime(begun) is { Ticks: > 0 } left)
                    measured.Add(await MeasureAsync(a, b, left, cancellationToken));
            }

            return [.. measured];
        }));
        return [.. links.SelectMany(measured => measured).OfType<SiloLink>()];
    }

    private async Task<SiloLink?> MeasureAsync(SiloInfo from, SiloInfo to, TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            return await Grain(from.Silo).MeasureAsync(to.Silo).WaitAsync(patience, time, cancellationToken);
        }
#pragma warning disable CA1031 // A way that cannot be measured is not taken for a good one.
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return null;
        }
    }

    /// <summary>Waits for the answer of a silo as long as it may be alive.</summary>
    /// <exception cref="TimeoutException">It has not answered for as long as one that lives may need, or nobody listens at its address any more.</exception>
    /// <remarks>Where somebody has waited in vain for the silo, and it has not answered anything since, others wait a fraction of that.</remarks>
    public Task<T> AnswerAsync<T>(Task<T> answer, string silo, CancellationToken cancellationToken) =>
        AnswerAsync(answer, silo, IsSilent(silo) ? options.Pipeline.LostAfter / 4 : options.Pipeline.LostAfter, cancellationToken);

    /// <summary>As the other, for an answer that itself waits for others that may not answer.</summary>
    public Task<T> PatientAnswerAsync<T>(Task<T> answer, string silo, CancellationToken cancellationToken) =>
        AnswerAsync(answer, silo, 3 * options.Pipeline.LostAfter, cancellationToken);

    private async Task<T> AnswerAsync<T>(Task<T> answer, string silo, TimeSpan patience, CancellationToken cancellationToken)
    {
        // This process answers itself when it can; nobody else would be quicker.
        if (answer.IsCompleted || silo == Local)
            return await answer.WaitAsync(cancellationToken);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var first = await Task.WhenAny(answer, RefusedAsync(silo, ends.Token), Task.Delay(patience, time, ends.Token));
        await ends.CancelAsync();
        cancellationToken.ThrowIfCancellationRequested();
        if (first == answer || answer.IsCompleted)
        {
            var said = await answer;
            _silent.TryRemove(silo, out _);
            return said;
        }

        _silent[silo] = time.GetTimestamp();
        _ = HearAsync(answer, silo);
        throw new TimeoutException($"Silo {silo} does not answer.");
    }

    /// <summary>A silo that has been silent is heard again when what it was asked is answered after all.</summary>
    private async Task HearAsync(Task answer, string silo)
    {
        await answer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (answer.IsCompletedSuccessfully)
            _silent.TryRemove(silo, out _);
    }

    /// <summary>It did not answer in time lately, and has not answered anything since.</summary>
    public bool IsSilent(string silo) => _silent.TryGetValue(silo, out var since) && time.GetElapsedTime(since) < options.Pipeline.Avoid;

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
