namespace Slm.Inference.Cluster;

/// <summary>When a silo has started, models that were loaded before are loaded again, unless they still are.</summary>
internal sealed partial class DeploymentRestore(ModelGrains models, IDeploymentStore store, ILogger<DeploymentRestore> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            foreach (var record in await store.ListAsync(stoppingToken))
                await RestoreAsync(record, stoppingToken);
        }
#pragma warning disable CA1031 // Requests load their models themselves.
        catch (Exception error) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            LogUnread(logger, error);
        }
    }

    private async Task RestoreAsync(DeploymentRecord record, CancellationToken cancellationToken)
    {
        try
        {
            await models.CallAsync(record.Model, grain => grain.LoadAsync(new(record.Settings)), cancellationToken);
        }
#pragma warning disable CA1031 // The others are restored all the same.
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            LogNotRestored(logger, error, record.Model);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Which models were loaded before cannot be read")]
    private static partial void LogUnread(ILogger logger, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Model}, which was loaded before, could not be loaded again")]
    private static partial void LogNotRestored(ILogger logger, Exception error, string model);
}
