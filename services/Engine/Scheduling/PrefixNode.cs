namespace Slm.Engine.Scheduling;

/// <summary>A KV block in a <see cref="PrefixTree"/>: the keys and values of its tokens behind those of its ancestors.</summary>
internal sealed class PrefixNode(PrefixNode? parent, int[] tokens, int block)
{
    /// <summary>The block before; null for a root.</summary>
    public PrefixNode? Parent { get; } = parent;

    /// <summary>A full block of tokens, or fewer in a tail, which never has children. Empty in a root.</summary>
    public int[] Tokens { get; } = tokens;

    /// <summary>KV block; -1 in a root.</summary>
    public int Block { get; } = block;

    /// <summary>Blocks that follow, in lexicographic order of their tokens.</summary>
    public List<PrefixNode> Children { get; } = [];

    /// <summary>Slot with the recurrent state behind the block's last token; -1: none.</summary>
    public int StateSlot { get; set; } = -1;

    /// <summary>Sequences that are about to copy that state.</summary>
    public int Readers { get; set; }

    /// <summary>No longer part of the tree.</summary>
    public bool Removed { get; set; }

    /// <summary>Neighbours in the order of use.</summary>
    public PrefixNode? Older { get; set; }

    /// <summary>See <see cref="Older"/>.</summary>
    public PrefixNode? Newer { get; set; }

    /// <summary>Index of the child with exactly these tokens, else the complement of the index where it would stand.</summary>
    public int Find(ReadOnlySpan<int> tokens)
    {
        var low = 0;
        var high = Children.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            var order = Children[middle].Tokens.AsSpan().SequenceCompareTo(tokens);
            if (order == 0)
                return middle;
            if (order < 0)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return ~low;
    }

    /// <summary>The child that shares most leading tokens with <paramref name="tokens"/>; in lexicographic order it stands beside them.</summary>
    public (PrefixNode? Child, int Common) Nearest(ReadOnlySpan<int> tokens)
    {
        var at = Find(tokens);
        if (at >= 0)
            return (Children[at], tokens.Length);
        PrefixNode? best = null;
        var common = 0;
        for (var i = Math.Max(0, ~at - 1); i < Math.Min(Children.Count, ~at + 1); i++)
        {
            var length = Children[i].Tokens.AsSpan().CommonPrefixLength(tokens);
            if (length > common)
                (best, common) = (Children[i], length);
        }

        return (best, common);
    }
}
