using System.Collections.Concurrent;

namespace Slm.Inference.Engines;

/// <summary>The stages that work in this process, so that what is beside them reaches them without a message.</summary>
internal sealed class SiloStages
{
    private readonly ConcurrentDictionary<string, StageRunner> _runners = new(StringComparer.Ordinal);

    /// <summary>The stage whose grain has a key; null if it is not in this process.</summary>
    public StageRunner? Find(string key) => _runners.GetValueOrDefault(key);

    /// <summary>A stage has been loaded.</summary>
    public void Add(StageRunner runner) => _runners[runner.Key] = runner;

    /// <summary>A stage has been freed.</summary>
    public void Remove(StageRunner runner) => _runners.TryRemove(KeyValuePair.Create(runner.Key, runner));
}
