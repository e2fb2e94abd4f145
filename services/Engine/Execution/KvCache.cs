using Slm.Engine.Kernels;
using Slm.Engine.Models;

namespace Slm.Engine.Execution;

/// <summary>
/// Keys and values of a stage's attention layers in blocks that sequences own by number. A block is cut into tiles of 32
/// positions, and those by head (<see cref="KvTile"/>), so that both halves of attention stream through memory. Layers may
/// differ in their heads. Pages are committed when first written.
/// </summary>
internal sealed unsafe class KvCache : IDisposable
{
    private const int Tile = AttentionState.TilePositions;
    private readonly NativeBuffer _buffer;
    private readonly Layer[] _layers;

    /// <param name="layers">Heads of each layer of the stage; null for one that keeps no keys.</param>
    /// <param name="blockCount">Number of blocks.</param>
    /// <param name="blockSize">Positions per block.</param>
    /// <param name="type">What is kept.</param>
    public KvCache(IReadOnlyList<AttentionShape?> layers, int blockCount, int blockSize, KvType type)
    {
        if (blockSize < Tile || blockSize % Tile != 0)
            throw new ArgumentOutOfRangeException(nameof(blockSize), blockSize, $"A KV block must hold a multiple of {Tile} positions.");
        BlockSize = blockSize;
        BlockCount = blockCount;
        Type = type;
        _layers = new Layer[layers.Count];
        nint bytes = 0;
        for (var i = 0; i < _layers.Length; i++)
        {
            if (layers[i] is not { } shape)
                continue;
            var tile = new KvTile(shape, type);
            var layer = new Layer(tile, bytes, tile.Bytes, tile.Bytes * shape.KeyValueHeads, tile.Bytes * shape.KeyValueHeads * (blockSize / Tile));
            _layers[i] = layer;
            bytes = checked(bytes + (layer.BlockBytes * blockCount));
            MaxStride = Math.Max(MaxStride, tile.Stride);
        }

        _buffer = new NativeBuffer(bytes);
        MemoryAdvice.UseLargePages(_buffer.Pointer, _buffer.Bytes);
    }

    /// <summary>What is kept.</summary>
    public KvType Type { get; }

    /// <summary>Positions per block.</summary>
    public int BlockSize { get; }

    /// <summary>Number of blocks.</summary>
    public int BlockCount { get; }

    /// <summary>Largest <see cref="Stride"/> of a layer.</summary>
    public int MaxStride { get; }

    /// <summary>Bytes of the whole pool, committed or not.</summary>
    public long Bytes => _buffer.Bytes;

    /// <summary>Bytes that a tile of one layer takes.</summary>
    public static long TileBytes(AttentionShape? shape, KvType type) => shape is null ? 0 : new KvTile(shape, type).Bytes * shape.KeyValueHeads;

    /// <summary>Elements from value to value in a layer.</summary>
    public int Stride(int layer) => _layers[layer].Tile.Stride;

    /// <summary>The tile of a head that holds <paramref name="positionInBlock"/>.</summary>
    public byte* Head(int layer, int block, int positionInBlock, int head)
    {
        ref readonly var at = ref _layers[layer];
        return _buffer.Pointer + at.Offset + (block * at.BlockBytes) + (positionInBlock / Tile * at.TileBytes) + (head * at.HeadBytes);
    }

    /// <summary>Stores one position of one head.</summary>
    public void Store(int layer, int block, int positionInBlock, int head, float* key, float* value) =>
        _layers[layer].Tile.Store(Head(layer, block, positionInBlock, head), positionInBlock % Tile, key, value);

    /// <summary>Copies the keys and values of a block in every layer.</summary>
    public void CopyBlock(int from, int to)
    {
        foreach (ref readonly var layer in _layers.AsSpan())
        {
            var pool = _buffer.Pointer + layer.Offset;
            Buffer.MemoryCopy(pool + (from * layer.BlockBytes), pool + (to * layer.BlockBytes), layer.BlockBytes, layer.BlockBytes);
        }
    }

    public void Dispose() => _buffer.Dispose();

    private readonly record struct Layer(KvTile Tile, nint Offset, nint HeadBytes, nint TileBytes, nint BlockBytes);
}
