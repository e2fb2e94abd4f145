using System.Collections.Concurrent;
using System.Text.Json;
using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Options;
using Slm.V1;

namespace Slm.Trainer.Jobs;

/// <summary>
/// Runs queued jobs one after another, each as a process of the training program. A job that was running when this process
/// ended is run again at the next start and goes on from its last checkpoint.
/// </summary>
internal sealed partial class JobRunner : BackgroundService
{
    private readonly JobStore _store;
    private readonly TrainerServiceOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<JobRunner> _logger;
    private readonly Channel<string> _queue = Channel.CreateUnbounded<string>();
    private readonly ConcurrentDictionary<string, CancellationTokenSource> _running = new(StringComparer.Ordinal);

    public JobRunner(JobStore store, IOptions<TrainerServiceOptions> options, TimeProvider time, ILogger<JobRunner> logger)
    {
        (_store, _options, _time, _logger) = (store, options.Value, time, logger);
        // Here and not when it starts: a job submitted in between would be queued twice.
        foreach (var job in store.All().Where(j => !JobStore.IsEnded(j.State)))
            Enqueue(job.Id);
    }

    public void Enqueue(string id) => _queue.Writer.TryWrite(id);

    /// <summary>Cancels a job that waits or runs.</summary>
    public Job? Cancel(string id)
    {
        var job = _store.Update(id, job =>
        {
            if (job.State != JobState.Queued)
                return false;
            job.State = JobState.Cancelled;
            job.Ended = Now();
            return true;
        });
        if (_running.TryGetValue(id, out var running))
            running.Cancel();
        return job;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var id in _queue.Reader.ReadAllAsync(stoppingToken))
            await RunAsync(id, stoppingToken);
    }

    private async Task RunAsync(string id, CancellationToken stoppingToken)
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        _running[id] = cancel;
        try
        {
            var job = _store.Update(id, job =>
            {
                if (JobStore.IsEnded(job.State))
                    return false;
                // A first state change writes the record; a restarted job keeps its state and gets a new attempt.
                job.State = JobState.Running;
                job.Started ??= Now();
                job.Attempts++;
                return true;
            });
            if (job is null || JobStore.IsEnded(job.State))
                return;
            LogStarted(_logger, id, job.Attempts);
            var outcome = await StartAsync(job, cancel.Token);
            if (stoppingToken.IsCancellationRequested)
                return; // Stays running in the store, and is continued at the next start.
            Conclude(id, outcome, cancel.IsCancellationRequested);
        }
#pragma warning disable CA1031 // One job's failure is that job's; the next one runs.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogFailed(_logger, id, error);
            Conclude(id, new TrainingOutcome(1, null, "INTERNAL", error.Message), cancelled: false);
        }
        finally
        {
            _running.TryRemove(id, out _);
        }
    }

    private Task<TrainingOutcome> StartAsync(Job job, CancellationToken cancellationToken)
    {
        var folder = _store.FolderOf(job.Id);
        var config = Path.Combine(folder, "config.yaml");
        File.WriteAllText(config, job.Config);
        var start = TrainingCommand.Find(_options);
        foreach (var argument in (ReadOnlySpan<string>)["pretrain", "--config", config, "--output", folder, "--json"])
            start.ArgumentList.Add(argument);
        if (job.Attempts > 1)
            start.ArgumentList.Add("--resume");
        start.WorkingDirectory = folder;
        return TrainingProcess.RunAsync(start, line => _store.Update(job.Id, record => Read(record, line)), _options.StopTimeout, cancellationToken);
    }

    private bool Read(Job job, JsonElement line)
    {
        // What an event does not say, such as the export's that counts no steps, stays as it was.
        var progress = job.Progress?.Clone() ?? new JobProgress();
        progress.At = Now();
        progress.Phase = TrainingProcess.Text(line, "phase") ?? "";
        progress.ClearMessage();
        var fraction = false;
        if (TrainingProcess.Text(line, "message") is { } message)
            progress.Message = message;
        foreach (var property in line.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Number)
                continue;
            switch (property.Name)
            {
                case "step":
                    progress.Step = (long)property.Value.GetDouble();
                    break;
                case "total_steps":
                    progress.TotalSteps = (long)property.Value.GetDouble();
                    break;
                case "fraction":
                    progress.Fraction = property.Value.GetDouble();
                    fraction = true;
                    break;
                default:
                    progress.Metrics[property.Name] = property.Value.GetDouble();
                    break;
            }
        }

        if (!fraction && progress.TotalSteps > 0)
            progress.Fraction = Math.Clamp((double)progress.Step / progress.TotalSteps, 0, 1);
        job.Progress = progress;
        return true;
    }

    private void Conclude(string id, TrainingOutcome outcome, bool cancelled)
    {
        _store.Update(id, job =>
        {
            job.Ended = Now();
            if (cancelled)
                job.State = JobState.Cancelled;
            else if (outcome.ExitCode == 0)
                job.State = JobState.Succeeded;
            else
            {
                job.State = JobState.Failed;
                job.Error = new JobError { Code = outcome.ErrorCode ?? "FAILED", Message = outcome.ErrorMessage ?? "" };
            }

            if (job.State == JobState.Succeeded && outcome.Result is { } result)
                job.Result = result;
            LogEnded(_logger, id, job.State);
            return true;
        });
    }

    private Timestamp Now() => Timestamp.FromDateTimeOffset(_time.GetUtcNow());

    [LoggerMessage(Level = LogLevel.Information, Message = "Training job {Id} starts, attempt {Attempt}")]
    private static partial void LogStarted(ILogger logger, string id, int attempt);

    [LoggerMessage(Level = LogLevel.Information, Message = "Training job {Id} ended as {State}")]
    private static partial void LogEnded(ILogger logger, string id, JobState state);

    [LoggerMessage(Level = LogLevel.Error, Message = "Training job {Id} failed inside the service")]
    private static partial void LogFailed(ILogger logger, string id, Exception error);
}
