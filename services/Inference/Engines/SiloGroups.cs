using System.Collections.Concurrent;

namespace Slm.Inference.Engines;

/// <summary>The groups of experts that work in this process, so that direct connections reach them without a message.</summary>
internal sealed class SiloGroups
{
    private readonly ConcurrentDictionary<string, ExpertGroupRunner> _runners = new(StringComparer.Ordinal);

    /// <summary>The group whose grain has a key; null if it is not in this process.</summary>
    public ExpertGroupRunner? Find(string key) => _runners.GetValueOrDefault(key);

    /// <summary>A group has been loaded.</summary>
    public void Add(ExpertGroupRunner runner) => _runners[runner.Key] = runner;

    /// <summary>A group has been freed.</summary>
    public void Remove(ExpertGroupRunner runner) => _runners.TryRemove(KeyValuePair.Create(runner.Key, runner));
}
