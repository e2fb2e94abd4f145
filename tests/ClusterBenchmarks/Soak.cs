using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using Slm.Cluster.Tests;
using Slm.Cluster.Tests.Network;
using Slm.V1;
using Xunit.Sdk;

namespace Slm.ClusterBenchmarks;

/// <summary>Random load under random faults, for a time; every answer must be what it is undisturbed.</summary>
internal sealed class Soak(TimeSpan duration, int seed)
{
    private const int Silos = 4;
    private const int MostStreams = 32;
    private const int Distinct = 64;
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);
    private readonly SoakReport _report = new();
    private readonly HashSet<string> _harmed = new(StringComparer.Ordinal);
    private readonly GenerateRequest[] _requests = SoakRequests.Draw(Distinct, seed);
    private Answer[] _expected = [];

    /// <summary>Runs it and prints what came of it.</summary>
    /// <returns>0 if every answer was right and nothing was left, else 1.</returns>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var why = await HostNetwork.WhyNotAsync(cancellationToken);
        Console.WriteLine($"Soak of {duration.TotalMinutes:0.#} minutes, seed {seed}, {Silos} silos{(why is null ? " on hosts of their own" : $" without partitions. {why}")}");
        await using var network = why is null ? await HostNetwork.CreateAsync(cancellationToken) : null;
        await using var cluster = await SiloCluster.StartAsync(Silos, network, SiloCluster.ModelFolder, _ => ["Slm:Inference:Loss:LeaseMs=15000"], cancellationToken);
        await cluster.LoadAsync(cancellationToken);
        _expected = await ExpectAsync(cluster.Silos["a"], cancellationToken);
        await cluster.ReloadAsync(cancellationToken);
        var watch = new MemoryWatch(cluster);
        watch.Note();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        over.CancelAfter(duration);
        var load = LoadAsync(cluster, over.Token, cancellationToken);
        await new FaultMaker(cluster, network is not null, seed, _report, Harm).RunAsync(over.Token, cancellationToken);
        await load;
        var left = "nothing";
        try
        {
            await SiloCluster.NothingLeftAsync(cluster.Silos["a"], cancellationToken);
        }
        catch (XunitException error)
        {
            left = error.Message;
        }

        watch.Note();
        _report.Print(watch, left);
        if (!_report.IsGood || left != "nothing")
        {
            await File.WriteAllTextAsync("soak-silos.log", cluster.Logs, cancellationToken);
            Console.WriteLine("The silos' logs are in soak-silos.log.");
            return 1;
        }

        return 0;
    }

    /// <summary>Answers while nothing happens, a few at a time: what others a stream runs with never changes it.</summary>
    private async Task<Answer[]> ExpectAsync(SiloProcess silo, CancellationToken cancellationToken)
    {
        var answers = _requests.Select(_ => new Answer()).ToArray();
        await Parallel.ForAsync(0, answers.Length, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = cancellationToken },
            async (i, token) => await Streams.ReadAsync(silo, _requests[i], answers[i], null, token));
        Assert.All(answers, a => Assert.Null(a.Error));
        return answers;
    }

    /// <summary>Streams arrive as a Poisson process; how many are meant to be under way at a time is drawn anew every while.</summary>
    private async Task LoadAsync(SiloCluster cluster, CancellationToken over, CancellationToken cancellationToken)
    {
        var random = new Random(seed);
        var streams = new List<Task>();
        using var room = new SemaphoreSlim(MostStreams);
        var (until, wanted) = (0L, 1);
        try
        {
            while (true)
            {
                if (Stopwatch.GetTimestamp() > until)
                    (until, wanted) = (Stopwatch.GetTimestamp() + (Stopwatch.Frequency * random.Next(5, 30)), random.Next(1, MostStreams + 1));

                // By Little's law so many are under way if one takes as long as those before.
                var mean = _report.MeanSeconds / wanted;
                await Task.Delay(TimeSpan.FromSeconds(-mean * Math.Log(1 - random.NextDouble())), over);
                await room.WaitAsync(over);
                var which = random.Next(_requests.Length);
                streams.RemoveAll(s => s.IsCompletedSuccessfully);
                streams.Add(Task.Run(
                    async () =>
                    {
                        try
                        {
                            await StreamAsync(cluster, which, cancellationToken);
                        }
                        finally
                        {
                            room.Release();
                        }
                    },
                    cancellationToken));
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
        }

        await Task.WhenAll(streams);
    }

    /// <summary>One answer. A client whose silo is lost, or that is told to come back later, asks again.</summary>
    private async Task StreamAsync(SiloCluster cluster, int which, CancellationToken cancellationToken)
    {
        var begun = Stopwatch.StartNew();
        while (true)
        {
            SiloProcess silo;
            lock (_harmed)
            {
                var usable = cluster.Silos.Values.Where(s => !_harmed.Contains(s.Name)).ToArray();
                silo = usable[(which + (int)begun.ElapsedMilliseconds) % usable.Length];
            }

            var answer = new Answer();
            var started = Stopwatch.GetTimestamp();
            try
            {
                await Streams.ReadAsync(silo, _requests[which], answer, DateTime.UtcNow + Deadline, cancellationToken);
            }
            catch (ObjectDisposedException)
            {
                // Its channel went with the silo's process.
                answer.Error = new RpcException(new Status(StatusCode.Unavailable, "The silo was restarted before it was asked."));
            }

            var right = answer.TokenIds.SequenceEqual(_expected[which].TokenIds.Take(answer.TokenIds.Count));
            if (answer.Error is null)
                right &= IsEqual(answer, _expected[which]);
            _report.Add(answer, started, right, $"request {which}, through {silo.Name}: {answer.TokenIds.Count} tokens, {answer.Error?.Status.ToString() ?? "ended"}");
            if (answer.Error is not { StatusCode: StatusCode.Unavailable } error || begun.Elapsed > Deadline || !right)
                return;
            var retry = error.GetRpcStatus()?.GetDetail<Google.Rpc.RetryInfo>()?.RetryDelay.ToTimeSpan();
            await Task.Delay(retry ?? TimeSpan.FromMilliseconds(200), cancellationToken);
        }
    }

    private static bool IsEqual(Answer answer, Answer expected)
    {
        try
        {
            answer.MustEqual(expected);
            return true;
        }
        catch (XunitException)
        {
            return false;
        }
    }

    /// <summary>New streams do not begin at a silo that is about to be harmed; those that run there are not spared.</summary>
    private void Harm(string silo, bool harmed)
    {
        lock (_harmed)
        {
            if (harmed)
                _harmed.Add(silo);
            else
                _harmed.Remove(silo);
        }
    }
}
