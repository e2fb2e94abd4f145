using Slm.V1;

namespace Slm.Cluster.Tests.Versions;

/// <summary>
/// A cluster is brought to another version silo by silo, under answers that are under way: their stages, coordinators and entries are of
/// both versions, and what they say is what one version says.
/// </summary>
public sealed class UpgradeTests
{
    private const int Count = 8;
    private const int Tokens = 120;

    [Fact(Timeout = 600_000)]
    public async Task From_this_version_to_one_whose_contracts_have_grown()
    {
        var cancelled = TestContext.Current.CancellationToken;
        var folder = Directory.CreateTempSubdirectory("slm-next-");
        try
        {
            await UpgradeAsync(AppContext.BaseDirectory, await OtherVersions.NextAsync(folder.FullName, cancelled), cancelled);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>
    /// The program of another commit, which takes a build of its own: <c>tests/ClusterBenchmarks/upgrade.sh</c> makes it and runs this.
    /// </summary>
    [Fact(Explicit = true, Timeout = 600_000)]
    public async Task From_a_past_version_to_this_one()
    {
        const string Variable = "SLM_PAST_SILO";
        var past = Environment.GetEnvironmentVariable(Variable) ?? throw new InvalidOperationException($"{Variable} is missing: the folder with the past version's Slm.Inference.");
        await UpgradeAsync(past, AppContext.BaseDirectory, TestContext.Current.CancellationToken);
    }

    private static async Task UpgradeAsync(string older, string newer, CancellationToken cancelled)
    {
        Assert.NotEqual(await File.ReadAllBytesAsync(Path.Combine(older, "Slm.Contracts.dll"), cancelled), await File.ReadAllBytesAsync(Path.Combine(newer, "Slm.Contracts.dll"), cancelled));
        await using var cluster = await SiloCluster.StartAsync(3, null, SiloCluster.ModelFolder, _ => [], cancelled, older);
        try
        {
            var requests = Streams.Requests(Count, Tokens);
            var parts = await cluster.LoadAsync(cancelled);
            var undisturbed = await Streams.RunAsync(parts.Entry, requests, null, cancelled);
            var (leaving, over) = ("", false);
            var through = new Dictionary<string, int>(StringComparer.Ordinal);
            var clients = requests.Select((_, i) => Task.Run(async () =>
            {
                for (var n = i; !Volatile.Read(ref over); n++)
                {
                    var names = cluster.Silos.Keys.Where(name => name != Volatile.Read(ref leaving)).Order(StringComparer.Ordinal).ToArray();
                    var name = names[n % names.Length];
                    var answer = new Answer();
                    await Streams.ReadAsync(cluster.Silos[name], requests[n % Count], answer, null, cancelled);
                    answer.MustEqual(undisturbed[n % Count]);
                    lock (through)
                        through[name] = through.GetValueOrDefault(name) + 1;
                }
            }, cancelled)).ToArray();

            cluster.Program = newer;
            foreach (var name in new[] { "b", "c", "a" })
            {
                Volatile.Write(ref leaving, name);
                Assert.Equal(0, await cluster.Silos[name].StopAsync(cancelled));
                await cluster.RestartAsync(name, cancelled);
                await cluster.WholeAsync(cancelled);
                Volatile.Write(ref leaving, "");

                // What moved away comes back, so that after the first silo one stage is new and one is old.
                await cluster.Silos[name].Cluster.RebalanceAsync(new RebalanceRequest { Model = SiloCluster.Model }, cancellationToken: cancelled);
                Assert.Equal(["b", "c"], await SiloCluster.StagesAsync(cluster.Silos["a"], cancelled));
                Assert.Equal(["b", "c"], await SiloCluster.StagesAsync(cluster.Silos["b"], cancelled));
                await ThroughEachAsync(cluster, through, clients, cancelled);
            }

            Volatile.Write(ref over, true);
            await Task.WhenAll(clients);
            TestContext.Current.TestOutputHelper?.WriteLine($"{through.Values.Sum()} streams");
            await SiloCluster.NothingLeftAsync(cluster.Silos["a"], cancelled);
        }
        catch
        {
            TestContext.Current.TestOutputHelper?.WriteLine(cluster.Logs);
            throw;
        }
    }

    /// <summary>Waits until streams have begun and ended through every silo of the cluster as it is now.</summary>
    private static async Task ThroughEachAsync(SiloCluster cluster, Dictionary<string, int> through, Task[] clients, CancellationToken cancellationToken)
    {
        Dictionary<string, int> before;
        lock (through)
            before = new Dictionary<string, int>(through, StringComparer.Ordinal);
        while (true)
        {
            lock (through)
            {
                // Those that were under way before may have ended since; later ones are of the cluster as it is.
                if (cluster.Silos.Keys.All(name => through.GetValueOrDefault(name) > before.GetValueOrDefault(name) + Count))
                    return;
            }

            if (clients.FirstOrDefault(c => c.IsCompleted) is { } ended)
                await ended;
            await Task.Delay(20, cancellationToken);
        }
    }
}
