using System.Collections.Concurrent;

namespace Slm.Inference.Cluster;

/// <summary>Deployments of a process that has no database: they end with it.</summary>
internal sealed class MemoryDeploymentStore : IDeploymentStore
{
    private readonly ConcurrentDictionary<string, DeploymentRecord> _records = new(StringComparer.Ordinal);

    public Task<DeploymentRecord?> ReadAsync(string model, CancellationToken cancellationToken) => Task.FromResult(_records.GetValueOrDefault(model));

    public Task<IReadOnlyList<DeploymentRecord>> ListAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<DeploymentRecord>>([.. _records.Values]);

    public Task WriteAsync(DeploymentRecord record, CancellationToken cancellationToken)
    {
        _records[record.Model] = record;
        return Task.CompletedTask;
    }

    public Task RemoveAsync(string model, CancellationToken cancellationToken)
    {
        _records.TryRemove(model, out _);
        return Task.CompletedTask;
    }
}
