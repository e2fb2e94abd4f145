using Slm.Engine.Models;

namespace Slm.Engine.Execution;

/// <summary>State of a stage's recurrent layers in slots, which sequences and snapshots own by number. Pages are committed when first written.</summary>
internal sealed unsafe class RecurrentCache : IDisposable
{
    private readonly NativeBuffer _buffer;
    private readonly nint[] _offsets;
    private readonly nint _slotFloats;

    /// <param name="layers">What each layer of the stage keeps.</param>
    /// <param name="slots">Number of slots.</param>
    public RecurrentCache(IReadOnlyList<LayerState> layers, int slots)
    {
        Slots = slots;
        _offsets = new nint[layers.Count];
        for (var i = 0; i < _offsets.Length; i++)
        {
            _offsets[i] = _slotFloats;
            _slotFloats = checked(_slotFloats + ((layers[i].RecurrentFloats + 15) & ~15));
        }

        _buffer = new NativeBuffer(checked((long)_slotFloats * slots * sizeof(float)));
    }

    /// <summary>Number of slots.</summary>
    public int Slots { get; }

    /// <summary>Bytes of one slot of one layer.</summary>
    public static long Bytes(LayerState layer) => ((layer.RecurrentFloats + 15L) & ~15L) * sizeof(float);

    /// <summary>State of a layer in a slot.</summary>
    public float* State(int layer, int slot) => (float*)_buffer.Pointer + (slot * _slotFloats) + _offsets[layer];

    /// <summary>Copies the state of all layers.</summary>
    public void Copy(int from, int to)
    {
        var bytes = (long)_slotFloats * sizeof(float);
        Buffer.MemoryCopy(State(0, from), State(0, to), bytes, bytes);
    }

    public void Dispose() => _buffer.Dispose();
}
