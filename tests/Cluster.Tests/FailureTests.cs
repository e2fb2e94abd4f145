using Slm.V1;

namespace Slm.Cluster.Tests;

/// <summary>Answers under way when a part of the cluster is lost: all of them end as if nothing had happened.</summary>
public sealed class FailureTests
{
    private const int Count = 16;
    private const int Tokens = 160;

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_the_death_of_a_stage() =>
        await SurviveAsync(silo => silo.Stage, victim => victim.KillAsync(), null, TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_the_death_of_their_coordinator() =>
        await SurviveAsync(silo => silo.Coordinator, victim => victim.KillAsync(), null, TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_stage_that_hangs() =>
        await SurviveAsync(silo => silo.Stage, FreezeAsync, victim => victim.Thaw(), TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_coordinator_that_hangs() =>
        await SurviveAsync(silo => silo.Coordinator, FreezeAsync, victim => victim.Thaw(), TestContext.Current.CancellationToken);

    /// <summary>Where the model's own grain is lost as well, nobody finds the way before the cluster has given the silo up.</summary>
    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_coordinator_that_hangs_with_the_grain_of_the_model() =>
        await SurviveAsync(silo => silo.Coordinator, FreezeAsync, victim => victim.Thaw(), TestContext.Current.CancellationToken, grainOn: "c");

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_the_death_of_a_silo_of_experts() =>
        await SurviveAsync(silo => silo.Experts, victim => victim.KillAsync(), null, TestContext.Current.CancellationToken, SiloCluster.Mixture);

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_silo_of_experts_that_hangs() =>
        await SurviveAsync(silo => silo.Experts, FreezeAsync, victim => victim.Thaw(), TestContext.Current.CancellationToken, SiloCluster.Mixture);

    private static Task FreezeAsync(SiloProcess silo)
    {
        silo.Freeze();
        return Task.CompletedTask;
    }

    private static async Task SurviveAsync(Func<ModelParts, string> who, Func<SiloProcess, Task> harm, Action<SiloProcess>? heal, CancellationToken cancelled, string model = SiloCluster.Model, string? grainOn = null)
    {
        var isMixture = model == SiloCluster.Mixture;
        await using var cluster = await SiloCluster.StartAsync(4, null, isMixture ? SiloCluster.MixtureFolder : SiloCluster.ModelFolder, _ => [], cancelled);
        Task<ModelParts> LoadAsync() => isMixture ? cluster.LoadMixtureAsync(cancelled) : cluster.LoadAsync(cancelled);
        // A model's grain is where it was first asked for.
        if (grainOn is not null)
            await cluster.Silos[grainOn].Models.DescribeAsync(new DescribeModelRequest { Model = model }, cancellationToken: cancelled);
        var requests = Streams.Requests(Count, Tokens, model);
        var parts = await LoadAsync();
        try
        {
            // Nothing of the first run is left in the cache: it would hide what has to be computed again.
            var undisturbed = await Streams.RunAsync(parts.Entry, requests, null, cancelled);
            await parts.Entry.Models.UnloadAsync(new UnloadModelRequest { Model = model }, cancellationToken: cancelled);
            parts = await LoadAsync();
            var victim = cluster.Silos[who(parts)];
            var disturbed = await Streams.RunAsync(parts.Entry, requests, () => harm(victim), cancelled);
            for (var i = 0; i < Count; i++)
                disturbed[i].MustEqual(undisturbed[i]);
            var recoveries = (await SiloCluster.LoadFiguresAsync(parts.Entry, model, cancelled)).Recoveries;
            Assert.True(recoveries > 0 || who(parts) == parts.Coordinator, "Nothing had to be recovered: the streams did not need what was harmed.");
            var pauses = disturbed.Select(a => a.LongestPause.TotalMilliseconds).Order().ToArray();
            TestContext.Current.TestOutputHelper?.WriteLine($"Pause p50 {pauses[Count / 2]:0} ms, longest {pauses[^1]:0} ms; undisturbed {undisturbed.Max(a => a.LongestPause.TotalMilliseconds):0} ms");
            heal?.Invoke(victim);
        }
        catch
        {
            TestContext.Current.TestOutputHelper?.WriteLine(cluster.Logs);
            throw;
        }
    }
}
