using Slm.Engine.Kernels;
using Slm.Engine.Models;

namespace Slm.Engine.Execution;

/// <summary>
/// Keys and values of a stage's attention layers in blocks that sequences own by number. A block is cut into tiles of 32
/// positions; within a tile each head has its keys transposed [keySize, 32] and its values [32, stride], so that both
/// halves of attention stream through memory. Layers may differ in their heads. Pages are committed when first written.
/// </summary>
internal sealed unsafe class KvCache : IDisposable
{
    private const int Tile = AttentionState.TilePositions;
    private readonly NativeBuffer _buffer;
    private readonly Layer[] _layers;

    /// <param name="layers">Heads of each layer of the stage; null for one that keeps no keys.</param>
    /// <param name="blockCount">Number of blocks.</param>
    /// <param name="blockSize">Positions per block.</param>
    public KvCache(IReadOnlyList<AttentionShape?> layers, int blockCount, int blockSize)
    {
        if (blockSize < Tile || blockSize % Tile != 0)
            throw new ArgumentOutOfRangeException(nameof(blockSize), blockSize, $"A KV block must hold a multiple of {Tile} positions.");
        BlockSize = blockSize;
        BlockCount = blockCount;
        _layers = new Layer[layers.Count];
        nint floats = 0;
        for (var i = 0; i < _layers.Length; i++)
        {
            if (layers[i] is not { } shape)
                continue;
            var layer = new Layer(shape, floats, blockSize);
            _layers[i] = layer;
            floats = checked(floats + (layer.BlockFloats * blockCount));
            MaxStride = Math.Max(MaxStride, layer.Stride);
        }

        _buffer = new NativeBuffer(checked((long)floats * sizeof(float)));
        MemoryAdvice.UseLargePages(_buffer.Pointer, _buffer.Bytes);
    }

    /// <summary>Positions per block.</summary>
    public int BlockSize { get; }

    /// <summary>Number of blocks.</summary>
    public int BlockCount { get; }

    /// <summary>Largest <see cref="Stride"/> of a layer.</summary>
    public int MaxStride { get; }

    /// <summary>Bytes of the whole pool, committed or not.</summary>
    public long Bytes => _buffer.Bytes;

    /// <summary>Bytes that one position of one layer takes.</summary>
    public static long BytesPerToken(AttentionShape? shape) =>
        shape is null ? 0 : (long)shape.KeyValueHeads * (shape.KeySize + Lanes.RoundUp(shape.ValueSize)) * sizeof(float);

    /// <summary>Floats from value to value in a layer.</summary>
    public int Stride(int layer) => _layers[layer].Stride;

    /// <summary>Keys of the tile that holds <paramref name="positionInBlock"/>; the values that belong to them follow.</summary>
    public float* Keys(int layer, int block, int positionInBlock, int head)
    {
        ref readonly var at = ref _layers[layer];
        return (float*)_buffer.Pointer + at.Offset + (block * at.BlockFloats) + (positionInBlock / Tile * at.TileFloats) + (head * at.HeadFloats);
    }

    /// <summary>Stores one position of one head.</summary>
    public void Store(int layer, int block, int positionInBlock, int head, float* key, float* value)
    {
        ref readonly var at = ref _layers[layer];
        var keys = Keys(layer, block, positionInBlock, head);
        var column = positionInBlock % Tile;
        var target = keys + ((nint)Tile * at.KeySize) + (column * (nint)at.Stride);
        keys += column;
        for (var d = 0; d < at.KeySize; d++)
            keys[d * Tile] = key[d];
        new ReadOnlySpan<float>(value, at.ValueSize).CopyTo(new Span<float>(target, at.Stride));
        new Span<float>(target + at.ValueSize, at.Stride - at.ValueSize).Clear();
    }

    /// <summary>Copies the keys and values of a block in every layer.</summary>
    public void CopyBlock(int from, int to)
    {
        foreach (ref readonly var layer in _layers.AsSpan())
        {
            var pool = (float*)_buffer.Pointer + layer.Offset;
            var bytes = (long)layer.BlockFloats * sizeof(float);
            Buffer.MemoryCopy(pool + (from * layer.BlockFloats), pool + (to * layer.BlockFloats), bytes, bytes);
        }
    }

    public void Dispose() => _buffer.Dispose();

    private readonly struct Layer
    {
        public readonly int KeySize, ValueSize, Stride;
        public readonly nint Offset, HeadFloats, TileFloats, BlockFloats;

        public Layer(AttentionShape shape, nint offset, int blockSize)
        {
            KeySize = shape.KeySize;
            ValueSize = shape.ValueSize;
            Stride = Lanes.RoundUp(shape.ValueSize);
            Offset = offset;
            HeadFloats = (nint)Tile * (KeySize + Stride);
            TileFloats = HeadFloats * shape.KeyValueHeads;
            BlockFloats = TileFloats * (blockSize / Tile);
        }
    }
}
