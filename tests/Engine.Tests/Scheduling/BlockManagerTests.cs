using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

public sealed class BlockManagerTests
{
    [Fact]
    public void A_table_is_covered_whole_or_not_at_all()
    {
        var blocks = new BlockManager(3, 4);
        List<int> table = [];
        Assert.True(blocks.TryCover(table, 5));
        Assert.False(blocks.TryCover(table, 13));
        Assert.Equal((2, 1, 2), (table.Count, blocks.Free, blocks.Used));
        Assert.True(blocks.TryCover(table, 8));
        Assert.Equal(2, table.Count);
        Assert.True(blocks.TryCover(table, 12));
        Assert.Equal(3, table.Distinct().Count());
        blocks.Release(table);
        Assert.Equal((0, 3), (table.Count, blocks.Free));
    }

    [Fact]
    public void A_shared_block_is_free_when_its_last_holder_goes()
    {
        var blocks = new BlockManager(2, 4);
        List<int> first = [];
        blocks.TryCover(first, 4);
        List<int> second = [first[0]];
        blocks.Retain(first[0]);
        blocks.Release(first);
        Assert.Equal(1, blocks.Free);
        blocks.Release(second);
        Assert.Equal(2, blocks.Free);
    }

    [Fact]
    public void Wrong_use_is_an_error_at_once()
    {
        var blocks = new BlockManager(2, 4);
        Assert.Throws<InvalidOperationException>(() => blocks.Retain(0));
        Assert.Throws<InvalidOperationException>(() => blocks.Release([1]));
    }
}
