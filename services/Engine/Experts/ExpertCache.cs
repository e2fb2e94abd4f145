using System.Diagnostics;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Models;

namespace Slm.Engine.Experts;

/// <summary>
/// Experts of a stage's layers in a bounded amount of memory: a slot holds one expert's three matrices as the products read them,
/// filled from the model's file by threads that wait for the disk. Layers declare themselves with <see cref="AddLayer"/>, then
/// <see cref="Open"/> takes the memory. A step calls <see cref="Enter"/> as soon as a layer's router has chosen, then takes experts
/// with <see cref="Next"/> as they arrive until it has had all of them.
/// </summary>
internal sealed unsafe class ExpertCache : IDisposable
{
    /// <summary>Threads that read.</summary>
    public const int ReaderCount = 4;

    private const int PollMilliseconds = 20;

    private readonly object _gate = new();
    private readonly ModelFile _model;
    private readonly GgufFile _source;
    private readonly ExpertCacheOptions _options;
    private readonly List<StoredLayer> _layers = [];
    private readonly KeyValuePair<string, object?> _tag;
    private readonly int _experts;
    private DirectFile _file = null!;
    private NativeBuffer _pool = null!;
    private ExpertReaders _readers = null!;
    private ExpertSlots _slots = null!;
    private ExpertQueue _queue = null!;
    private IExpertPolicy _policy = null!;
    private int[] _left = [];
    private Exception?[] _failures = [];
    private long _slotBytes, _memoryBytes;
    private bool _disposed;

    // The layer at work: its visited experts, what has become of each, and the slots held for it.
    private int[] _active = [];
    private ExpertPlace[] _places = [];
    private int _layer = ExpertSlots.None, _activeCount, _computed;

    private long _hits, _misses, _bytesRead, _stalledTicks;

    public ExpertCache(ModelFile model, ExpertCacheOptions options)
    {
        _model = model;
        _source = model.Source as GgufFile
            ?? throw new ModelFormatException($"{model.Name}: experts can be read from disk while a model runs only if it is a GGUF file. Write one with 'slm quantize'.");
        _options = options;
        _experts = model.Config.Experts!.Count;
        _tag = new KeyValuePair<string, object?>(ExpertMetrics.ModelTag, model.Name);
    }

    /// <summary>What the cache has done so far.</summary>
    public ExpertCacheStats Stats
    {
        get
        {
            lock (_gate)
            {
                return new ExpertCacheStats
                {
                    Experts = _layers.Count * _experts,
                    Slots = _slots.Count,
                    MemoryBytes = _memoryBytes,
                    Hits = _hits,
                    Misses = _misses,
                    BytesRead = _bytesRead,
                    Stalled = Stopwatch.GetElapsedTime(0, _stalledTicks),
                    Policy = _policy.Name,
                    Reading = _file.Mode,
                };
            }
        }
    }

    /// <summary>Read experts as soon as a router has chosen them.</summary>
    public bool Prefetches => _options.Prefetch;

    /// <summary>Layers declared.</summary>
    public int LayerCount => _layers.Count;

    /// <summary>Declares a layer; returns its index here.</summary>
    public int AddLayer(StoredMatrices gate, StoredMatrices up, StoredMatrices down)
    {
        _layers.Add(new StoredLayer(gate, up, down));
        return _layers.Count - 1;
    }

    /// <summary>Takes the memory and opens the file.</summary>
    /// <exception cref="ExpertMemoryException">The budget does not hold the experts of one token.</exception>
    /// <exception cref="IOException">The file cannot be read, or it is no longer the one that was opened.</exception>
    public void Open()
    {
        _slotBytes = _layers.Max(layer => layer.SlotBytes);
        var staging = DirectFile.StagingBytes(_layers.Max(layer => layer.Matrices.Max(part => part.StoredBytes)));
        var used = _model.Config.Experts!.UsedCount;
        var least = checked((used * _slotBytes) + (ReaderCount * staging));
        if (_options.MemoryBytes < least)
        {
            throw new ExpertMemoryException(
                $"{_options.MemoryBytes} bytes of expert memory are too few for {_model.Name}: a token visits {used} experts of {_slotBytes} bytes in each layer, and reading them takes {ReaderCount * staging}. The least is {least} bytes.",
                least);
        }

        var total = _layers.Sum(layer => layer.Count);
        var slots = (int)Math.Min(total, (_options.MemoryBytes - (ReaderCount * staging)) / _slotBytes);
        _memoryBytes = (slots * _slotBytes) + (ReaderCount * staging);
        _policy = _options.Policy(_layers.Count, _experts);
        _slots = new ExpertSlots(_layers.Count, _experts, slots, _policy);
        _queue = new ExpertQueue(slots);
        _left = new int[slots];
        _failures = new Exception?[slots];
        _active = new int[_experts];
        _places = new ExpertPlace[_experts];
        _file = DirectFile.Open(_source.Path, _options.DirectReads);
        CompareWithMapping(staging);
        _pool = new NativeBuffer(slots * _slotBytes);
        MemoryAdvice.UseLargePages(_pool.Pointer, slots * _slotBytes);
        _readers = new ExpertReaders(ReaderCount, staging, ReadAll);
    }

    /// <summary>
    /// The router of a layer has chosen: whatever is not in memory begins to be read, as far as there is room, and this returns at
    /// once. What an earlier layer has left unfinished is forgotten.
    /// </summary>
    public void Enter(int layer, ExpertBatch batch)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            ReleaseAll();
            _layer = layer;
            _computed = 0;
            _activeCount = batch.ActiveCount;
            batch.Active.CopyTo(_active);
            _policy.Enter(layer, batch.Tokens);
            var (hits, misses) = (0, 0);
            for (var i = 0; i < _activeCount; i++)
            {
                var expert = _active[i];
                _policy.Used(layer, expert, batch.Count(expert));
                var slot = _slots.Find(layer, expert);
                _places[i] = new ExpertPlace(slot, false, slot != ExpertSlots.None);
                if (slot == ExpertSlots.None)
                {
                    misses++;
                    continue;
                }

                _slots.Hold(slot);
                if (_left[slot] == 0 && _failures[slot] is null)
                    hits++;
                else
                    misses++;
            }

            _hits += hits;
            _misses += misses;
            if (hits > 0)
                ExpertMetrics.HitCount.Add(hits, _tag);
            if (misses > 0)
                ExpertMetrics.MissCount.Add(misses, _tag);
            Request();
        }
    }

    /// <summary>True if <see cref="Enter"/> was called for this layer and its experts have not been had yet.</summary>
    public bool HasEntered(int layer) => _layer == layer;

    /// <summary>
    /// Takes the experts that are in memory and have not been had; waits for one if there is none. They stay until the next call.
    /// </summary>
    /// <param name="experts">Receives their indices, ascending.</param>
    /// <param name="slots">Receives their memory, see <see cref="Part"/>.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many; 0 when all have been had.</returns>
    /// <exception cref="ExpertReadException">One of them could not be read.</exception>
    public int Next(Span<int> experts, Span<int> slots, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            var waited = 0L;
            while (true)
            {
                var count = 0;
                for (var i = 0; i < _activeCount; i++)
                {
                    ref var place = ref _places[i];
                    if (place.Slot == ExpertSlots.None)
                        continue;
                    if (place.Taken)
                    {
                        // Had by the call before.
                        _slots.Release(place.Slot);
                        place = new ExpertPlace(ExpertSlots.None, true, false);
                    }
                    else if (_left[place.Slot] == 0)
                    {
                        if (_failures[place.Slot] is { } failure)
                        {
                            if (!place.Inherited)
                                throw Failed(_active[i], failure);
                            place.Inherited = false;
                            Fill(place.Slot);
                            _readers.Wake(StoredLayer.Parts);
                            continue;
                        }

                        place.Taken = true;
                        experts[count] = _active[i];
                        slots[count++] = place.Slot;
                    }
                }

                Request();
                if (count > 0 || _computed == _activeCount)
                {
                    _computed += count;
                    if (count == 0)
                        _layer = ExpertSlots.None;
                    if (waited > 0)
                        Stalled(Stopwatch.GetTimestamp() - waited);
                    return count;
                }

                if (waited == 0)
                    waited = Stopwatch.GetTimestamp();
                if (cancellationToken.IsCancellationRequested)
                {
                    Stalled(Stopwatch.GetTimestamp() - waited);
                    cancellationToken.ThrowIfCancellationRequested();
                }

                Monitor.Wait(_gate, PollMilliseconds);
            }
        }
    }

    /// <summary>The memory of a matrix (0 gate, 1 up, 2 down) of the expert in a slot.</summary>
    public byte* Part(int layer, int slot, int part) => _pool.Pointer + (slot * _slotBytes) + _layers[layer].OffsetOf(part);

    /// <summary>Ends a layer early; what is being read for it stays for later.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            if (!_disposed)
                ReleaseAll();
        }
    }

    /// <summary>Reads nothing more, waits for the reads that run, and frees the memory.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
                return;
            _disposed = true;
        }

        _readers?.Dispose();
        _file?.Dispose();
        _pool?.Dispose();
    }

    private void ReleaseAll()
    {
        for (var i = 0; i < _activeCount; i++)
        {
            var slot = _places[i].Slot;
            if (slot == ExpertSlots.None)
                continue;
            _slots.Release(slot);
            DropIfFailed(slot);
        }

        _activeCount = 0;
        _layer = ExpertSlots.None;
    }

    /// <summary>Finds slots for missing experts and has them filled.</summary>
    private void Request()
    {
        var requested = 0;
        for (var i = 0; i < _activeCount; i++)
        {
            ref var place = ref _places[i];
            if (place.Slot != ExpertSlots.None || place.Taken)
                continue;
            var slot = _slots.Find(_layer, _active[i]);
            if (slot == ExpertSlots.None)
            {
                slot = _slots.Take(_layer, _active[i]);
                if (slot == ExpertSlots.None)
                    break;
                Fill(slot);
                requested++;
            }

            _slots.Hold(slot);
            place.Slot = slot;
        }

        if (requested > 0)
            _readers.Wake(requested * StoredLayer.Parts);
    }

    private void Fill(int slot)
    {
        _left[slot] = StoredLayer.Parts;
        _failures[slot] = null;
        // Held for the readers until its last matrix has come.
        _slots.Hold(slot);
        _queue.Add(slot);
    }

    private bool ReadAll(IntPtr staging)
    {
        while (true)
        {
            int slot, part;
            lock (_gate)
            {
                if (_disposed)
                    return false;
                if (!_queue.TryTake(out slot, out part))
                    return true;
            }

            Read(slot, part, staging);
            lock (_gate)
            {
                if (--_left[slot] > 0)
                    continue;
                _slots.Release(slot);
                DropIfFailed(slot);
                Monitor.Pulse(_gate);
            }
        }
    }

    private void Read(int slot, int part, IntPtr staging)
    {
        // The slot is held for this thread, so what lies in it does not change.
        var key = _slots.KeyOf(slot);
        var (layer, expert) = (key / _experts, key % _experts);
        var matrices = _layers[layer].Matrices[part];
        Exception? failure = null;
        try
        {
            _options.Reading?.Invoke(layer, expert);
            var stored = _file.Read(matrices.PositionOf(expert), matrices.StoredBytes, (byte*)staging);
            matrices.Matrices[expert].LayOut(stored, Part(layer, slot, part));
        }
#pragma warning disable CA1031 // The step that waits for the expert gets it.
        catch (Exception error)
#pragma warning restore CA1031
        {
            failure = error;
        }

        ExpertMetrics.ReadBytes.Add(matrices.StoredBytes, _tag);
        Interlocked.Add(ref _bytesRead, matrices.StoredBytes);
        if (failure is not null)
            Interlocked.CompareExchange(ref _failures[slot], failure, null);
    }

    /// <summary>An expert that could not be read is not in memory; once nobody waits for it, the next who needs it tries again.</summary>
    private void DropIfFailed(int slot)
    {
        if (_left[slot] == 0 && _failures[slot] is not null && !_slots.IsHeld(slot))
        {
            _slots.Drop(slot);
            _failures[slot] = null;
        }
    }

    private ExpertReadException Failed(int expert, Exception failure) =>
        new($"Expert {expert} of the {_layer + 1}. layer with experts could not be read from {Path.GetFileName(_source.Path)}: {failure.Message}", failure);

    private void Stalled(long ticks)
    {
        _stalledTicks += ticks;
        ExpertMetrics.StallSeconds.Add(ticks / (double)Stopwatch.Frequency, _tag);
    }

    /// <summary>The mapping stays with the file that was opened; the path may lead to another one by now.</summary>
    private void CompareWithMapping(long stagingBytes)
    {
        var staging = (byte*)System.Runtime.InteropServices.NativeMemory.AlignedAlloc((nuint)stagingBytes, DirectFile.Alignment);
        try
        {
            foreach (var matrices in _layers.SelectMany(layer => layer.Matrices))
            {
                var count = (int)Math.Min(DirectFile.Alignment, matrices.StoredBytes);
                var read = _file.Read(matrices.Position, count, staging);
                if (!new ReadOnlySpan<byte>(read, count).SequenceEqual(new ReadOnlySpan<byte>(_source.At(matrices.Position, count), count)))
                    throw new IOException($"{_source.Path} has been replaced since the model was opened.");
            }
        }
        finally
        {
            System.Runtime.InteropServices.NativeMemory.AlignedFree(staging);
        }
    }

    /// <summary>Where an active expert is; taken: by the step; inherited: its reading began before the step came here, and a failure then is not the step's.</summary>
    private record struct ExpertPlace(int Slot, bool Taken, bool Inherited);
}
