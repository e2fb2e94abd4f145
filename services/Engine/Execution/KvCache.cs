using Slm.Engine.Kernels;

namespace Slm.Engine.Execution;

/// <summary>
/// Keys and values of a stage's attention layers in blocks that sequences own by number. A block is cut into tiles of 32
/// positions; within a tile each head has its keys transposed [headSize, 32] and its values [32, stride], so that both
/// halves of attention stream through memory. Pages are committed when first written.
/// </summary>
internal sealed unsafe class KvCache : IDisposable
{
    private const int Tile = AttentionState.TilePositions;
    private readonly NativeBuffer _buffer;
    private readonly nint _headFloats, _tileFloats, _blockFloats, _layerFloats;

    public KvCache(int layers, int blockCount, int blockSize, int heads, int headSize)
    {
        if (blockSize < Tile || blockSize % Tile != 0)
            throw new ArgumentOutOfRangeException(nameof(blockSize), blockSize, $"A KV block must hold a multiple of {Tile} positions.");
        BlockSize = blockSize;
        BlockCount = blockCount;
        HeadSize = headSize;
        Stride = (headSize + Lanes.Count - 1) / Lanes.Count * Lanes.Count;
        _headFloats = (nint)Tile * (headSize + Stride);
        _tileFloats = _headFloats * heads;
        _blockFloats = _tileFloats * (blockSize / Tile);
        _layerFloats = checked(_blockFloats * blockCount);
        _buffer = new NativeBuffer(checked((long)_layerFloats * sizeof(float) * layers));
        MemoryAdvice.UseLargePages(_buffer.Pointer, _buffer.Bytes);
    }

    /// <summary>Positions per block.</summary>
    public int BlockSize { get; }

    /// <summary>Number of blocks.</summary>
    public int BlockCount { get; }

    /// <summary>Elements of a key or value.</summary>
    public int HeadSize { get; }

    /// <summary>Floats from value to value.</summary>
    public int Stride { get; }

    /// <summary>Bytes of the whole pool, committed or not.</summary>
    public long Bytes => _buffer.Bytes;

    /// <summary>Bytes that one position of one layer takes.</summary>
    public static long BytesPerToken(int heads, int headSize) =>
        (long)heads * (headSize + ((headSize + Lanes.Count - 1) / Lanes.Count * Lanes.Count)) * sizeof(float);

    /// <summary>Keys of the tile that holds <paramref name="positionInBlock"/>.</summary>
    public float* Keys(int layer, int block, int positionInBlock, int head) =>
        (float*)_buffer.Pointer + (layer * _layerFloats) + (block * _blockFloats) + (positionInBlock / Tile * _tileFloats) + (head * _headFloats);

    /// <summary>Values that belong to a tile's keys.</summary>
    public float* Values(float* keys) => keys + ((nint)Tile * HeadSize);

    /// <summary>Stores one position of one head.</summary>
    public void Store(int layer, int block, int positionInBlock, int head, float* key, float* value)
    {
        var keys = Keys(layer, block, positionInBlock, head);
        var column = positionInBlock % Tile;
        var target = Values(keys) + (column * (nint)Stride);
        keys += column;
        for (var d = 0; d < HeadSize; d++)
        {
            keys[d * Tile] = key[d];
            target[d] = value[d];
        }

        for (var d = HeadSize; d < Stride; d++)
            target[d] = 0;
    }

    /// <summary>Copies the keys and values of a block in every layer.</summary>
    public void CopyBlock(int from, int to)
    {
        var layers = Bytes / sizeof(float) / _layerFloats;
        for (nint layer = 0; layer < layers; layer++)
        {
            var pool = (float*)_buffer.Pointer + (layer * _layerFloats);
            var bytes = (long)_blockFloats * sizeof(float);
            Buffer.MemoryCopy(pool + (from * _blockFloats), pool + (to * _blockFloats), bytes, bytes);
        }
    }

    public void Dispose() => _buffer.Dispose();
}
