namespace Slm.Inference.Cluster;

/// <summary>
/// Before a silo stops, what it holds of models goes to others, so that running answers go on there. Where there is no other, or
/// none has room, answers end first, as far as time allows.
/// </summary>
internal sealed partial class SiloHandover(ModelGrains models, SiloDirectory silos, SiloParts parts, InferenceOptions options, TimeProvider time, ILogger<SiloHandover> logger)
    : IHostedLifecycleService
{
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        parts.Draining = true;
        if (silos.Active.All(s => s == silos.Local))
            return;
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        ends.CancelAfter(TimeSpan.FromSeconds(options.DrainSeconds));
        var started = time.GetTimestamp();
        await Task.WhenAll(parts.List().Select(p => p.Model).Distinct(StringComparer.Ordinal).Select(model => VacateAsync(model, ends.Token)));
        var milliseconds = (long)time.GetElapsedTime(started).TotalMilliseconds;
        LogHandedOver(logger, milliseconds);
    }

    private async Task VacateAsync(string model, CancellationToken cancellationToken)
    {
        try
        {
            await models.CallAsync(model, grain => grain.VacateAsync(silos.Local), cancellationToken);
        }
#pragma warning disable CA1031 // It stops in any case; what is lost with it is replaced.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogKept(logger, error, model);
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Information, Message = "Handed over to other silos in {Milliseconds} ms")]
    private static partial void LogHandedOver(ILogger logger, long milliseconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What this silo holds of {Model} could not be handed over")]
    private static partial void LogKept(ILogger logger, Exception error, string model);
}
