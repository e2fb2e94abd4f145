using System.Collections.Concurrent;

namespace Slm.Inference.Engines;

/// <summary>Works in this process for a grain.</summary>
internal interface ISiloRunner
{
    /// <summary>Key of the grain.</summary>
    string Key { get; }

    /// <summary>Name of the model that it computes a part of.</summary>
    string Model { get; }
}

/// <summary>What works in this process for grains of a kind, so that who is beside it, or directly connected, reaches it without a message.</summary>
internal sealed class SiloRunners<T>
    where T : class, ISiloRunner
{
    private readonly ConcurrentDictionary<string, T> _runners = new(StringComparer.Ordinal);

    /// <summary>What works for the grain with a key; null if that is not in this process.</summary>
    public T? Find(string key) => _runners.GetValueOrDefault(key);

    /// <summary>It has been loaded.</summary>
    public void Add(T runner) => _runners[runner.Key] = runner;

    /// <summary>It has been freed.</summary>
    public void Remove(T runner) => _runners.TryRemove(KeyValuePair.Create(runner.Key, runner));
}
