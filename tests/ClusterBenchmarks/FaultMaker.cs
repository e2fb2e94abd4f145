using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using Slm.Cluster.Tests;
using Slm.Cluster.Tests.Network;
using Slm.V1;

namespace Slm.ClusterBenchmarks;

/// <summary>Harms a cluster again and again, one thing at a time, and makes it whole before the next.</summary>
/// <param name="cluster">The cluster.</param>
/// <param name="partitions">Silos can be cut off.</param>
/// <param name="seed">Draws what, whom and how long.</param>
/// <param name="report">Gets what was done.</param>
/// <param name="harm">Told before a silo is harmed, and when it serves again.</param>
internal sealed class FaultMaker(SiloCluster cluster, bool partitions, int seed, SoakReport report, Action<string, bool> harm)
{
    private readonly Random _random = new(seed + 1);

    /// <summary>Goes on until <paramref name="over"/>; a fault that has begun is repaired all the same.</summary>
    public async Task RunAsync(CancellationToken over, CancellationToken cancellationToken)
    {
        string[] kinds = partitions ? ["kill", "freeze", "drain", "stop", "database", "partition"] : ["kill", "freeze", "drain", "stop", "database"];
        try
        {
            while (true)
            {
                await Task.Delay(TimeSpan.FromSeconds(2 + (_random.NextDouble() * 8)), over);
                var kind = kinds[_random.Next(kinds.Length)];
                var victim = ((char)('a' + _random.Next(cluster.Silos.Count))).ToString();
                var seconds = 1 + (_random.NextDouble() * 14);
                var started = Stopwatch.GetTimestamp();
                if (kind != "database")
                    harm(victim, true);
                var said = await MakeAsync(kind, victim, TimeSpan.FromSeconds(seconds), cancellationToken);
                harm(victim, false);
                report.Add(kind, started);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{report.Elapsed:mm\\:ss} {kind}{(kind == "database" ? "" : $" of {victim}")}, whole again after {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s{said}; {report.Line}"));
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
        }
    }

    private async Task<string> MakeAsync(string kind, string victim, TimeSpan lasts, CancellationToken cancellationToken)
    {
        var silo = cluster.Silos[victim];
        switch (kind)
        {
            case "kill":
                await silo.KillAsync();
                await cluster.RestartAsync(victim, cancellationToken);
                break;
            case "stop":
                var code = await silo.StopAsync(cancellationToken);
                await cluster.RestartAsync(victim, cancellationToken);
                await cluster.WholeAsync(cancellationToken);
                return code == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", it ended with {code}");
            case "freeze":
                silo.Freeze();
                await Task.Delay(lasts, cancellationToken);
                silo.Thaw();
                return ", " + await cluster.RejoinAsync(victim, cancellationToken);
            case "partition":
                await HostNetwork.CutAsync(cluster.Host(victim), cancellationToken);
                await Task.Delay(lasts, cancellationToken);
                await HostNetwork.HealAsync(cluster.Host(victim), cancellationToken);
                return ", " + await cluster.RejoinAsync(victim, cancellationToken);
            case "drain":
                try
                {
                    await silo.Cluster.DrainAsync(new DrainRequest { Silo = victim }, cancellationToken: cancellationToken);
                    await Task.Delay(lasts, cancellationToken);
                    await silo.Cluster.ResumeAsync(new ResumeRequest { Silo = victim }, cancellationToken: cancellationToken);
                }
                catch (RpcException error)
                {
                    report.Fail($"drain of {victim}: {error.Status}");
                }

                break;
            case "database":
                await cluster.Database.StopAsync(cancellationToken);
                await Task.Delay(lasts, cancellationToken);
                await cluster.Database.StartAgainAsync(cancellationToken);
                break;
        }

        await cluster.WholeAsync(cancellationToken);
        return "";
    }
}
