using CsCheck;
using Slm.Engine.Execution;
using Slm.Engine.Planning;

namespace Slm.Engine.Tests.Planning;

public sealed class PlannerTests
{
    private const long MB = 1_000_000;

    /// <summary>A second or two on an idle machine; trying all machines for all others would take hours.</summary>
    private static readonly TimeSpan Moment = TimeSpan.FromSeconds(60);

    [Fact]
    public void A_model_stays_whole_on_the_fastest_machine_that_it_fits_on()
    {
        var plan = Plan(Shapes.Model(10), PlacementWish.Auto, Shapes.Machine("small", 9, 9 * MB), Shapes.Machine("slow", 2), Shapes.Machine("fast", 3));
        var stage = Assert.Single(Assert.Single(plan.Replicas).Stages);
        Assert.Equal(("fast", new LayerRange(0, 10), "fast"), (stage.Machine, stage.Range, plan.Replicas[0].Coordinator));
        Assert.Equal(1, plan.Replicas[0].MicroBatches);
        Assert.Equal(10e-3 / 3, plan.Prediction.SecondsPerToken, 1e-12);
        Assert.Equal(300, plan.Prediction.DecodeTokensPerSecond, 1e-6);
        Assert.Equal(0, plan.Prediction.WireBytesPerToken);
        Assert.Contains("fastest of the 2", plan.Reasons[0], StringComparison.Ordinal);
    }

    [Fact]
    public void The_machine_that_asks_is_preferred_among_equals()
    {
        MachineSpec[] machines = [Shapes.Machine("a", 1.03), Shapes.Machine("b"), Shapes.Machine("c", 1.04)];
        Assert.Equal("b", Plan(Shapes.Model(10), PlacementWish.Auto, Shapes.Terms with { LocalMachine = "b" }, machines).Replicas[0].Coordinator);
        Assert.Equal("c", Plan(Shapes.Model(10), PlacementWish.Auto, machines).Replicas[0].Coordinator);
        machines[0] = Shapes.Machine("a", 1.2);
        Assert.Equal("a", Plan(Shapes.Model(10), PlacementWish.Auto, Shapes.Terms with { LocalMachine = "b" }, machines).Replicas[0].Coordinator);
    }

    [Fact]
    public void A_model_that_fits_nowhere_is_split_by_speed_over_the_fewest_machines()
    {
        var plan = Plan(Shapes.Model(12), PlacementWish.Auto, Shapes.Machine("a", 1, 9 * MB), Shapes.Machine("b", 2, 9 * MB), Shapes.Machine("c", 1, 9 * MB));
        var stages = plan.Replicas[0].Stages;
        Assert.Equal(2, stages.Count);
        Assert.Equal(8, stages.Single(stage => stage.Machine == "b").Range.Count);
        Assert.Equal(4e-3, plan.Prediction.StepSeconds.Max(), 1e-12);
        Assert.Contains(plan.Reasons, reason => reason.Contains("the fewest that hold it", StringComparison.Ordinal));
    }

    [Fact]
    public void Stages_that_were_asked_for_share_machines_where_there_are_too_few()
    {
        var plan = Plan(Shapes.Model(10), PlacementWish.Parse("stages=4"), Shapes.Machine("a"));
        Assert.Equal([2, 3, 2, 3], plan.Replicas[0].Stages.Select(stage => stage.Range.Count));
        Assert.All(plan.Replicas[0].Stages, stage => Assert.Equal("a", stage.Machine));
        Assert.Equal(1, plan.Replicas[0].MicroBatches);
    }

    [Fact]
    public void Stages_go_to_hosts_of_their_own_if_there_are_enough()
    {
        MachineSpec[] machines = [Shapes.Machine("a1", host: "a"), Shapes.Machine("a2", host: "a"), Shapes.Machine("b1", host: "b"), Shapes.Machine("b2", host: "b")];
        Assert.Equal(["a", "b"], Hosts(Plan(Shapes.Model(8), PlacementWish.Parse("stages=2"), machines), machines).Order());
        Assert.Equal(["a", "a", "b", "b"], Hosts(Plan(Shapes.Model(8), PlacementWish.Parse("stages=4"), machines), machines).Order());
        var replicas = Plan(Shapes.Model(8), PlacementWish.Parse("replicas=2"), machines);
        Assert.NotEqual(machines.Single(m => m.Name == replicas.Replicas[0].Coordinator).HostId, machines.Single(m => m.Name == replicas.Replicas[1].Coordinator).HostId);
    }

    [Fact]
    public void Silos_that_share_the_memory_of_a_host_take_no_more_than_it_has()
    {
        // Each silo sees the same 12 MB; 14 layers of 1 MB need the other host too.
        MachineSpec Silo(string name, string host) => Shapes.Machine(name, 1, 12 * MB, host: host) with { HostFreeMemoryBytes = 12 * MB };
        var plan = Plan(Shapes.Model(14), PlacementWish.Parse("stages=3"), Silo("a1", "a"), Silo("a2", "a"), Silo("b1", "b"));
        Assert.True(plan.Replicas[0].Stages.Where(stage => stage.Machine[0] == 'a').Sum(stage => stage.MemoryBytes) <= 12 * MB);
        var error = Assert.Throws<PlacementException>(() => Plan(Shapes.Model(14), PlacementWish.Auto, Silo("a1", "a"), Silo("a2", "a")));
        Assert.Equal(2 * MB, error.MissingBytes);
    }

    [Fact]
    public void Experts_leave_their_stage_only_if_no_split_by_layers_fits()
    {
        var layer = Shapes.ExpertLayer(MB, 8, 2, MB);
        MachineSpec[] fits = [Shapes.Machine("a", 1, 18 * MB), Shapes.Machine("b", 1, 18 * MB)];
        Assert.All(Plan(Shapes.Model(layer, layer, layer), PlacementWish.Auto, fits).Replicas[0].Stages, stage => Assert.Empty(stage.ExpertGroups));

        // A layer takes 9 MB; machines with 7 MB hold two of them only in pieces.
        MachineSpec[] small = [Shapes.Machine("a", 1, 7 * MB), Shapes.Machine("b", 1, 7 * MB), Shapes.Machine("c", 1, 7 * MB)];
        var plan = Plan(Shapes.Model(layer, layer), PlacementWish.Auto, small);
        AssertSound(Shapes.Model(layer, layer), small, plan);
        Assert.NotEmpty(plan.Replicas[0].Stages[0].ExpertGroups);
        Assert.Contains(plan.Reasons, reason => reason.Contains("No split by layers alone fits", StringComparison.Ordinal));
    }

    [Fact]
    public void Groups_of_experts_are_balanced_by_visits()
    {
        var shape = Shapes.Model(Shapes.ExpertLayer(MB, 6, 2, MB), Shapes.Layer(), Shapes.ExpertLayer(MB, 6, 2, MB));
        MachineSpec[] machines = [Shapes.Machine("a"), Shapes.Machine("b"), Shapes.Machine("c")];
        var alike = Plan(shape, PlacementWish.Parse("experts=3"), machines).Replicas[0].Stages[0].ExpertGroups;
        Assert.Equal([[0, 3], [1, 4], [2, 5]], alike.Select(group => group.Experts[0]));
        Assert.Equal(3, alike.Select(group => group.Machine).Distinct().Count());
        Assert.All(alike, group => Assert.Empty(group.Experts[1]));
        Assert.All(alike, group => Assert.Equal(4 * MB, group.WeightBytes));

        var counted = Plan(shape, PlacementWish.Parse("experts=3"), Shapes.Terms with { ExpertVisits = [[9, 8, 7, 3, 2, 1], [], [1, 1, 1, 1, 1, 1]] }, machines).Replicas[0].Stages[0].ExpertGroups;
        Assert.Equal([[0, 5], [1, 4], [2, 3]], counted.Select(group => group.Experts[0]));
        AssertSound(shape, machines, Plan(shape, PlacementWish.Parse("experts=4"), machines));
    }

    [Fact]
    public void Labels_choose_machines()
    {
        var labelled = Shapes.Machine("b") with { Labels = new Dictionary<string, string> { ["zone"] = "x" } };
        Assert.Equal("b", Plan(Shapes.Model(2), PlacementWish.Parse("label:zone=x"), Shapes.Machine("a", 9), labelled).Replicas[0].Coordinator);
        var error = Assert.Throws<PlacementException>(() => Plan(Shapes.Model(2), PlacementWish.Parse("label:zone=y"), labelled));
        Assert.Equal(PlacementFault.UnknownMachine, error.Fault);
        Assert.Contains("label:zone=y", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_fit_says_how_many_bytes_are_missing_and_where()
    {
        var one = Assert.Throws<PlacementException>(() => Plan(Shapes.Model(10), PlacementWish.Auto, Shapes.Machine("a", 1, (9 * MB) - 1)));
        Assert.Equal((PlacementFault.DoesNotFit, "a", MB + 1), (one.Fault, one.Machine, one.MissingBytes));
        Assert.Contains("takes 10,000,000 bytes and 'a' has 8,999,999 bytes free: 1,000,001 bytes are missing", one.Message, StringComparison.Ordinal);

        var all = Assert.Throws<PlacementException>(() => Plan(Shapes.Model(10), PlacementWish.Auto, Shapes.Machine("a", 1, 4 * MB), Shapes.Machine("b", 1, 5 * MB)));
        Assert.Equal(("b", MB), (all.Machine, all.MissingBytes));

        var pieces = Assert.Throws<PlacementException>(() => Plan(Shapes.Model(Shapes.Layer(5 * MB), Shapes.Layer(5 * MB)), PlacementWish.Auto, Shapes.Machine("a", 1, 4 * MB), Shapes.Machine("b", 1, 6 * MB)));
        Assert.Equal(("a", MB), (pieces.Machine, pieces.MissingBytes));

        var second = Assert.Throws<PlacementException>(() => Plan(Shapes.Model(10), PlacementWish.Parse("replicas=2"), Shapes.Machine("a", 1, 15 * MB)));
        Assert.Contains("replica 2 of 2", second.Message, StringComparison.Ordinal);
        Assert.Equal(5 * MB, second.MissingBytes);
    }

    [Theory]
    [InlineData("0-4@a,6-9@b", "there is a gap: layer 5 is on no machine")]
    [InlineData("1-9@a", "there is a gap: layer 0 is on no machine")]
    [InlineData("0-4@a", "layers 5 to 9 are on no machine")]
    [InlineData("0-5@a,5-9@b", "5-9@b overlaps what is before it. Let it begin at 6.")]
    [InlineData("0-10@a", "ends behind the model's last layer, 9")]
    [InlineData("0-9@x", "there is no machine 'x'. There are a, b.")]
    [InlineData("0-9@a;experts:0-3@b", "has no experts")]
    [InlineData("stages=11", "stages is 11, more than the model's 10 layers")]
    [InlineData("experts=2", "has no experts")]
    public void A_wish_that_does_not_suit_the_model_is_refused(string wish, string expected)
    {
        var error = Assert.Throws<PlacementException>(() => Plan(Shapes.Model(10), PlacementWish.Parse(wish), Shapes.Machine("a"), Shapes.Machine("b")));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("placement: ", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0-2@a;experts:0-2@a,4-7@b", "expert 3 of layer 0 is in no group")]
    [InlineData("0-2@a;experts:0-4@a,4-7@b", "expert 4 of layer 0 is in two groups")]
    [InlineData("0-2@a;experts:0-4@a,5-8@b", "expert 8 on 'b' does not exist: layer 0 has 8")]
    [InlineData("0-2@a;experts[0-1]:0-7@b", "layer 1 has no experts")]
    [InlineData("0-2@a;experts[0]:0-7@b", "layer 2 is in no clause")]
    [InlineData("0-2@a;experts[0]:0-7@b;experts[0]:0-7@b", "placed twice")]
    [InlineData("0-2@a;experts[0]:0-7@b;experts[2]:0-7@a", "name different machines")]
    [InlineData("0-2@a;experts[3]:0-7@b", "ends behind the model's last layer")]
    [InlineData("0-2@a;experts:0-7@b;experts:0-7@b", "occurs twice")]
    public void A_map_of_experts_that_does_not_suit_the_model_is_refused(string wish, string expected)
    {
        var layer = Shapes.ExpertLayer(MB, 8, 2, MB);
        var error = Assert.Throws<PlacementException>(() => Plan(Shapes.Model(layer, Shapes.Layer(), layer), PlacementWish.Parse(wish), Shapes.Machine("a"), Shapes.Machine("b")));
        Assert.Equal(PlacementFault.BadWish, error.Fault);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_map_is_followed()
    {
        var layer = Shapes.ExpertLayer(MB, 8, 2, MB);
        var shape = Shapes.Model(layer, Shapes.Layer(), layer);
        MachineSpec[] machines = [Shapes.Machine("a"), Shapes.Machine("b"), Shapes.Machine("c", 1, 7 * MB)];
        var plan = Plan(shape, PlacementWish.Parse("0@a,1-2@b;experts[2]:0-3+7@c,4-6@b|0-2@b"), machines);
        AssertSound(shape, machines, plan);
        Assert.Equal(2, plan.Replicas.Count);
        Assert.Empty(plan.Replicas[0].Stages[0].ExpertGroups);
        var groups = plan.Replicas[0].Stages[1].ExpertGroups;
        Assert.Equal([("c", 5 * MB), ("b", 3 * MB)], groups.Select(group => (group.Machine, group.WeightBytes)));
        Assert.Equal(2 * MB, plan.Replicas[0].Stages[1].WeightBytes);
        var error = Assert.Throws<PlacementException>(() => Plan(shape, PlacementWish.Parse("0-1@a,2@b;experts[2]:0-7@c"), machines));
        Assert.Equal(("c", MB), (error.Machine, error.MissingBytes));
    }

    [Fact]
    public void A_split_by_the_planner_is_no_slower_than_equal_shares_and_keeps_its_promises() => (
        from layers in Gen.Int[1, 9].Array[2, 12]
        from experts in Gen.Bool
        from head in Gen.Int[0, 20]
        from machines in Gen.Select(Gen.Int[1, 9], Gen.Int[4, 60], Gen.Int[0, 3]).Array[1, 6]
        from wish in Gen.Int[0, 4].Select(at => new[] { "auto", "stages=2", "stages=3", "experts=2", "replicas=2" }[at])
        select (layers, experts, head, machines, wish)).Sample(test =>
    {
        var shape = Shapes.Model([.. test.layers.Select(size => test.experts ? Shapes.ExpertLayer(size * MB, 4, 2, size * MB / 2) : Shapes.Layer(size * MB, size * MB))]) with { HeadBytes = test.head * MB, EmbeddingBytes = 3 * MB };
        MachineSpec[] machines = [.. test.machines.Select((machine, at) => Shapes.Machine($"m{at}", machine.Item1, machine.Item2 * MB, 4e9, $"h{machine.Item3}"))];
        var wish = PlacementWish.Parse(test.wish);
        PlacementPlan plan;
        try
        {
            plan = Plan(shape, wish, machines);
        }
        catch (PlacementException error)
        {
            Assert.True(error.Fault == PlacementFault.BadWish ? wish.Stages > shape.Layers.Count || !test.experts : error.MissingBytes > 0 && error.Machine is not null, error.Message);
            return;
        }

        AssertSound(shape, machines, plan);
        Assert.Equal(wish.Replicas ?? 1, plan.Replicas.Count);
        if (wish.Stages is { } wanted)
            Assert.Equal(wanted, plan.Replicas[0].Stages.Count);
        var stages = plan.Replicas[0].Stages;
        if (wish.Replicas is not null || stages.Any(stage => stage.ExpertGroups.Count > 0) || stages.Count == 1)
            return;
        var costs = new CostModel(shape, Shapes.Fleet(machines), Shapes.Terms);
        var used = stages.Select(stage => machines.Single(machine => machine.Name == stage.Machine)).ToArray();
        var equal = LayerRange.Split(shape.Layers.Count, stages.Count);
        if (used.Distinct().Count() < used.Length || equal.Zip(used).Any(part => shape.WeightBytes(part.First) > part.Second.FreeMemoryBytes))
            return;
        double Slowest(IEnumerable<LayerRange> ranges) => ranges.Zip(used).Max(part => costs.StageSeconds(part.First, part.Second, true, StepLoad.Decode(1, 1)));
        Assert.True(Slowest(stages.Select(stage => stage.Range)) <= Slowest(equal) * (1 + 1e-9));
    });

    [Fact]
    public void Streams_share_out_over_replicas()
    {
        // 8 ms a step whatever its size on a fast machine, 16 ms on a slow one.
        var plan = Plan(Shapes.Model(8), PlacementWish.Parse("replicas=2"), Shapes.Machine("a"), Shapes.Machine("b", 0.5));
        Assert.Equal(125, plan.Prediction.DecodeTokensPerSecondAt(1), 1e-9);
        Assert.Equal((2 / 8e-3) + (1 / 16e-3), plan.Prediction.DecodeTokensPerSecondAt(3), 1e-9);

        // Two replicas on one host get no more out of it than one.
        var shared = Plan(Shapes.Model(8), PlacementWish.Parse("replicas=2"), Shapes.Machine("a", host: "x"), Shapes.Machine("b", host: "x"));
        Assert.Equal(125, shared.Prediction.DecodeTokensPerSecondAt(1), 1e-9);
        Assert.Equal(125, shared.Prediction.DecodeTokensPerSecondAt(2), 1e-9);
        Assert.Contains(shared.Reasons, reason => reason.Contains("adds no speed", StringComparison.Ordinal));
    }

    [Fact]
    public void A_fleet_is_filled_with_as_many_replicas_as_fit()
    {
        // 12 MB on machines of 9 MB: two each, and the large ones hold one alone.
        MachineSpec[] machines = [.. Enumerable.Range(0, 1501).Select(at => Shapes.Machine($"s{at}", 1, 9 * MB)), .. Enumerable.Range(0, 499).Select(at => Shapes.Machine($"l{at}", 2, 20 * MB))];
        var shape = Shapes.Model(12);
        var start = System.Diagnostics.Stopwatch.StartNew();
        var plan = Planner.Fill(shape, Shapes.Fleet(machines), PlacementWish.Auto, Shapes.Terms);
        Assert.True(start.Elapsed < Moment, $"Planning took {start.Elapsed}.");
        Assert.Equal(499 + 750, plan.Replicas.Count);
        AssertSound(shape, machines, plan);
        Assert.Equal((499 / 6e-3) + (750 / 12e-3), plan.Prediction.DecodeTokensPerSecondAt(plan.Replicas.Count), 1e-3);
    }

    [Fact]
    public void Thousands_of_different_machines_are_planned_in_a_moment()
    {
        var random = new Random(1);
        MachineSpec[] machines = [.. Enumerable.Range(0, 2000).Select(at => Shapes.Machine($"m{at}", 1 + random.NextDouble(), (long)((6 + (6 * random.NextDouble())) * MB)))];
        var shape = Shapes.Model([.. Enumerable.Repeat(Shapes.Layer(MB / 4, MB / 4), 80)]);
        var start = System.Diagnostics.Stopwatch.StartNew();
        var plan = Planner.Fill(shape, Shapes.Fleet(machines), PlacementWish.Auto, Shapes.Terms);
        Assert.True(start.Elapsed < Moment, $"Planning took {start.Elapsed}.");
        AssertSound(shape, machines, plan);
        Assert.True(plan.Replicas.Count >= 600, $"{plan.Replicas.Count} replicas");
    }

    [Fact]
    public void Keys_values_states_and_activations_take_memory()
    {
        var layer = Shapes.Layer() with { KvBytesPerPosition = 100, StateBytes = 1000 };
        var shape = Shapes.Model(layer, layer, layer, layer) with { ScratchBytesPerToken = 10, VocabSize = 50 };
        var terms = Shapes.Terms with { ContextTokens = 200, Streams = 3, MaxStepTokens = 16 };
        var stages = Plan(shape, PlacementWish.Parse("0@a,1-3@a"), terms, Shapes.Machine("a")).Replicas[0].Stages;
        Assert.Equal([(60_000L, 6_000L, 160L), (180_000L, 18_000L, 160L + (3 * 50 * 4))], stages.Select(stage => (stage.KvBytes, stage.StateBytes, stage.ScratchBytes)));
        var given = Plan(shape, PlacementWish.Parse("0@a,1-3@a"), terms with { KvBytes = 1001, StateSlots = 1 }, Shapes.Machine("a")).Replicas[0].Stages;
        Assert.Equal([(251L, 1000L), (751L, 3000L)], given.Select(stage => (stage.KvBytes, stage.StateBytes)));
        var whole = Plan(shape, PlacementWish.Auto, terms with { ContextTokens = 5000 }, Shapes.Machine("a")).Replicas[0].Stages[0];
        Assert.Equal(shape.ContextLength * 3 * 400, whole.KvBytes);
        Assert.Equal(stages.Sum(stage => stage.MemoryBytes), Plan(shape, PlacementWish.Parse("0@a,1-3@a"), terms, Shapes.Machine("a")).Prediction.MemoryBytes["a"]);
    }

    [Fact]
    public void The_bottleneck_is_named()
    {
        Assert.StartsWith("Reading 7.63 MiB of weights on 'a' takes 8.00 ms of the 8.00 ms", Plan(Shapes.Model(8), PlacementWish.Auto, Shapes.Machine("a")).Prediction.Bottleneck, StringComparison.Ordinal);
        Assert.StartsWith("Multiplying with the weights", Plan(Shapes.Model(8), PlacementWish.Auto, Shapes.Machine("a", 1, multiplyAdds: 1e8)).Prediction.Bottleneck, StringComparison.Ordinal);
        var far = new Fleet([Shapes.Machine("a"), Shapes.Machine("b")]) { DefaultLink = new LinkSpeed(1, 1e9) };
        Assert.StartsWith("Messages between stages take 2.00 s", Planner.Plan(Shapes.Model(8), far, PlacementWish.Parse("stages=2"), Shapes.Terms).Prediction.Bottleneck, StringComparison.Ordinal);
        var uneven = Plan(Shapes.Model(8), PlacementWish.Parse("0@a,1-7@b"), Shapes.Terms with { Streams = 4 }, Shapes.Machine("a", 1e9, multiplyAdds: 1e9), Shapes.Machine("b", 1e9, multiplyAdds: 1e9));
        Assert.Equal("Host 'b' computes all of the 28.0 ms in which each of 4 sequences gets a token, 7.00 times as long as the next.", uneven.Prediction.Bottleneck);
    }

    private static PlacementPlan Plan(ModelShape shape, PlacementWish wish, params MachineSpec[] machines) => Plan(shape, wish, Shapes.Terms, machines);

    private static PlacementPlan Plan(ModelShape shape, PlacementWish wish, PlanningTerms terms, params MachineSpec[] machines) =>
        Planner.Plan(shape, Shapes.Fleet(machines), wish, terms);

    private static IEnumerable<string> Hosts(PlacementPlan plan, MachineSpec[] machines) =>
        plan.Replicas[0].Stages.Select(stage => machines.Single(machine => machine.Name == stage.Machine).HostId);

    /// <summary>Every layer and expert once in each replica, and no machine beyond its memory.</summary>
    private static void AssertSound(ModelShape shape, MachineSpec[] machines, PlacementPlan plan)
    {
        var again = Plan(shape, PlacementWish.Parse(plan.ToMap().ToString()), machines);
        Assert.Equal(plan.ToMap().ToString(), again.ToMap().ToString());
        Assert.Equal(plan.Prediction.MemoryBytes.OrderBy(machine => machine.Key), again.Prediction.MemoryBytes.OrderBy(machine => machine.Key));
        Assert.Equal(plan.Prediction.SecondsPerToken, again.Prediction.SecondsPerToken, 1e-12);
        foreach (var replica in plan.Replicas)
        {
            Assert.Equal(Enumerable.Range(0, shape.Layers.Count), replica.Stages.SelectMany(stage => Enumerable.Range(stage.Range.First, stage.Range.Count)));
            Assert.Equal(replica.Stages[^1].Machine, replica.Coordinator);
            foreach (var stage in replica.Stages.Where(stage => stage.ExpertGroups.Count > 0))
            {
                for (var layer = stage.Range.First; layer < stage.Range.End; layer++)
                    Assert.Equal(Enumerable.Range(0, shape.Layers[layer].ExpertCount), stage.ExpertGroups.SelectMany(group => group.Experts[layer - stage.Range.First]).Order());
                Assert.Equal(shape.ExpertsBytes(stage.Range), stage.ExpertGroups.Sum(group => group.WeightBytes));
            }

            Assert.True(replica.Stages.Sum(stage => stage.WeightBytes + stage.ExpertGroups.Sum(group => group.WeightBytes)) >= shape.WeightBytes(shape.AllLayers));
        }

        var free = machines.ToDictionary(machine => machine.Name, machine => machine.FreeMemoryBytes);
        Assert.All(plan.Prediction.MemoryBytes, machine => Assert.True(machine.Value <= free[machine.Key], $"{machine.Key}: {machine.Value} of {free[machine.Key]}"));
        Assert.Equal(
            plan.Prediction.MemoryBytes.Values.Sum(),
            plan.Replicas.SelectMany(replica => replica.Stages).Sum(stage => stage.MemoryBytes + stage.ExpertGroups.Sum(group => group.WeightBytes)));
        Assert.True(plan.Prediction.SecondsPerToken > 0 && double.IsFinite(plan.Prediction.SecondsPerToken));
        Assert.True(plan.Prediction.PrefillTokensPerSecond > 0);
        Assert.NotEmpty(plan.Reasons);
    }
}
