namespace Slm.Inference.Cluster;

/// <summary>Where deployments are kept.</summary>
internal interface IDeploymentStore
{
    /// <summary>A deployment; null if the model is not loaded.</summary>
    Task<DeploymentRecord?> ReadAsync(string model, CancellationToken cancellationToken);

    /// <summary>All deployments.</summary>
    Task<IReadOnlyList<DeploymentRecord>> ListAsync(CancellationToken cancellationToken);

    /// <summary>Adds or replaces one.</summary>
    Task WriteAsync(DeploymentRecord record, CancellationToken cancellationToken);

    /// <summary>Removes one; nothing happens if there is none.</summary>
    Task RemoveAsync(string model, CancellationToken cancellationToken);
}
