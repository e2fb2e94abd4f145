using System.Runtime.InteropServices;

namespace Slm.Engine.Execution;

/// <summary>
/// Memory outside the managed heap, aligned to 64 bytes. Large buffers come straight from the operating system as
/// zero pages that cost nothing until they are written, and their content is otherwise undefined.
/// </summary>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private void* _pointer;

    public NativeBuffer(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Bytes = bytes;
        _pointer = NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 64), 64);
    }

    ~NativeBuffer() => Free();

    public long Bytes { get; }

    public byte* Pointer => (byte*)_pointer;

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        NativeMemory.AlignedFree(_pointer);
        _pointer = null;
    }
}
