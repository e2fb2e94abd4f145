using Slm.Cluster.Tests.Network;
using Slm.V1;

namespace Slm.Cluster.Tests;

/// <summary>
/// A cluster that the tests of a class use one after the other: each leaves it with all its silos. Silos b and c have the label zone=x.
/// </summary>
public abstract class SharedCluster : IAsyncDisposable
{
    /// <summary>Streams that are under way when something happens.</summary>
    internal const int Count = 16;

    /// <summary>Tokens of each: enough for a fault and its healing.</summary>
    internal const int Tokens = 150;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(240);

    private HostNetwork? _network;
    private SiloCluster? _cluster;
    private Answer[]? _undisturbed;

    /// <summary>The cluster, started by the first test.</summary>
    internal async Task<SiloCluster> GetAsync(CancellationToken cancellationToken)
    {
        if (_cluster is not null)
            return _cluster;
        _network = await NetworkAsync(cancellationToken);

        // What a lost silo leaves on others frees itself soon, so that tests can wait for it.
        return _cluster = await SiloCluster.StartAsync(
            4, _network, SiloCluster.ModelFolder, name => ["Slm:Inference:Loss:LeaseMs=8000", .. name is "b" or "c" ? ["Slm:Inference:Labels:zone=x"] : Array.Empty<string>()], cancellationToken);
    }

    /// <summary>
    /// Puts the streams through <paramref name="disturb"/>, which begins when each has had some tokens, and fails unless all of them end
    /// as they do undisturbed.
    /// </summary>
    /// <param name="fault">What happens, for the report.</param>
    /// <param name="disturb">Lets it happen.</param>
    /// <param name="after">Makes the cluster whole again, once the streams have ended.</param>
    internal async Task SurviveAsync(
        string fault, Func<SiloCluster, ModelParts, RunningStreams, Task> disturb, Func<SiloCluster, ModelParts, Task> after, CancellationToken cancellationToken)
    {
        // Before the test's own limit, which would end it without what the silos wrote.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        var stage = "starting";
        try
        {
            var cluster = await GetAsync(limit.Token);
            var undisturbed = await UndisturbedAsync(limit.Token);
            stage = "loading";
            var parts = await cluster.ReloadAsync(limit.Token);
            stage = "streaming";
            var running = Streams.Begin(parts.Entry, Streams.Requests(Count, Tokens), limit.Token);
            await running.EachHasAsync(Streams.Some, limit.Token);
            stage = "streaming under the fault";
            await disturb(cluster, parts, running);
            var answers = await running.Answers;
            for (var i = 0; i < Count; i++)
                answers[i].MustEqual(undisturbed[i]);
            Report($"{fault}: {Pauses(answers)}; undisturbed {Pauses(undisturbed)}");
            stage = "healing";
            await after(cluster, parts);
        }
        catch (Exception error)
        {
            Report($"{fault}: {stage}: {error.Message}");
            await FailedAsync();
            throw;
        }
    }

    /// <summary>Reports what the silos wrote; the next test starts with another cluster.</summary>
    internal async Task FailedAsync()
    {
        if (_cluster is not null)
            Report(_cluster.Logs);
        await EndAsync();
    }

    /// <summary>What the streams say when nothing happens.</summary>
    internal async Task<Answer[]> UndisturbedAsync(CancellationToken cancellationToken)
    {
        if (_undisturbed is null)
        {
            var cluster = await GetAsync(cancellationToken);
            var parts = await cluster.ReloadAsync(cancellationToken);
            _undisturbed = await Streams.RunAsync(parts.Entry, Streams.Requests(Count, Tokens), null, cancellationToken);
        }

        return _undisturbed;
    }

    /// <summary>Fails unless an answer through a silo is what it was undisturbed: the silo does its work, or passes it on.</summary>
    internal async Task AnswersAsync(SiloProcess silo, CancellationToken cancellationToken)
    {
        var undisturbed = await UndisturbedAsync(cancellationToken);
        var answers = await Streams.RunAsync(silo, Streams.Requests(4, Tokens), null, cancellationToken);
        for (var i = 0; i < answers.Length; i++)
            answers[i].MustEqual(undisturbed[i]);
    }

    /// <summary>Waits until a silo that the others have given up is back, nothing is left of its absence, and it does its work.</summary>
    internal async Task BackAsync(string silo, SiloCluster cluster, SiloProcess entry, CancellationToken cancellationToken)
    {
        Report(await cluster.RejoinAsync(silo, cancellationToken));
        await SiloCluster.NothingLeftAsync(entry, cancellationToken);
        await AnswersAsync(cluster.Silos[silo], cancellationToken);
    }

    internal static Answer[] NewAnswers() => [.. Enumerable.Range(0, Count).Select(_ => new Answer())];

    internal static void Report(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    /// <summary>Median and 99th percentile (of so few: the longest) of the streams' longest pauses.</summary>
    internal static string Pauses(Answer[] answers)
    {
        var pauses = answers.Select(a => a.LongestPause.TotalMilliseconds).Order().ToArray();
        return FormattableString.Invariant($"pause p50 {pauses[pauses.Length / 2]:0} ms, p99 {pauses[^1]:0} ms");
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await EndAsync();
    }

    private async Task EndAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        if (_network is not null)
            await _network.DisposeAsync();
        (_cluster, _network) = (null, null);
    }

    /// <summary>The network it is in; null: all silos are on this host.</summary>
    internal abstract Task<HostNetwork?> NetworkAsync(CancellationToken cancellationToken);
}

/// <summary>Silos in processes of this host.</summary>
public sealed class ProcessCluster : SharedCluster
{
    internal override Task<HostNetwork?> NetworkAsync(CancellationToken cancellationToken) => Task.FromResult<HostNetwork?>(null);
}

/// <summary>Silos and database on hosts of their own; tests are skipped where there can be none.</summary>
public sealed class NetworkCluster : SharedCluster
{
    internal override async Task<HostNetwork?> NetworkAsync(CancellationToken cancellationToken)
    {
        if (await HostNetwork.WhyNotAsync(cancellationToken) is { } reason)
            Assert.Skip(reason);
        return await HostNetwork.CreateAsync(cancellationToken);
    }
}
