using Slm.V1;

namespace Slm.Inference.Cluster;

/// <summary>What is kept of a loaded model, so that it survives the loss of whoever knows of it.</summary>
/// <param name="Model">Its name.</param>
/// <param name="Settings">How it was asked to be loaded.</param>
/// <param name="Replicas">Keys of the grains of its replicas, by number.</param>
/// <param name="Adapters">Adapters that are loaded with it.</param>
internal sealed record DeploymentRecord(string Model, LoadModelRequest Settings, IReadOnlyList<string> Replicas, IReadOnlyList<LoadAdapterRequest> Adapters);
