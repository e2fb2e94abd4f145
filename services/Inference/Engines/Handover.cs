using Slm.Contracts.Grains;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Engines;

/// <summary>Running answers of a replica, which end with <see cref="StageErrors.Moved"/> when it is moved: another one goes on with them.</summary>
internal sealed class Handover : IDisposable
{
    private readonly CancellationTokenSource _moved = new();

    /// <summary>A token that ends the work of a request when its caller goes, or when the replica is moved.</summary>
    public CancellationTokenSource Link(CancellationToken cancellationToken) => CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _moved.Token);

    /// <summary>Ends the running answers.</summary>
    public Task BeginAsync() => _moved.CancelAsync();

    /// <summary>True if an error is due to it.</summary>
    public bool Explains(Exception error) => _moved.IsCancellationRequested && error is OperationCanceledException;

    /// <summary>What the callers get.</summary>
    public static StatusException Error(string replica) => new(ErrorMap.Make(
        Google.Rpc.Code.Unavailable, $"Replica {replica} has been moved.", ErrorMap.Info(StageErrors.Moved), ErrorMap.Retry(TimeSpan.FromSeconds(1))));

    public void Dispose() => _moved.Dispose();
}
