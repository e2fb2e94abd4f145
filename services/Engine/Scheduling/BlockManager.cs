namespace Slm.Engine.Scheduling;

/// <summary>
/// Owns the KV blocks of a pipeline: a free list and a count of holders per block, so that sequences can share the blocks
/// of a common prefix. A block that nobody holds is free, or idle while a <see cref="PrefixTree"/> keeps its contents for
/// later; idle blocks are taken back, least recently used first, when the free ones do not suffice.
/// Used by the scheduler's loop only; the counts may be read from anywhere.
/// </summary>
public sealed class BlockManager
{
    private readonly int[] _references;
    private readonly bool[] _cached;
    private readonly int[] _free;
    private volatile int _freeCount;
    private volatile int _idleCount;

    /// <summary>All blocks free.</summary>
    /// <param name="blockCount">Blocks the pipeline has.</param>
    /// <param name="blockSize">Positions per block.</param>
    public BlockManager(int blockCount, int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(blockSize, 1);
        BlockSize = blockSize;
        _references = new int[blockCount];
        _cached = new bool[blockCount];
        _free = new int[blockCount];
        for (var i = 0; i < blockCount; i++)
            _free[i] = blockCount - 1 - i;
        _freeCount = blockCount;
    }

    /// <summary>Positions per block.</summary>
    public int BlockSize { get; }

    /// <summary>Number of blocks.</summary>
    public int Total => _references.Length;

    /// <summary>Blocks that nobody holds and whose contents nobody wants.</summary>
    public int Free => _freeCount;

    /// <summary>Blocks that nobody holds, kept for their contents.</summary>
    public int Idle => _idleCount;

    /// <summary>Blocks that can be handed out.</summary>
    public int Available => _freeCount + _idleCount;

    /// <summary>Blocks that somebody holds.</summary>
    public int Used => _references.Length - _freeCount - _idleCount;

    /// <summary>Gives up one idle block (<see cref="Uncache"/>); called when there are idle blocks but no free one.</summary>
    internal Action? Reclaim { get; set; }

    /// <summary>Blocks that hold <paramref name="tokens"/> positions.</summary>
    public int BlocksFor(int tokens) => (tokens + BlockSize - 1) / BlockSize;

    /// <summary>Lengthens <paramref name="table"/> to cover <paramref name="tokens"/> positions, all or nothing.</summary>
    /// <returns>False if there are too few blocks; the table is then unchanged.</returns>
    public bool TryCover(List<int> table, int tokens)
    {
        ArgumentNullException.ThrowIfNull(table);
        var missing = BlocksFor(tokens) - table.Count;
        if (missing > Available)
            return false;
        for (; missing > 0; missing--)
        {
            if (_freeCount == 0)
                Reclaim!();
            var block = _free[--_freeCount];
            _references[block] = 1;
            table.Add(block);
        }

        return true;
    }

    /// <summary>True if nobody holds the block.</summary>
    public bool IsIdle(int block) => _references[block] == 0;

    /// <summary>Counts one more holder of a block that is in use or idle.</summary>
    public void Retain(int block)
    {
        if (_references[block] == 0 && !_cached[block])
            throw new InvalidOperationException($"KV block {block} is free and cannot be shared.");
        if (_references[block]++ == 0)
            _idleCount--;
    }

    /// <summary>Gives up one hold; a block without another holder becomes idle or free.</summary>
    public void Release(int block)
    {
        if (_references[block] == 0)
            throw new InvalidOperationException($"KV block {block} is released twice.");
        if (--_references[block] > 0)
            return;
        if (_cached[block])
            _idleCount++;
        else
            _free[_freeCount++] = block;
    }

    /// <summary>Gives up a sequence's blocks.</summary>
    public void Release(List<int> table)
    {
        ArgumentNullException.ThrowIfNull(table);
        for (var i = table.Count - 1; i >= 0; i--)
            Release(table[i]);
        table.Clear();
    }

    /// <summary>Keeps the contents of a block in use when its holders have gone.</summary>
    internal void Cache(int block)
    {
        if (_references[block] == 0 || _cached[block])
            throw new InvalidOperationException($"KV block {block} cannot be kept: it must be in use, and not be kept already.");
        _cached[block] = true;
    }

    /// <summary>Forgets the contents of a block; one that nobody holds becomes free.</summary>
    internal void Uncache(int block)
    {
        if (!_cached[block])
            throw new InvalidOperationException($"KV block {block} is not kept.");
        _cached[block] = false;
        if (_references[block] > 0)
            return;
        _idleCount--;
        _free[_freeCount++] = block;
    }
}
