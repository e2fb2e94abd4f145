using Microsoft.Extensions.Diagnostics.HealthChecks;
using Slm.Gateway.OpenAi;

namespace Slm.Gateway.Access;

/// <summary>
/// When the process is to stop: it is not ready any more, new calls are refused with 503, and what runs may end within
/// Slm:Access:DrainSeconds. Only then the server stops listening; what still runs is cut off, so that no client takes half an answer for a whole one.
/// </summary>
internal sealed partial class GracefulStop(AccessOptions options, TimeProvider time, ILogger<GracefulStop> logger) : IHostedLifecycleService, IHealthCheck
{
    /// <summary>Until another process, or this one again, takes calls.</summary>
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly HashSet<HttpContext> _running = [];
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _stopping;

    /// <summary>Counts a call, which the result ends.</summary>
    /// <exception cref="OpenAiException">503: the process stops.</exception>
    public IDisposable Enter(HttpContext context)
    {
        lock (_lock)
        {
            if (_stopping)
            {
                throw new OpenAiException(
                    StatusCodes.Status503ServiceUnavailable, "server_error", "This server is being stopped and takes no new requests.", null, "shutting_down", RetryAfter);
            }

            _running.Add(context);
        }

        return new Running(this, context);
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Volatile.Read(ref _stopping) ? HealthCheckResult.Unhealthy("It is being stopped.") : HealthCheckResult.Healthy());

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _stopping = true;
            if (_running.Count == 0)
                return;
            LogWaiting(logger, _running.Count, options.DrainSeconds);
        }

        try
        {
            await _idle.Task.WaitAsync(TimeSpan.FromSeconds(options.DrainSeconds), time, cancellationToken);
        }
        catch (Exception error) when (error is TimeoutException or OperationCanceledException)
        {
            HttpContext[] late;
            lock (_lock)
                late = [.. _running];
            LogCut(logger, late.Length);
            foreach (var context in late)
                context.Abort();
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Leave(HttpContext context)
    {
        lock (_lock)
        {
            _running.Remove(context);
            if (_stopping && _running.Count == 0)
                _idle.TrySetResult();
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Stopping: {Count} running requests may end within {Seconds} s")]
    private static partial void LogWaiting(ILogger logger, int count, int seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stopping: {Count} requests took too long and are cut off")]
    private static partial void LogCut(ILogger logger, int count);

    private sealed class Running(GracefulStop stop, HttpContext context) : IDisposable
    {
        public void Dispose() => stop.Leave(context);
    }
}
