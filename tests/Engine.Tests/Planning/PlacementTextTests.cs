using CsCheck;
using Slm.Engine.Execution;
using Slm.Engine.Planning;

namespace Slm.Engine.Tests.Planning;

public sealed class PlacementTextTests
{
    private static readonly Gen<string> Name = Gen.Char["abcXYZ019.:_-=/[]"].Array[1, 8].Select(chars => new string(chars));

    private static readonly Gen<PlacementMap> Maps =
        from replicas in (
            from lengths in Gen.Int[1, 9].Array[1, 4]
            from machines in Name.Array[4]
            from experts in (
                from layers in Gen.Bool
                from groups in Gen.Select(Gen.Int[0, 63].HashSet[1, 12], Name).Array[1, 3]
                select new MappedExperts(layers ? new LayerRange(1, 4) : null, [.. groups.Select(part => new MappedGroup([.. part.Item1.Order()], part.Item2))])).Array[0, 2]
            select new MappedReplica([.. lengths.Select((length, s) => new MappedStage(new LayerRange(lengths[..s].Sum(), lengths[..s].Sum() + length), machines[s]))], experts)).Array[1, 3]
        select new PlacementMap(replicas);

    [Fact]
    public void Maps_are_read_as_they_were_written() => Maps.Sample(map =>
    {
        var wish = PlacementWish.Parse(map.ToString());
        Assert.Equal(map.ToString(), wish.ToString());
        Assert.Equal(map.Replicas.Count, wish.Map!.Replicas.Count);
        foreach (var (given, read) in map.Replicas.Zip(wish.Map.Replicas))
        {
            Assert.Equal(given.Stages, read.Stages);
            Assert.Equal(given.Experts.Select(clause => clause.Layers), read.Experts.Select(clause => clause.Layers));
            foreach (var (groups, others) in given.Experts.Zip(read.Experts))
            {
                Assert.Equal(groups.Groups.Select(group => group.Machine), others.Groups.Select(group => group.Machine));
                Assert.Equal(groups.Groups.Select(group => group.Experts), others.Groups.Select(group => group.Experts));
            }
        }
    });

    [Fact]
    public void Wishes_are_read_as_they_were_written() => Gen.Select(Gen.Int[0, 9], Gen.Int[0, 9], Gen.Int[0, 9], Gen.Dictionary(Gen.Char["abc"].Select(c => c.ToString()), Gen.Char["xyz-"].Select(c => c.ToString()))[0, 3]).Sample((stages, experts, replicas, labels) =>
    {
        int? Given(int value) => value == 0 ? null : value;
        var wish = new PlacementWish { Stages = Given(stages), ExpertGroups = Given(experts), Replicas = Given(replicas), RequiredLabels = labels };
        var read = PlacementWish.Parse(wish.ToString());
        Assert.Equal((wish.Stages, wish.ExpertGroups, wish.Replicas), (read.Stages, read.ExpertGroups, read.Replicas));
        Assert.Equal(wish.RequiredLabels.OrderBy(label => label.Key), read.RequiredLabels.OrderBy(label => label.Key));
    });

    [Fact]
    public void A_map_says_what_it_means()
    {
        var map = PlacementWish.Parse(" 0-7@siloA,8@siloB ;experts:0-3+8@siloC,4-7+9@siloD;experts[8]:0@siloA|0-8@siloE").Map!;
        Assert.Equal([new MappedStage(new LayerRange(0, 8), "siloA"), new MappedStage(new LayerRange(8, 9), "siloB")], map.Replicas[0].Stages);
        Assert.Null(map.Replicas[0].Experts[0].Layers);
        Assert.Equal([0, 1, 2, 3, 8], map.Replicas[0].Experts[0].Groups[0].Experts);
        Assert.Equal("siloD", map.Replicas[0].Experts[0].Groups[1].Machine);
        Assert.Equal(new LayerRange(8, 9), map.Replicas[0].Experts[1].Layers);
        Assert.Equal([new MappedStage(new LayerRange(0, 9), "siloE")], map.Replicas[1].Stages);
    }

    [Theory]
    [InlineData("", "the text is empty")]
    [InlineData("stages", "'stages' is not known")]
    [InlineData("stages=0", "stages is '0'. Give a whole number from 1 to 65536.")]
    [InlineData("stages=-1", "stages is '-1'")]
    [InlineData("stages=99999999999999", "stages is '99999999999999'")]
    [InlineData("stages=2,stages=2", "'stages' occurs twice")]
    [InlineData("groups=2", "'groups' is not known")]
    [InlineData("auto,stages=2", "'auto' stands alone")]
    [InlineData("label:=a", "is no label")]
    [InlineData("label:zone=a,label:zone=b", "the label 'zone' occurs twice")]
    [InlineData("0-7@", "'' in '0-7@' is no name of a machine")]
    [InlineData("7-0@a", "ends before it begins. Give 0-7.")]
    [InlineData("x@a", "'x' is no range")]
    [InlineData("0-99999999999@a", "is no range")]
    [InlineData("0-7@a,stages=2", "'stages=2' names no machine")]
    [InlineData("0-7@a;groups:0@b", "does not say where experts are")]
    [InlineData("0-7@a;experts[0:0@b", "opens a bracket and does not close it")]
    [InlineData("0-7@a;experts 0@b", "has no colon")]
    [InlineData("0-7@a;experts:0-3+2@b", "expert 2 occurs twice")]
    public void What_is_wrong_is_named(string text, string expected)
    {
        var error = Assert.Throws<PlacementException>(() => PlacementWish.Parse(text));
        Assert.Equal(PlacementFault.BadWish, error.Fault);
        Assert.StartsWith("placement: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_is_read_or_refused() => Gen.Char["0159-@,;|:+=[]abexprtsgu \n"].Array[0, 24].Select(chars => new string(chars)).Sample(text =>
    {
        try
        {
            var wish = PlacementWish.Parse(text);
            Assert.Equal(wish.ToString(), PlacementWish.Parse(wish.ToString()).ToString());
        }
        catch (PlacementException error)
        {
            Assert.Equal(PlacementFault.BadWish, error.Fault);
        }
    });
}
