namespace Slm.Engine.Execution;

/// <summary>Lays out the buffers of a stage one behind the other, each aligned to 64 bytes, in one allocation.</summary>
internal sealed unsafe class NativeArena : IDisposable
{
    private readonly List<long> _offsets = [];
    private long _bytes;
    private NativeBuffer? _buffer;

    /// <summary>Bytes reserved so far.</summary>
    public long Bytes => _bytes;

    /// <summary>Reserves room; returns a handle for <see cref="Get{T}"/>.</summary>
    public int Reserve<T>(long count)
        where T : unmanaged
    {
        _offsets.Add(_bytes);
        _bytes = checked(_bytes + (count * sizeof(T)) + 63) & ~63L;
        return _offsets.Count - 1;
    }

    /// <summary>The reserved memory; the first call allocates everything.</summary>
    public T* Get<T>(int handle)
        where T : unmanaged => (T*)((_buffer ??= new NativeBuffer(_bytes)).Pointer + _offsets[handle]);

    public void Dispose() => _buffer?.Dispose();
}
