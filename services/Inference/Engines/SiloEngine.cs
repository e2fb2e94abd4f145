using Slm.Engine.Models;
using Slm.Engine.Threading;
using Slm.Runtime;

namespace Slm.Inference.Engines;

/// <summary>What all stages of a silo share: the worker threads, the thread that drives them, and the mapped model files.</summary>
internal sealed class SiloEngine(InferenceOptions options, ModelCatalog catalog) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Mapped> _files = new(StringComparer.Ordinal);
    private readonly Lazy<WorkerPool> _workers = new(() => new WorkerPool(options.Threads));
    private readonly Lazy<ComputeThread> _compute = new(() => new ComputeThread());

    /// <summary>The engine's threads; started by the first model.</summary>
    public WorkerPool Workers => _workers.Value;

    /// <summary>The thread that computes.</summary>
    public ComputeThread Compute => _compute.Value;

    /// <summary>Maps a model's file, once for all that use it. Dispose the lease, not the file.</summary>
    /// <exception cref="ModelNotFoundException">There is no such model.</exception>
    public ModelLease Open(string model)
    {
        var entry = catalog.Find(model);
        // A file that was replaced is another file; the old mapping lives until its users are gone.
        var key = $"{entry.Path}|{entry.FileBytes}|{entry.Modified.Ticks}";
        lock (_gate)
        {
            if (!_files.TryGetValue(key, out var mapped))
                _files.Add(key, mapped = new Mapped(ModelFile.Open(entry.Path)));
            mapped.Users++;
            return new ModelLease(entry, mapped.File, () => Release(key));
        }
    }

    public void Dispose()
    {
        if (_compute.IsValueCreated)
            _compute.Value.Dispose();
        if (_workers.IsValueCreated)
            _workers.Value.Dispose();
    }

    private void Release(string key)
    {
        lock (_gate)
        {
            if (--_files[key].Users > 0)
                return;
            _files.Remove(key, out var mapped);
            mapped!.File.Dispose();
        }
    }

    private sealed class Mapped(ModelFile file)
    {
        public ModelFile File { get; } = file;

        public int Users { get; set; }
    }
}

/// <summary>The use of a mapped model file.</summary>
internal sealed class ModelLease(CatalogEntry entry, ModelFile file, Action release) : IDisposable
{
    private Action? _release = release;

    /// <summary>Where the file is.</summary>
    public CatalogEntry Entry { get; } = entry;

    /// <summary>The mapped file; valid until the lease is disposed.</summary>
    public ModelFile File { get; } = file;

    public void Dispose() => Interlocked.Exchange(ref _release, null)?.Invoke();
}
