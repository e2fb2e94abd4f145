namespace Slm.Cluster.Tests.Network;

/// <summary>
/// Hosts that lose each other and meet again. The cluster goes on without the one that was cut off; when that one is back, it finds
/// that the others have given it up, and ends or joins anew.
/// </summary>
public sealed class PartitionTests(NetworkCluster shared) : IClassFixture<NetworkCluster>
{
    /// <summary>Tokens of every stream that show that the cluster goes on.</summary>
    private const int Some = 60;

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_partition_that_cuts_a_stage_off() => await CutOffAsync("partition of a stage's silo", parts => parts.Stage, TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_partition_that_cuts_the_coordinator_off() =>
        await CutOffAsync("partition of the coordinator's silo", parts => parts.Coordinator, TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task Streams_do_not_notice_that_the_database_is_cut_off()
    {
        var cancelled = TestContext.Current.CancellationToken;
        await shared.SurviveAsync(
            "partition of the database",
            async (cluster, _, running) =>
            {
                await HostNetwork.CutAsync(cluster.Host(SiloCluster.DatabaseHost), cancelled);
                await running.EachHasAsync(running.Least + Some, cancelled);
                await HostNetwork.HealAsync(cluster.Host(SiloCluster.DatabaseHost), cancelled);
            },
            async (cluster, _) =>
            {
                await cluster.CompleteAsync(cancelled);
                await shared.AnswersAsync(cluster.Silos["d"], cancelled);
            },
            cancelled);
    }

    private async Task CutOffAsync(string fault, Func<ModelParts, string> who, CancellationToken cancelled) => await shared.SurviveAsync(
        fault,
        async (cluster, parts, running) =>
        {
            var host = cluster.Host(who(parts));
            await HostNetwork.CutAsync(host, cancelled);
            try
            {
                // The cluster goes on: tokens come that need what was cut off, and it is not a member any more.
                await running.EachHasAsync(running.Least + Some, cancelled);
                await SiloCluster.ForgetAsync(who(parts), parts.Entry, cancelled);
            }
            finally
            {
                await HostNetwork.HealAsync(host, CancellationToken.None);
            }
        },
        (cluster, parts) => shared.BackAsync(who(parts), cluster, parts.Entry, cancelled),
        cancelled);
}
