using Slm.Engine.Adapters;
using Slm.Engine.Execution;

namespace Slm.Engine.Scheduling;

/// <summary>An adapter that requests can choose.</summary>
/// <param name="Name">The name that requests use.</param>
/// <param name="Identity">Names what it does to the model's numbers: see <see cref="LoraAdapter.Identity"/>.</param>
/// <param name="Rank">Largest rank of a matrix.</param>
/// <param name="Alpha">The file's α; 0 where it has none.</param>
/// <param name="Strength">Factor on top of the file's own scale.</param>
/// <param name="Parameters">Elements of all its matrices.</param>
/// <param name="Tensors">Matrices of the model that it changes.</param>
public sealed record AdapterInfo(string Name, string Identity, int Rank, float Alpha, float Strength, long Parameters, int Tensors);

/// <summary>An adapter in a slot of the pipeline, until the last request that uses it has ended.</summary>
internal sealed class LoadedAdapter(AdapterInfo info, int slot, long number)
{
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public AdapterInfo Info { get; } = info;

    public int Slot { get; } = slot;

    /// <summary>Never used again: what is cached for one adapter is no other's.</summary>
    public long Number { get; } = number;

    /// <summary>Requests that use it; the pool's lock guards it.</summary>
    public int Users { get; set; }

    /// <summary>No new request gets it.</summary>
    public bool Retired { get; set; }

    /// <summary>Nobody uses it any more.</summary>
    public Task Drained => _drained.Task;

    public void SetDrained() => _drained.TrySetResult();
}

/// <summary>The adapters of a pipeline by name. Thread-safe; a request holds its adapter from submission to its end.</summary>
internal sealed class AdapterPool(IPipeline pipeline)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LoadedAdapter> _byName = new(StringComparer.Ordinal);
    private readonly SortedSet<int> _free = [.. Enumerable.Range(1, pipeline.AdapterSlots)];
    private long _numbers;

    /// <summary>Those that requests can choose, by name.</summary>
    public IReadOnlyList<AdapterInfo> List()
    {
        lock (_gate)
            return [.. _byName.Values.Select(a => a.Info).OrderBy(a => a.Name, StringComparer.Ordinal)];
    }

    /// <summary>Loads an adapter; one that is loaded under the name already is returned if it is the same, else replaced for requests to come.</summary>
    public async Task<AdapterInfo> LoadAsync(string name, LoraAdapter adapter, CancellationToken cancellationToken)
    {
        var info = new AdapterInfo(name, adapter.Identity, adapter.Rank, adapter.Alpha, adapter.Strength, adapter.ParameterCount, adapter.Pairs.Count);
        LoadedAdapter loaded;
        lock (_gate)
        {
            if (_byName.TryGetValue(name, out var there) && there.Info == info)
                return info;
            if (_free.Count == 0)
                throw new AdapterLimitException(pipeline.AdapterSlots, [.. _byName.Keys.Order(StringComparer.Ordinal)]);
            var slot = _free.Min;
            _free.Remove(slot);
            loaded = new LoadedAdapter(info, slot, ++_numbers);
        }

        try
        {
            await pipeline.LoadAdapterAsync(loaded.Slot, adapter, cancellationToken);
        }
        catch
        {
            lock (_gate)
                _free.Add(loaded.Slot);
            throw;
        }

        LoadedAdapter? before;
        lock (_gate)
        {
            _byName.TryGetValue(name, out before);
            _byName[name] = loaded;
        }

        if (before is not null)
            await FreeAsync(before);
        return info;
    }

    /// <summary>Takes an adapter from new requests, waits until those that use it have ended, and frees its slot.</summary>
    /// <exception cref="AdapterNotFoundException">There is none.</exception>
    public async Task UnloadAsync(string name)
    {
        LoadedAdapter? loaded;
        lock (_gate)
        {
            if (!_byName.Remove(name, out loaded))
                throw Unknown(name);
        }

        await FreeAsync(loaded);
    }

    /// <summary>Throws unless there is such an adapter, now.</summary>
    /// <exception cref="AdapterNotFoundException">There is none.</exception>
    public void Require(string? name)
    {
        lock (_gate)
        {
            if (name is not null && !_byName.ContainsKey(name))
                throw Unknown(name);
        }
    }

    /// <summary>Holds an adapter for a request; null for none.</summary>
    /// <exception cref="AdapterNotFoundException">There is none of that name, or no more.</exception>
    public LoadedAdapter? Acquire(string? name)
    {
        if (name is null)
            return null;
        lock (_gate)
        {
            if (!_byName.TryGetValue(name, out var loaded))
                throw Unknown(name);
            loaded.Users++;
            return loaded;
        }
    }

    /// <summary>The request has ended.</summary>
    public void Release(LoadedAdapter? adapter)
    {
        if (adapter is null)
            return;
        lock (_gate)
        {
            if (--adapter.Users == 0 && adapter.Retired)
                adapter.SetDrained();
        }
    }

    private async Task FreeAsync(LoadedAdapter adapter)
    {
        lock (_gate)
        {
            adapter.Retired = true;
            if (adapter.Users == 0)
                adapter.SetDrained();
        }

        await adapter.Drained;
        await pipeline.UnloadAdapterAsync(adapter.Slot);
        lock (_gate)
            _free.Add(adapter.Slot);
    }

    private AdapterNotFoundException Unknown(string name) => new(name, [.. _byName.Keys.Order(StringComparer.Ordinal)]);
}
