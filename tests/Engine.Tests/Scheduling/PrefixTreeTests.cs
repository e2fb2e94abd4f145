using CsCheck;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

public sealed class PrefixTreeTests
{
    private const int Size = 4;

    [Fact]
    public void The_longest_known_beginning_is_found_with_the_block_to_copy()
    {
        var blocks = new BlockManager(8, Size);
        var tree = new PrefixTree(blocks);
        var table = Add(blocks, tree, "", [1, 2, 3, 4, 5, 6, 7, 8]);
        Add(blocks, tree, "", [1, 2, 3, 4, 5, 6, 9, 9]);

        var match = tree.Match("", [1, 2, 3, 4, 5, 6, 7, 9, 1]);
        Assert.Equal((table[0], table[1], 3), (match.Node!.Block, match.Tail!.Block, match.TailTokens));
        match = tree.Match("", [1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.Equal(table, Path(match.Node));
        Assert.Null(match.Tail);
        match = tree.Match("", [1, 2]);
        Assert.Equal((null, table[0], 2), (match.Node, match.Tail!.Block, match.TailTokens));
        Assert.Equal(default, tree.Match("", [2, 2, 3, 4]));
        Assert.Equal(default, tree.Match("another tenant", [1, 2, 3, 4]));
    }

    [Fact]
    public void Idle_blocks_go_from_the_leaves_least_recently_used_first()
    {
        var blocks = new BlockManager(4, Size);
        var tree = new PrefixTree(blocks);
        Add(blocks, tree, "", [1, 1, 1, 1, 2, 2, 2, 2]);
        Add(blocks, tree, "", [1, 1, 1, 1, 3, 3, 3, 3]);
        Assert.Equal((1, 3, 0), (blocks.Free, blocks.Idle, blocks.Used));
        tree.Match("", [1, 1, 1, 1, 2, 2, 2, 2]);

        List<int> held = [];
        Assert.True(blocks.TryCover(held, 2 * Size));
        Assert.Null(tree.Match("", [1, 1, 1, 1, 3, 3, 3, 3]).Tail);
        Assert.Equal(2, Path(tree.Match("", [1, 1, 1, 1, 2, 2, 2, 2]).Node).Count);
        Assert.True(blocks.TryCover(held, 4 * Size));
        Assert.Equal(default, tree.Match("", [1, 1, 1, 1]));
        Assert.Equal((0, 0, 4, 0), (blocks.Free, blocks.Idle, blocks.Used, tree.Count));
        Assert.False(blocks.TryCover(held, 5 * Size));
    }

    [Fact]
    public void Blocks_in_use_are_never_reclaimed()
    {
        var blocks = new BlockManager(3, Size);
        var tree = new PrefixTree(blocks);
        List<int> table = [];
        blocks.TryCover(table, 2 * Size);
        var first = tree.Add("", null, [1, 1, 1, 1], table[0]);
        tree.Add("", first, [2, 2, 2, 2], table[1]);
        List<int> other = [];
        Assert.True(blocks.TryCover(other, Size));
        Assert.False(blocks.TryCover(other, 2 * Size));
        blocks.Release(table);
        Assert.True(blocks.TryCover(other, 3 * Size));
        Assert.Equal(0, tree.Count);
    }

    [Fact]
    public void A_tail_is_found_and_replaced_by_a_longer_one()
    {
        var blocks = new BlockManager(4, Size);
        var tree = new PrefixTree(blocks);
        AddTail(blocks, tree, [5, 6]);
        Assert.Equal(2, tree.Match("", [5, 6, 7]).TailTokens);
        AddTail(blocks, tree, [5, 6, 7]);
        Assert.Equal(3, tree.Match("", [5, 6, 7, 8]).TailTokens);
        Assert.Equal((1, 1), (tree.Count, blocks.Idle));
        AddTail(blocks, tree, [5]);
        Assert.Equal((1, 1), (tree.Count, blocks.Idle));
    }

    [Fact]
    public void Clearing_frees_what_is_idle_and_keeps_what_is_held()
    {
        var blocks = new BlockManager(4, Size);
        var tree = new PrefixTree(blocks);
        Add(blocks, tree, "", [1, 1, 1, 1]);
        List<int> table = [];
        blocks.TryCover(table, Size);
        var node = tree.Add("", null, [2, 2, 2, 2], table[0]);
        tree.Clear();
        Assert.Equal((3, 0, 1), (blocks.Free, blocks.Idle, blocks.Used));
        Assert.Null(tree.Add("", node, [3, 3, 3, 3], table[0]));
        blocks.Release(table);
        Assert.Equal(4, blocks.Free);
        Assert.Equal(default, tree.Match("", [2, 2, 2, 2]));
    }

    [Fact]
    public void Matches_are_those_of_a_linear_search() => Gen.Int[0, 2].Array[1, 20].Array[1, 12].Sample(
        texts =>
        {
            var blocks = new BlockManager(200, Size);
            var tree = new PrefixTree(blocks);
            var known = new List<int[]>();
            foreach (var text in texts)
            {
                var match = tree.Match("", text);
                var expected = known.Select(k => k.AsSpan().CommonPrefixLength(text)).Append(0).Max();
                Assert.Equal(expected, (Path(match.Node).Count * Size) + match.TailTokens);
                var full = text.Length / Size * Size;
                Add(blocks, tree, "", text[..full]);
                known.Add(text[..full]);
            }
        },
        iter: 500);

    private static List<int> Add(BlockManager blocks, PrefixTree tree, PrefixScope scope, int[] tokens)
    {
        List<int> own = [];
        blocks.TryCover(own, tokens.Length);
        PrefixNode? node = null;
        for (var i = 0; i < own.Count; i++)
            node = tree.Add(scope, node, tokens.AsSpan(i * Size, Size), own[i]);
        blocks.Release(own);
        return Path(node);
    }

    private static void AddTail(BlockManager blocks, PrefixTree tree, int[] tokens)
    {
        List<int> own = [];
        blocks.TryCover(own, tokens.Length);
        tree.AddTail("", null, tokens, own[0]);
        blocks.Release(own);
    }

    private static List<int> Path(PrefixNode? node)
    {
        List<int> path = [];
        PrefixTree.Collect(node, path);
        return path;
    }
}
