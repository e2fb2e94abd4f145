namespace Slm.Engine.Scheduling;

/// <summary>
/// Owns the KV blocks of a pipeline: a free list and a reference count per block, so that sequences can share the blocks
/// of a common prefix. Used by the scheduler's loop only; <see cref="Used"/> may be read from anywhere.
/// </summary>
public sealed class BlockManager
{
    private readonly int[] _references;
    private readonly int[] _free;
    private volatile int _freeCount;

    /// <summary>All blocks free.</summary>
    /// <param name="blockCount">Blocks the pipeline has.</param>
    /// <param name="blockSize">Positions per block.</param>
    public BlockManager(int blockCount, int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(blockSize, 1);
        BlockSize = blockSize;
        _references = new int[blockCount];
        _free = new int[blockCount];
        for (var i = 0; i < blockCount; i++)
            _free[i] = blockCount - 1 - i;
        _freeCount = blockCount;
    }

    /// <summary>Positions per block.</summary>
    public int BlockSize { get; }

    /// <summary>Number of blocks.</summary>
    public int Total => _references.Length;

    /// <summary>Blocks that nobody holds.</summary>
    public int Free => _freeCount;

    /// <summary>Blocks that somebody holds.</summary>
    public int Used => _references.Length - _freeCount;

    /// <summary>Blocks that hold <paramref name="tokens"/> positions.</summary>
    public int BlocksFor(int tokens) => (tokens + BlockSize - 1) / BlockSize;

    /// <summary>Lengthens <paramref name="table"/> to cover <paramref name="tokens"/> positions, all or nothing.</summary>
    /// <returns>False if there are too few free blocks; the table is then unchanged.</returns>
    public bool TryCover(List<int> table, int tokens)
    {
        var missing = BlocksFor(tokens) - table.Count;
        if (missing > _freeCount)
            return false;
        for (; missing > 0; missing--)
        {
            var block = _free[--_freeCount];
            _references[block] = 1;
            table.Add(block);
        }

        return true;
    }

    /// <summary>Counts one more holder of a block that is in use.</summary>
    public void Retain(int block)
    {
        if (_references[block] == 0)
            throw new InvalidOperationException($"KV block {block} is free and cannot be shared.");
        _references[block]++;
    }

    /// <summary>Gives up a sequence's blocks; those without another holder become free.</summary>
    public void Release(List<int> table)
    {
        for (var i = table.Count - 1; i >= 0; i--)
        {
            var block = table[i];
            if (_references[block] == 0)
                throw new InvalidOperationException($"KV block {block} is released twice.");
            if (--_references[block] == 0)
                _free[_freeCount++] = block;
        }

        table.Clear();
    }
}
