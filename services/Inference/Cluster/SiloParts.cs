using System.Collections.Concurrent;
using Slm.Contracts.Grains;

namespace Slm.Inference.Cluster;

/// <summary>What this silo holds of models, by the keys of the grains that hold it.</summary>
internal sealed class SiloParts : IDisposable
{
    private readonly ConcurrentDictionary<string, SiloPart> _parts = new(StringComparer.Ordinal);

    public SiloParts() => ClusterMetrics.Register(this);

    /// <summary>True while the silo takes no more work.</summary>
    public bool Draining { get; set; }

    /// <summary>What it holds now.</summary>
    public SiloPart[] List() => [.. _parts.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => p.Value)];

    public void Add(string key, SiloPart part) => _parts[key] = part;

    public void Remove(string key) => _parts.TryRemove(key, out _);

    public void Dispose() => ClusterMetrics.Unregister(this);
}
