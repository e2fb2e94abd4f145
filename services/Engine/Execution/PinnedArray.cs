using System.Runtime.CompilerServices;

namespace Slm.Engine.Execution;

/// <summary>A managed array that never moves, so that kernels can write to it and callers get it as memory.</summary>
internal sealed unsafe class PinnedArray
{
    private readonly float[] _items;

    public PinnedArray(long length)
    {
        _items = GC.AllocateUninitializedArray<float>(checked((int)length), pinned: true);
        Pointer = (float*)Unsafe.AsPointer(ref System.Runtime.InteropServices.MemoryMarshal.GetArrayDataReference(_items));
    }

    public float* Pointer { get; }

    public int Length => _items.Length;

    public Memory<float> Memory => _items;
}
