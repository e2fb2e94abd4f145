using System.Threading.Channels;
using Slm.V1;

namespace Slm.Router.Records;

/// <summary>Writes decisions behind the answers' backs, in order. Where the database does not keep up, answers wait rather than go unrecorded.</summary>
internal sealed partial class Recorder(DecisionStore store, ILogger<Recorder> logger) : BackgroundService
{
    private readonly Channel<RouteDecision> _queue = Channel.CreateBounded<RouteDecision>(1024);
    private int _pending;

    /// <summary>Takes a decision to be written.</summary>
    public async ValueTask RecordAsync(RouteDecision decision, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _pending);
        await _queue.Writer.WriteAsync(decision.Clone(), cancellationToken);
    }

    /// <summary>Waits until all that was taken is written.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        while (Volatile.Read(ref _pending) > 0)
            await Task.Delay(5, cancellationToken);
    }

    /// <inheritdoc/>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _queue.Writer.TryComplete();
        if (ExecuteTask is { } writing)
            await writing.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await base.StopAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var decision in _queue.Reader.ReadAllAsync(CancellationToken.None))
        {
            try
            {
                await store.AddAsync(decision, CancellationToken.None);
            }
#pragma warning disable CA1031 // A record that cannot be written must not end the ones after it.
            catch (Exception error)
#pragma warning restore CA1031
            {
                RouterMetrics.RecordLost();
                LogLost(logger, error, decision.Id);
            }
            finally
            {
                Interlocked.Decrement(ref _pending);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The decision {Decision} could not be recorded")]
    private static partial void LogLost(ILogger logger, Exception error, string decision);
}
