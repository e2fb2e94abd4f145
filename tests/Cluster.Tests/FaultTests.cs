using System.Diagnostics;
using Grpc.Core;
using Slm.V1;

namespace Slm.Cluster.Tests;

/// <summary>What happens to machines and databases of a cluster in its life, under answers that are under way.</summary>
public sealed class FaultTests(ProcessCluster shared) : IClassFixture<ProcessCluster>
{
    private static readonly TimeSpan Frozen = TimeSpan.FromSeconds(20);

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_stage_that_is_frozen_for_20_s() => await FreezeAsync("20 s freeze of a stage's silo", parts => parts.Stage, TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_coordinator_that_is_frozen_for_20_s() =>
        await FreezeAsync("20 s freeze of the coordinator's silo", parts => parts.Coordinator, TestContext.Current.CancellationToken);

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_restart_of_the_database()
    {
        var cancelled = TestContext.Current.CancellationToken;
        await shared.SurviveAsync(
            "PostgreSQL restarted",
            async (cluster, _, running) =>
            {
                await cluster.Database.StopAsync(cancelled);
                await running.EachHasAsync(running.Least + (SharedCluster.Tokens / 2), cancelled);
                await cluster.Database.StartAgainAsync(cancelled);
            },
            async (cluster, _) =>
            {
                // A loss after it is noticed and repaired: membership is read and written again.
                await cluster.Silos["d"].KillAsync();
                await SiloCluster.ForgetAsync("d", cluster.Silos["a"], cancelled);
                await cluster.RestartAsync("d", cancelled);
                await cluster.CompleteAsync(cancelled);
                await shared.AnswersAsync(cluster.Silos["d"], cancelled);
            },
            cancelled);
    }

    [Fact(Timeout = 300_000)]
    public async Task Streams_survive_a_rolling_restart_of_every_silo()
    {
        var cancelled = TestContext.Current.CancellationToken;
        var cluster = await shared.GetAsync(cancelled);
        try
        {
            var undisturbed = await shared.UndisturbedAsync(cancelled);
            await cluster.ReloadAsync(cancelled);
            var requests = Streams.Requests(SharedCluster.Count, SharedCluster.Tokens);
            var stopping = "";
            var over = false;
            var answers = new List<Answer>();

            // New streams begin all the time, at a silo that is not about to stop; those that run there go on until they end.
            var clients = requests.Select((_, i) => Task.Run(async () =>
            {
                for (var n = i; !Volatile.Read(ref over); n++)
                {
                    var silo = cluster.Silos.OrderBy(s => s.Key, StringComparer.Ordinal).First(s => s.Key != Volatile.Read(ref stopping)).Value;
                    var answer = new Answer();
                    await Streams.ReadAsync(silo, requests[n % requests.Length], answer, null, cancelled);
                    answer.MustEqual(undisturbed[n % requests.Length]);
                    lock (answers)
                        answers.Add(answer);
                }
            }, cancelled)).ToArray();
            foreach (var name in cluster.Silos.Keys.ToArray())
            {
                Volatile.Write(ref stopping, name);
                Assert.Equal(0, await cluster.Silos[name].StopAsync(cancelled));
                await cluster.RestartAsync(name, cancelled);
                await cluster.CompleteAsync(cancelled);
            }

            Volatile.Write(ref over, true);
            await Task.WhenAll(clients);
            SharedCluster.Report($"rolling restart of 4 silos, {answers.Count} streams: {SharedCluster.Pauses([.. answers])}");
            await SiloCluster.NothingLeftAsync(cluster.Silos["a"], cancelled);
        }
        catch
        {
            await shared.FailedAsync();
            throw;
        }
    }

    /// <summary>The wish of a label holds for replacements too; where no silo has it any more, streams end and say when to try again.</summary>
    [Fact(Timeout = 300_000)]
    public async Task Streams_end_with_a_retry_delay_when_no_silo_with_the_label_is_left()
    {
        var cancelled = TestContext.Current.CancellationToken;
        var cluster = await shared.GetAsync(cancelled);
        try
        {
            var undisturbed = await shared.UndisturbedAsync(cancelled);
            var entry = cluster.Silos["a"];
            await entry.Models.UnloadAsync(new UnloadModelRequest { Model = SiloCluster.Model }, cancellationToken: cancelled);
            var placement = new Placement { Stages = 2, Labels = { ["zone"] = "x" } };
            await entry.Models.LoadAsync(new LoadModelRequest { Model = SiloCluster.Model, Placement = placement }, cancellationToken: cancelled);
            var stages = await SiloCluster.StagesAsync(entry, cancelled);
            Assert.Equal(["b", "c"], stages.Order(StringComparer.Ordinal));

            var deadline = TimeSpan.FromSeconds(60);
            var answers = SharedCluster.NewAnswers();
            var running = new RunningStreams(answers, Task.WhenAll(Streams.Requests(SharedCluster.Count, SharedCluster.Tokens)
                .Select((request, i) => Streams.ReadAsync(entry, request, answers[i], DateTime.UtcNow + deadline, cancelled))));
            await running.EachHasAsync(Streams.Some, cancelled);
            await cluster.Silos[stages[0]].KillAsync();
            await running.EachHasAsync(running.Least + Streams.Some, cancelled);
            Assert.All(await SiloCluster.StagesAsync(entry, cancelled), silo => Assert.Equal(stages[1], silo));
            await cluster.Silos[stages[1]].KillAsync();
            await running.Answers;
            foreach (var answer in answers)
            {
                Assert.Equal(StatusCode.Unavailable, answer.Error?.StatusCode);
                Assert.NotNull(answer.Error!.GetRpcStatus()?.GetDetail<Google.Rpc.RetryInfo>());
                Assert.True(answer.Took < deadline);
            }

            for (var i = 0; i < answers.Length; i++)
                Assert.Equal(undisturbed[i].TokenIds.Take(answers[i].TokenIds.Count), answers[i].TokenIds);
            SharedCluster.Report($"no silo with the label left: streams ended {answers.Max(a => a.LongestPause).TotalMilliseconds:0} ms at most after their last pause but one");
            foreach (var name in stages)
                await cluster.RestartAsync(name, cancelled);
            await cluster.CompleteAsync(cancelled);
            await shared.AnswersAsync(entry, cancelled);
            Assert.All(await SiloCluster.StagesAsync(entry, cancelled), silo => Assert.Contains(silo, stages));
        }
        catch
        {
            await shared.FailedAsync();
            throw;
        }
    }

    [Fact(Timeout = 300_000)]
    public async Task Nothing_is_left_of_a_thousand_cancelled_streams()
    {
        // What the first ones bring into memory for good: compiled code, connections, pools.
        const int First = 200;
        const int Streaming = 1000;
        const int AtATime = 32;
        var cancelled = TestContext.Current.CancellationToken;
        var cluster = await shared.GetAsync(cancelled);
        var parts = await cluster.ReloadAsync(cancelled);
        var random = new Random(4);
        await CancelAsync(First);
        var before = Measure();
        await CancelAsync(Streaming);
        var after = Measure();
        SharedCluster.Report(string.Join('\n', after.Select(m => FormattableString.Invariant(
            $"Silo {m.Key}: {before[m.Key].Threads} to {m.Value.Threads} threads, {before[m.Key].Bytes >> 20} to {m.Value.Bytes >> 20} MiB"))));
        foreach (var (name, (threads, bytes)) in after)
        {
            // The pool's own threads come and go; one per stream would be a thousand.
            Assert.True(threads <= before[name].Threads + 16, $"Silo {name} has {threads} threads, {before[name].Threads} before.");

            // The collector may grow by its budget (up to 30 MiB were seen); what a stream leaves in KV blocks is counted above to the byte.
            Assert.True(bytes <= before[name].Bytes + (96 << 20), $"Silo {name} holds {bytes} bytes, {before[name].Bytes} before.");
        }

        async Task CancelAsync(int count)
        {
            var requests = Streams.Requests(SharedCluster.Count, SharedCluster.Tokens);
            var work = Enumerable.Range(0, count).Select(i => (Request: requests[i % requests.Length], Tokens: random.Next(0, 12))).ToArray();
            await Parallel.ForEachAsync(work, new ParallelOptions { MaxDegreeOfParallelism = AtATime, CancellationToken = cancelled }, async (one, token) =>
            {
                using var cancel = CancellationTokenSource.CreateLinkedTokenSource(token);
                try
                {
                    using var call = parts.Entry.Inference.Generate(one.Request, cancellationToken: cancel.Token);
                    var received = 0;
                    if (one.Tokens == 0)
                        await cancel.CancelAsync();
                    await foreach (var piece in call.ResponseStream.ReadAllAsync(cancel.Token))
                    {
                        received += piece.TokenIds.Count;
                        if (received >= one.Tokens)
                            await cancel.CancelAsync();
                    }

                    Assert.Fail("A stream went on to its end.");
                }
                catch (RpcException error) when (error.StatusCode == StatusCode.Cancelled)
                {
                }
                catch (OperationCanceledException) when (!token.IsCancellationRequested)
                {
                }
            });
            await SiloCluster.NothingLeftAsync(parts.Entry, cancelled);
        }

        Dictionary<string, (int Threads, long Bytes)> Measure() => cluster.Silos.ToDictionary(s => s.Key, s => (s.Value.Threads, s.Value.WorkingSet), StringComparer.Ordinal);
    }

    private async Task FreezeAsync(string fault, Func<ModelParts, string> who, CancellationToken cancelled)
    {
        var since = new Stopwatch();
        await shared.SurviveAsync(
            fault,
            (cluster, parts, _) =>
            {
                cluster.Silos[who(parts)].Freeze();
                since.Start();
                return Task.CompletedTask;
            },
            async (cluster, parts) =>
            {
                // The length of the freeze is what is tested; by its end the others have given the silo up.
                await SiloCluster.ForgetAsync(who(parts), parts.Entry, cancelled);
                if (Frozen - since.Elapsed is { Ticks: > 0 } rest)
                    await Task.Delay(rest, cancelled);
                cluster.Silos[who(parts)].Thaw();
                await shared.BackAsync(who(parts), cluster, parts.Entry, cancelled);
            },
            cancelled);
    }
}
