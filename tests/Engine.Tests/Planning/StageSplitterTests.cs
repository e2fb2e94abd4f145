using CsCheck;
using Slm.Engine.Execution;
using Slm.Engine.Planning;

namespace Slm.Engine.Tests.Planning;

/// <summary>Splits against all splits over all orders of machines.</summary>
public sealed class StageSplitterTests
{
    private static readonly Gen<(ModelShape Shape, MachineSpec[] Machines)> Cases =
        from layers in Gen.Select(Gen.Int[1, 9], Gen.Int[0, 5]).Array[1, 7]
        from ends in Gen.Select(Gen.Int[0, 9], Gen.Int[0, 9])
        from machines in Gen.Select(Gen.Int[1, 4], Gen.Int[1, 3], Gen.Int[5, 40]).Array[1, 4]
        select (
            Shapes.Model([.. layers.Select(layer => Shapes.Layer(layer.Item1 * 1_000_000, layer.Item2 * 1_000_000))]) with
            {
                EmbeddingBytes = ends.Item1 * 1_000_000,
                EmbeddingRowBytes = ends.Item1,
                HeadBytes = ends.Item2 * 1_000_000,
            },
            machines.Select((machine, at) => Shapes.Machine($"m{at}", machine.Item1, machine.Item3 * 1_000_000L, machine.Item2 * 1e9)).ToArray());

    [Fact]
    public void The_slowest_stage_is_as_fast_as_any_split_in_any_order_makes_it() => Cases.Sample((shape, machines) =>
    {
        for (var stages = 1; stages <= machines.Length; stages++)
        {
            var splitter = Splitter(shape, machines);
            var best = BruteForce(splitter, shape, machines, stages);
            var found = splitter.Split([.. machines.Select(machine => new Candidate(machine, machine.FreeMemoryBytes))], stages);
            Assert.Equal(double.IsInfinity(best), found is null);
            if (found is null)
                continue;
            Assert.Equal(stages, found.Count);
            AssertCovers(shape, found);
            Assert.Equal(stages, found.Select(share => share.Machine.Name).Distinct().Count());
            Assert.All(found, share => Assert.True(shape.WeightBytes(share.Range) <= share.Machine.FreeMemoryBytes));
            Assert.Equal(best, splitter.Slowest(found), best * 1e-9);
        }
    });

    [Fact]
    public void In_a_given_order_too() => Cases.Sample((shape, machines) =>
    {
        if (machines.Length > shape.Layers.Count)
            return;
        var splitter = Splitter(shape, machines);
        var best = Splits(shape.Layers.Count, machines.Length).Select(ranges => Slowest(splitter, shape, [.. ranges.Zip(machines, (range, machine) => new Share(range, machine))])).Min();
        var found = splitter.SplitInOrder([.. machines.Select(machine => new Candidate(machine, machine.FreeMemoryBytes))]);
        Assert.Equal(double.IsInfinity(best), found is null);
        if (found is not null)
            Assert.Equal(best, splitter.Slowest(found), best * 1e-9);
    });

    [Fact]
    public void Equal_machines_get_equal_layers()
    {
        var machines = Enumerable.Range(0, 40).Select(at => Shapes.Machine($"m{at}")).ToArray();
        var shape = Shapes.Model(80);
        var found = Splitter(shape, machines).Split([.. machines.Select(machine => new Candidate(machine, machine.FreeMemoryBytes))], 40)!;
        Assert.All(found, share => Assert.Equal(2, share.Range.Count));
        AssertCovers(shape, found);
    }

    [Fact]
    public void Many_different_machines_are_no_worse_than_equal_shares_of_the_fastest() => Gen.Select(Gen.Int[10, 100].Array[20, 40], Gen.Int[2, 10]).Sample((speeds, stages) =>
    {
        var machines = speeds.Select((speed, at) => Shapes.Machine($"m{at}", speed / 10.0)).ToArray();
        var shape = Shapes.Model(40);
        var splitter = Splitter(shape, machines);
        var found = splitter.Split([.. machines.Select(machine => new Candidate(machine, machine.FreeMemoryBytes))], stages)!;
        AssertCovers(shape, found);
        var fastest = machines.OrderByDescending(machine => machine.ReadBytesPerSecond).Take(stages);
        var equal = LayerRange.Split(40, stages).Zip(fastest, (range, machine) => new Share(range, machine)).ToArray();
        Assert.True(splitter.Slowest(found) <= splitter.Slowest(equal) * (1 + 1e-9));
    });

    [Fact]
    public void Refining_moves_stages_to_near_machines()
    {
        // Four equal machines in two racks: a and c are near, b and d are; a pipeline should cross once and return once.
        MachineSpec[] machines = [Shapes.Machine("a"), Shapes.Machine("b"), Shapes.Machine("c"), Shapes.Machine("d")];
        var fleet = new Fleet(machines, [new LinkSpec("a", "c", 1e-4, 1e9), new LinkSpec("b", "d", 1e-4, 1e9)]) { DefaultLink = new LinkSpeed(5e-3, 1e9), HopSeconds = 0 };
        var shape = Shapes.Model(8);
        var costs = new CostModel(shape, fleet, Shapes.Terms);
        var refiner = new SplitRefiner(costs, new MemoryNeeds(shape, Shapes.Terms), StepLoad.Decode(1, 1), experts: true);
        var split = LayerRange.Split(8, 4).Zip(machines, (range, machine) => new Share(range, machine)).ToArray();
        var order = string.Concat(refiner.Refine(split, machines.ToDictionary(machine => machine.Name, machine => machine.FreeMemoryBytes)).Select(share => share.Machine.Name));
        Assert.Contains(order, new[] { "acbd", "acdb", "cabd", "cadb", "bdac", "bdca", "dbac", "dbca", "abdc", "cbda", "adbc", "cdba", "bacd", "bcad", "dacb", "dcab" });
        Assert.DoesNotContain("ab", order + order[0], StringComparison.Ordinal);
    }

    private static StageSplitter Splitter(ModelShape shape, MachineSpec[] machines) =>
        new(new CostModel(shape, Shapes.Fleet(machines), Shapes.Terms), new MemoryNeeds(shape, Shapes.Terms), StepLoad.Decode(2, 1), experts: true);

    private static void AssertCovers(ModelShape shape, IReadOnlyList<Share> shares)
    {
        Assert.Equal(0, shares[0].Range.First);
        Assert.Equal(shape.Layers.Count, shares[^1].Range.End);
        for (var s = 1; s < shares.Count; s++)
            Assert.Equal(shares[s - 1].Range.End, shares[s].Range.First);
        Assert.All(shares, share => Assert.True(share.Range.Count > 0));
    }

    private static double BruteForce(StageSplitter splitter, ModelShape shape, MachineSpec[] machines, int stages) =>
        (from ranges in Splits(shape.Layers.Count, stages)
         from order in Orders(machines, stages)
         select Slowest(splitter, shape, [.. ranges.Zip(order, (range, machine) => new Share(range, machine))])).DefaultIfEmpty(double.PositiveInfinity).Min();

    private static double Slowest(StageSplitter splitter, ModelShape shape, Share[] shares) =>
        shares.All(share => shape.WeightBytes(share.Range) <= share.Machine.FreeMemoryBytes) ? splitter.Slowest(shares) : double.PositiveInfinity;

    private static IEnumerable<LayerRange[]> Splits(int layers, int stages, int first = 0)
    {
        if (stages == 1)
        {
            if (first < layers)
                yield return [new LayerRange(first, layers)];
            yield break;
        }

        for (var end = first + 1; end < layers; end++)
        {
            foreach (var rest in Splits(layers, stages - 1, end))
                yield return [new LayerRange(first, end), .. rest];
        }
    }

    private static IEnumerable<MachineSpec[]> Orders(MachineSpec[] machines, int count) => count == 0
        ? [[]]
        : machines.SelectMany(machine => Orders([.. machines.Where(other => other != machine)], count - 1).Select(rest => (MachineSpec[])[machine, .. rest]));
}
