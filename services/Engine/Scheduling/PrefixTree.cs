namespace Slm.Engine.Scheduling;

/// <summary>What of a sequence is in the cache already.</summary>
/// <param name="Node">The last full block that matches; null if there is none.</param>
/// <param name="Tail">A block that begins with the tokens that follow, to be copied; null if there is none.</param>
/// <param name="TailTokens">How many of its tokens match.</param>
internal readonly record struct PrefixMatch(PrefixNode? Node, PrefixNode? Tail, int TailTokens);

/// <summary>Requests that may use each other's blocks.</summary>
/// <param name="Salt">Chosen by the client.</param>
/// <param name="Adapter">Number of the adapter, whose keys and values are its own; 0: none.</param>
internal readonly record struct PrefixScope(string Salt, long Adapter = 0)
{
    public static implicit operator PrefixScope(string salt) => new(salt);
}

/// <summary>
/// Finished KV blocks by their tokens, as a radix tree with a block per edge (after Zheng et al. 2023, SGLang): sequences
/// that begin alike hold the same blocks. Keys and values of a position are a function of the tokens up to it, so a shared
/// block has the bits the sequence would have computed. Where a sequence leaves the tree inside a block, it gets a copy of
/// that block and overwrites what differs. Blocks nobody holds stay until they are needed; then the least recently used
/// leaf goes first. Trees of different scopes (adapters, tenants) share nothing.
/// </summary>
/// <remarks>
/// Whoever holds a block holds all before it, and using a block marks its ancestors as used after it. So the oldest node
/// that nobody holds is a leaf, and every idle block can be reclaimed.
/// </remarks>
internal sealed class PrefixTree
{
    private readonly BlockManager _blocks;
    private readonly Dictionary<PrefixScope, PrefixNode> _roots = [];
    private PrefixNode? _oldest;
    private PrefixNode? _newest;

    public PrefixTree(BlockManager blocks)
    {
        _blocks = blocks;
        blocks.Reclaim = ReclaimOldest;
    }

    /// <summary>Called with the slot of a state whose block is given up.</summary>
    public Action<int>? StateReleased { get; init; }

    /// <summary>Number of states kept.</summary>
    public int StateCount
    {
        get
        {
            var count = 0;
            for (var node = _oldest; node is not null; node = node.Newer)
                count += node.StateSlot < 0 ? 0 : 1;
            return count;
        }
    }

    /// <summary>Number of blocks kept, held or idle.</summary>
    public int Count { get; private set; }

    /// <summary>Finds the longest known beginning of <paramref name="tokens"/>. Hold the blocks before anything else is done.</summary>
    public PrefixMatch Match(PrefixScope scope, ReadOnlySpan<int> tokens)
    {
        if (!_roots.TryGetValue(scope, out var node))
            return default;
        var size = _blocks.BlockSize;
        while (tokens.Length >= size && node.Find(tokens[..size]) is var at && at >= 0)
        {
            node = node.Children[at];
            tokens = tokens[size..];
        }

        var (tail, common) = node.Nearest(tokens[..Math.Min(size, tokens.Length)]);
        Touch(tail ?? node);
        return new PrefixMatch(node.Parent is null ? null : node, common > 0 ? tail : null, common);
    }

    /// <summary>Adds a full block behind <paramref name="parent"/> (null: the beginning).</summary>
    /// <returns>The node with these tokens: a new one with <paramref name="block"/>, or the one that was there; null if the parent is gone.</returns>
    public PrefixNode? Add(PrefixScope scope, PrefixNode? parent, ReadOnlySpan<int> tokens, int block)
    {
        if (parent is { Removed: true })
            return null;
        parent ??= Root(scope);
        var at = parent.Find(tokens);
        var node = at >= 0 ? parent.Children[at] : Insert(parent, ~at, tokens, block);
        Touch(node);
        return node;
    }

    /// <summary>Adds a block that is not full, unless one that begins with its tokens is there.</summary>
    public void AddTail(PrefixScope scope, PrefixNode? parent, ReadOnlySpan<int> tokens, int block)
    {
        if (parent is { Removed: true })
            return;
        parent ??= Root(scope);
        var (nearest, common) = parent.Nearest(tokens);
        if (common == tokens.Length)
        {
            Touch(nearest!);
            return;
        }

        Touch(Insert(parent, ~parent.Find(tokens), tokens, block));

        // A tail that this one continues is of no more use.
        if (nearest is not null && nearest.Tokens.Length == common && _blocks.IsIdle(nearest.Block))
            Remove(nearest);
    }

    /// <summary>The last of a node and its ancestors whose recurrent state is kept; null if there is none.</summary>
    public static PrefixNode? WithState(PrefixNode? node)
    {
        while (node is not null && node.StateSlot < 0)
            node = node.Parent;
        return node;
    }

    /// <summary>Gives up the least recently used state that nobody is about to copy; false if there is none.</summary>
    public bool DropState()
    {
        for (var node = _oldest; node is not null; node = node.Newer)
        {
            if (node.StateSlot < 0 || node.Readers > 0)
                continue;
            DropState(node);
            return true;
        }

        return false;
    }

    /// <summary>Gives up the state of a block.</summary>
    public void DropState(PrefixNode node)
    {
        if (node.StateSlot < 0)
            return;
        StateReleased?.Invoke(node.StateSlot);
        node.StateSlot = -1;
    }

    /// <summary>The blocks of a node and its ancestors, in order of position.</summary>
    public static void Collect(PrefixNode? node, List<int> table)
    {
        var first = table.Count;
        for (; node?.Parent is not null; node = node.Parent)
            table.Add(node.Block);
        table.Reverse(first, table.Count - first);
    }

    /// <summary>Marks a block and those before it as just used.</summary>
    public void Touch(PrefixNode node)
    {
        for (var current = node; current.Parent is not null; current = current.Parent)
        {
            Unlink(current);
            Link(current);
        }
    }

    /// <summary>Forgets everything: what the blocks hold is no longer certain.</summary>
    public void Clear()
    {
        while (_oldest is { } node)
        {
            node.Children.Clear();
            node.Removed = true;
            DropState(node);
            Unlink(node);
            _blocks.Uncache(node.Block);
        }

        _roots.Clear();
        Count = 0;
    }

    private void ReclaimOldest()
    {
        for (var node = _oldest; node is not null; node = node.Newer)
        {
            if (!_blocks.IsIdle(node.Block))
                continue;
            Remove(node);
            return;
        }

        throw new InvalidOperationException("An idle block is in no prefix tree.");
    }

    private PrefixNode Root(PrefixScope scope)
    {
        if (!_roots.TryGetValue(scope, out var root))
            _roots.Add(scope, root = new PrefixNode(null, [], -1));
        return root;
    }

    private PrefixNode Insert(PrefixNode parent, int at, ReadOnlySpan<int> tokens, int block)
    {
        var node = new PrefixNode(parent, tokens.ToArray(), block);
        parent.Children.Insert(at, node);
        _blocks.Cache(block);
        Link(node);
        Count++;
        return node;
    }

    private void Remove(PrefixNode node)
    {
        if (node.Children.Count > 0)
            throw new InvalidOperationException($"KV block {node.Block} is idle, but blocks behind it are kept.");
        var parent = node.Parent!;
        parent.Children.RemoveAt(parent.Find(node.Tokens));
        node.Removed = true;
        DropState(node);
        Unlink(node);
        _blocks.Uncache(node.Block);
        Count--;
        if (parent is { Parent: null, Children.Count: 0 })
        {
            foreach (var (scope, root) in _roots)
            {
                if (root == parent)
                {
                    _roots.Remove(scope);
                    break;
                }
            }
        }
    }

    private void Link(PrefixNode node)
    {
        node.Older = _newest;
        node.Newer = null;
        if (_newest is null)
            _oldest = node;
        else
            _newest.Newer = node;
        _newest = node;
    }

    private void Unlink(PrefixNode node)
    {
        if (node.Older is null)
            _oldest = node.Newer;
        else
            node.Older.Newer = node.Newer;
        if (node.Newer is null)
            _newest = node.Older;
        else
            node.Newer.Older = node.Older;
        node.Older = node.Newer = null;
    }
}
