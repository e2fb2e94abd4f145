namespace Slm.Inference.Engines;

/// <summary>
/// The thread that computes this silo's groups of experts. It is not the one that computes stages, because those wait for groups:
/// two silos that each hold a stage and experts of the other's would wait for each other for ever. Nothing that runs here waits
/// for anything but the worker threads, which both share and take turns at.
/// </summary>
internal sealed class ExpertCompute : IDisposable
{
    private readonly Lazy<ComputeThread> _thread = new(() => new ComputeThread());

    /// <summary>The thread; started by the first group.</summary>
    public ComputeThread Thread => _thread.Value;

    public void Dispose()
    {
        if (_thread.IsValueCreated)
            _thread.Value.Dispose();
    }
}
