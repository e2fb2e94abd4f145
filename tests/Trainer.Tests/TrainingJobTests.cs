using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Slm.Trainer.Jobs;
using Slm.V1;

namespace Slm.Trainer.Tests;

/// <summary>Jobs over a shell script that stands for the training program and speaks its JSON lines.</summary>
public sealed class TrainingJobTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("slm-jobs").FullName;
    private readonly List<JobRunner> _runners = [];

    private readonly CancellationTokenSource _deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private CancellationToken Cancellation => _deadline.Token;

    public ValueTask InitializeAsync()
    {
        // Nothing here takes a second; whatever hangs is cancelled.
        _deadline.CancelAfter(TimeSpan.FromMinutes(1));
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var runner in _runners)
        {
            await runner.StopAsync(CancellationToken.None);
            runner.Dispose();
        }
        _deadline.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_job_reports_progress_and_ends_with_its_result()
    {
        var (service, store, _) = await StartAsync("""
            echo 'a line of a build, not JSON'
            echo '{"event":"progress","phase":"train","step":5,"total_steps":10,"loss":2.5}'
            echo '{"event":"progress","phase":"export","message":"the model file"}'
            echo '{"event":"result","model":"tiny.gguf"}'
            """);
        var job = await Submit(service, "a: 1");
        Assert.Equal(JobState.Queued, job.State);
        var states = await store.WatchAsync(job.Id, Cancellation).ToListAsync(Cancellation);
        var end = states[^1];
        Assert.Equal(JobState.Succeeded, end.State);
        Assert.Equal("tiny.gguf", end.Result);
        Assert.Equal((5L, 10L, 0.5, 2.5, "export"), (end.Progress.Step, end.Progress.TotalSteps, end.Progress.Fraction, end.Progress.Metrics["loss"], end.Progress.Phase));
        Assert.True(end.Started.ToDateTimeOffset() <= end.Ended.ToDateTimeOffset());
    }

    [Fact]
    public async Task The_program_gets_the_configuration_that_was_submitted()
    {
        var (service, store, _) = await StartAsync("""cp "$3" "$5/seen.yaml" """);
        var job = await Submit(service, "layers: 3\n");
        await EndOf(store, job.Id);
        Assert.Equal("layers: 3\n", await File.ReadAllTextAsync(Path.Combine(store.FolderOf(job.Id), "seen.yaml"), Cancellation));
    }

    [Fact]
    public async Task A_failure_carries_the_program_s_own_words()
    {
        var (service, store, _) = await StartAsync("""
            echo '{"event":"error","code":"INVALID_ARGUMENT","message":"model.layers is 0; it must be at least 1."}'
            exit 2
            """);
        var end = await EndOf(store, (await Submit(service, "a: 1")).Id);
        Assert.Equal(JobState.Failed, end.State);
        Assert.Equal(("INVALID_ARGUMENT", "model.layers is 0; it must be at least 1."), (end.Error.Code, end.Error.Message));
    }

    [Fact]
    public async Task A_crash_shows_the_last_lines_of_the_error_output()
    {
        var (service, store, _) = await StartAsync("echo 'out of memory' >&2; exit 137");
        var end = await EndOf(store, (await Submit(service, "a: 1")).Id);
        Assert.Equal(JobState.Failed, end.State);
        Assert.Contains("out of memory", end.Error.Message);
    }

    [Fact]
    public async Task A_missing_program_fails_the_job_and_not_the_service()
    {
        var (service, store, _) = await StartAsync(script: null);
        var end = await EndOf(store, (await Submit(service, "a: 1")).Id);
        Assert.Equal(JobState.Failed, end.State);
        Assert.NotEmpty(end.Error.Message);
    }

    [Fact]
    public async Task Cancel_lets_the_program_write_its_checkpoint()
    {
        var (service, store, runner) = await StartAsync("""
            trap 'echo saved > "$5/checkpoint"; exit 143' TERM
            echo '{"event":"progress","step":1}'
            while true; do read -t 0.05 _ < /dev/zero || true; done
            """);
        var job = await Submit(service, "a: 1");
        await foreach (var state in store.WatchAsync(job.Id, Cancellation))
            if (state.Progress is not null)
                break;
        runner.Cancel(job.Id);
        Assert.Equal(JobState.Cancelled, (await EndOf(store, job.Id)).State);
        Assert.True(File.Exists(Path.Combine(store.FolderOf(job.Id), "checkpoint")));
    }

    [Fact]
    public async Task A_job_cut_off_by_a_restart_goes_on_with_resume()
    {
        var (first, store, runner) = await StartAsync("""
            echo '{"event":"progress","step":1}'
            while true; do read -t 0.05 _ < /dev/zero || true; done
            """);
        var job = await Submit(first, "a: 1");
        await foreach (var state in store.WatchAsync(job.Id, Cancellation))
            if (state.Progress is not null)
                break;
        await runner.StopAsync(CancellationToken.None);

        var (_, again, _) = await StartAsync("""
            for argument in "$@"; do [ "$argument" = --resume ] && resumed=yes; done
            echo "{\"event\":\"result\",\"model\":\"resumed-$resumed\"}"
            """);
        var end = await EndOf(again, job.Id);
        Assert.Equal((JobState.Succeeded, "resumed-yes", 2), (end.State, end.Result, end.Attempts));
    }

    [Fact]
    public async Task The_same_configuration_is_run_once_unless_forced()
    {
        var (service, store, _) = await StartAsync("true");
        var first = await Submit(service, "a: 1");
        await EndOf(store, first.Id);
        Assert.Equal(first.Id, (await Submit(service, "a: 1")).Id);
        Assert.NotEqual(first.Id, (await Submit(service, "a: 2")).Id);
        Assert.NotEqual(first.Id, (await Submit(service, "a: 1", force: true)).Id);
    }

    [Fact]
    public async Task Jobs_are_listed_page_by_page()
    {
        var (service, _, _) = await StartAsync("true");
        string[] ids = [(await Submit(service, "a: 1")).Id, (await Submit(service, "a: 2")).Id, (await Submit(service, "a: 3")).Id];
        var first = await service.List(new ListJobsRequest { PageSize = 2 }, null!);
        var second = await service.List(new ListJobsRequest { PageSize = 2, PageToken = first.NextPageToken }, null!);
        Assert.Equal(ids, first.Jobs.Concat(second.Jobs).Select(j => j.Id));
        Assert.False(second.HasNextPageToken);
    }

    [Fact]
    public async Task Bad_requests_name_their_field()
    {
        var (service, _, _) = await StartAsync("true");
        Assert.Contains("pretrain", (await Assert.ThrowsAsync<RpcException>(() => service.Submit(new SubmitTrainingRequest(), null!))).Status.Detail);
        Assert.Contains("config_yaml", (await Assert.ThrowsAsync<RpcException>(() => Submit(service, " "))).Status.Detail);
        Assert.Equal(StatusCode.NotFound, (await Assert.ThrowsAsync<RpcException>(() => service.Get(new GetJobRequest { Id = "x" }, null!))).StatusCode);
        Assert.Contains("page_size", (await Assert.ThrowsAsync<RpcException>(() => service.List(new ListJobsRequest { PageSize = 0 }, null!))).Status.Detail);
    }

    private static Task<Job> Submit(TrainerGrpcService service, string config, bool force = false) =>
        service.Submit(new SubmitTrainingRequest { Pretrain = new PretrainSpec { ConfigYaml = config }, Force = force }, null!);

    private async Task<Job> EndOf(JobStore store, string id) => (await store.WatchAsync(id, Cancellation).ToListAsync(Cancellation))[^1];

    private async Task<(TrainerGrpcService Service, JobStore Store, JobRunner Runner)> StartAsync(string? script)
    {
        var command = "/no/such/program";
        if (script is not null)
        {
            var file = Path.Combine(_folder, $"{Guid.NewGuid():N}.sh");
            await File.WriteAllTextAsync(file, script + "\n", Cancellation);
            command = $"bash {file}";
        }
        var options = Options.Create(new TrainerServiceOptions { Command = command, Folder = Path.Combine(_folder, "jobs") });
        var store = new JobStore(options.Value.Folder);
        var runner = new JobRunner(store, options, TimeProvider.System, NullLogger<JobRunner>.Instance);
        _runners.Add(runner);
        await runner.StartAsync(Cancellation);
        return (new TrainerGrpcService(store, runner, options, TimeProvider.System), store, runner);
    }
}
