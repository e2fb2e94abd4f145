using Slm.Engine.Execution;
using Slm.Engine.Planning;
using Slm.Engine.Wire;

namespace Slm.Engine.Tests.Planning;

/// <summary>The formulas against numbers worked out by hand and against sums written out.</summary>
public sealed class CostModelTests
{
    private const double Precision = 1e-12;

    [Fact]
    public void A_stage_reads_once_and_multiplies_for_every_token()
    {
        // 4 layers of 1 MB and 1 M multiply-adds: 4 ms to read at 1 GB/s, 1 ms a token to multiply at 4 G/s; half of the shorter is hidden.
        var machine = Shapes.Machine("a", gigabytes: 1, multiplyAdds: 4e9);
        var costs = new CostModel(Shapes.Model(4), Shapes.Fleet(machine), Shapes.Terms);
        Assert.Equal(4.5e-3, costs.StageSeconds(new LayerRange(0, 4), machine, true, StepLoad.Decode(1, 1)), Precision);
        Assert.Equal(8e-3 + 2e-3, costs.StageSeconds(new LayerRange(0, 4), machine, true, StepLoad.Decode(8, 1)), Precision);
        Assert.Equal(2.25e-3, costs.StageSeconds(new LayerRange(1, 3), machine, true, StepLoad.Decode(1, 1)), Precision);

        // Handing a stage its step comes on top, whatever the step.
        Assert.Equal(4.75e-3, costs.StageSeconds(new LayerRange(0, 4), machine with { StepSeconds = 0.25e-3 }, true, StepLoad.Decode(1, 1)), Precision);

        // So does what each layer takes beyond reading and multiplying.
        Assert.Equal(4.5e-3 + (4 * 0.5e-3), costs.StageSeconds(new LayerRange(0, 4), machine with { LayerSeconds = 0.5e-3 }, true, StepLoad.Decode(1, 1)), Precision);
        Assert.Equal(2.25e-3 + (2 * 0.5e-3), costs.StageSeconds(new LayerRange(1, 3), machine with { LayerSeconds = 0.5e-3 }, true, StepLoad.Decode(1, 1)), Precision);

        // Floats at a speed of their own, an eighth by default.
        var floats = new CostModel(Shapes.Model(4) with { HasFloatWeights = true }, Shapes.Fleet(machine), Shapes.Terms);
        Assert.Equal(8e-3 + 2e-3, floats.StageSeconds(new LayerRange(0, 4), machine, true, StepLoad.Decode(1, 1)), Precision);
        Assert.Equal(4e-3 + 2e-3, floats.StageSeconds(new LayerRange(0, 4), machine with { FloatMultiplyAddsPerSecond = 1e9 }, true, StepLoad.Decode(1, 1)), Precision);
    }

    [Fact]
    public void Embedding_and_head_count_where_they_are()
    {
        var machine = Shapes.Machine("a", gigabytes: 1, multiplyAdds: 1e9);
        var shape = Shapes.Model(3) with { EmbeddingBytes = 5_000_000, EmbeddingRowBytes = 1000, HeadBytes = 2_000_000, HeadMultiplyAdds = 3_000_000 };
        var costs = new CostModel(shape, Shapes.Fleet(machine), Shapes.Terms);

        // A row of the embedding for each token; the whole head.
        Assert.Equal(1.5e-3 + 1e-6, costs.StageSeconds(new LayerRange(0, 1), machine, true, StepLoad.Decode(1, 1)), Precision);
        Assert.Equal(1.5e-3, costs.StageSeconds(new LayerRange(1, 2), machine, true, StepLoad.Decode(1, 1)), Precision);
        Assert.Equal(4e-3 + 1.5e-3, costs.StageSeconds(new LayerRange(2, 3), machine, true, StepLoad.Decode(1, 1)), Precision);

        // A prompt's chunk wants one row of logits: 10 tokens of 1 M and one of 3 M.
        Assert.Equal(13e-3 + 1.5e-3, costs.StageSeconds(new LayerRange(2, 3), machine, true, StepLoad.Prefill(10, 0)), Precision);
    }

    [Fact]
    public void Attention_reads_what_is_seen_of_every_sequence()
    {
        var machine = Shapes.Machine("a", gigabytes: 1, multiplyAdds: 1e9) with { FloatMultiplyAddsPerSecond = 1e9 };
        var all = Shapes.Layer() with { KvBytesPerPosition = 1000, AttentionMultiplyAdds = 500, StateBytes = 2000 };
        var costs = new CostModel(Shapes.Model(all, all with { Window = 100 }), Shapes.Fleet(machine), Shapes.Terms);

        // 3 sequences at 300 positions: 3 · (300 · 1000 + 2 · 2000) bytes; with the window 3 · (100 · 1000 + 2 · 2000).
        Assert.Equal(3e-3 + 0.5e-3 + 0.912e-3, costs.StageSeconds(new LayerRange(0, 1), machine, true, StepLoad.Decode(3, 300)), Precision);
        Assert.Equal(3e-3 + 0.5e-3 + 0.312e-3, costs.StageSeconds(new LayerRange(1, 2), machine, true, StepLoad.Decode(3, 300)), Precision);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Experts_that_tokens_visit_are_counted_as_chance_has_them(int tokens)
    {
        // All choices of 2 of 5 experts by each token, counted one by one.
        var shape = Shapes.Model(Shapes.ExpertLayer(0, experts: 5, used: 2, expertBytes: 1));
        var odds = new ExpertOdds(shape, null);
        var pairs = Enumerable.Range(0, 5).SelectMany(a => Enumerable.Range(a + 1, 4 - a).Select(b => (1 << a) | (1 << b))).ToArray();
        var reached = new double[32];
        reached[0] = 1;
        for (var t = 0; t < tokens; t++)
        {
            var next = new double[32];
            for (var set = 0; set < 32; set++)
            {
                foreach (var pair in pairs)
                    next[set | pair] += reached[set] / pairs.Length;
            }

            reached = next;
        }

        var distinct = Enumerable.Range(0, 32).Sum(set => reached[set] * int.PopCount(set));
        Assert.Equal(distinct, odds.Distinct(0, tokens), 1e-9);
        Assert.Equal(Enumerable.Range(0, 32).Sum(set => reached[set] * int.PopCount(set & 0b10011)), odds.Distinct(0, [0, 1, 4], tokens), 1e-9);
        Assert.Equal(pairs.Count(pair => (pair & 0b10011) != 0) / (double)pairs.Length, odds.Meets(0, [0, 1, 4]), 1e-9);
        Assert.Equal(pairs.Sum(pair => int.PopCount(pair & 0b10011)) / (double)pairs.Length, odds.Visits(0, [0, 1, 4]), 1e-9);
    }

    [Fact]
    public void Counted_visits_are_their_probabilities()
    {
        var shape = Shapes.Model(Shapes.ExpertLayer(0, experts: 4, used: 2, expertBytes: 1));
        var odds = new ExpertOdds(shape, [[10, 5, 3, 2]]);
        Assert.Equal(2, odds.Distinct(0, 1), Precision);
        Assert.Equal(1.0 + 0.75 + (1 - (0.7 * 0.7)) + (1 - (0.8 * 0.8)), odds.Distinct(0, 2), Precision);
        Assert.Equal(0.5 + 0.2, odds.Visits(0, [1, 3]), Precision);
        Assert.Equal(1 - (0.5 * 0.8), odds.Meets(0, [1, 3]), Precision);
    }

    [Theory]
    [InlineData(WireFormat.F16, 2000)]
    [InlineData(WireFormat.F32, 4000)]
    [InlineData(WireFormat.Q8, 1128)]
    public void A_boundary_costs_its_bytes_latency_and_hop(WireFormat format, double rowBytes)
    {
        var (a, b) = (Shapes.Machine("a"), Shapes.Machine("b"));
        var fleet = new Fleet([a, b], [new LinkSpec("a", "b", 1e-3, 1e6)]) { HopSeconds = 1e-4 };
        var terms = Shapes.Terms with { WireFormat = format };
        var costs = new CostModel(Shapes.Model(4), fleet, terms);
        var stages = Stages(costs, terms, (0, 1, "a"), (1, 4, "b"));
        var cost = costs.Cost(stages, StepLoad.Decode(3, 1));
        Assert.Equal([1e-3, 3e-3], cost.StageSeconds, Close);
        Assert.Equal((3 * rowBytes / 1e6) + 1e-3 + 1e-4, cost.MessageSeconds[0], Precision);

        // The next tokens go back, a few bytes each.
        Assert.Equal((3 * 16 / 1e6) + 1e-3 + 1e-4, cost.MessageSeconds[1], Precision);
        Assert.Equal(3 * rowBytes, cost.WireBytes, Precision);
        Assert.Equal(cost.StageSeconds.Sum() + cost.MessageSeconds.Sum(), cost.Seconds, Precision);
    }

    [Fact]
    public void The_coordinator_needs_its_time_between_two_steps_and_none_between_chunks_of_a_prompt()
    {
        var (a, b) = (Shapes.Machine("a") with { TurnSeconds = 7e-3 }, Shapes.Machine("b") with { TurnSeconds = 0.5e-3 });
        var fleet = new Fleet([a, b], [new LinkSpec("a", "b", 0, 1e12)]) { HopSeconds = 0 };
        var costs = new CostModel(Shapes.Model(4), fleet, Shapes.Terms);
        var stages = Stages(costs, Shapes.Terms, (0, 1, "a"), (1, 4, "b"));
        Assert.Equal(4.5e-3, costs.Cost(stages, StepLoad.Decode(1, 1)).Seconds, 1e-8);
        Assert.Equal(0, costs.Cost(stages, StepLoad.Prefill(4, 0)).TurnSeconds);
    }

    [Fact]
    public void What_a_step_took_is_compared_with_what_the_machine_was_measured_to_need()
    {
        var shape = Shapes.Model(4) with { HeadBytes = 2_000_000 };
        var costs = new CostModel(shape, Shapes.Fleet(Shapes.Machine("a")), Shapes.Terms);
        var machine = costs.Fleet.Machine("a");
        var speed = new MachineSpeed(machine.ReadBytesPerSecond, machine.MultiplyAddsPerSecond, machine.FloatSpeed);
        Assert.Equal(costs.StageSeconds(new LayerRange(2, 4), machine, true, StepLoad.Decode(1, 300)), StepPrediction.Seconds(shape, new LayerRange(2, 4), speed, 300), Precision);

        // What was learned of one is said of those alike.
        Assert.Equal(shape.Kind, (shape with { Name = "another", ContextLength = 9 }).Kind);
        Assert.NotEqual(shape.Kind, Shapes.Model(5).Kind);
        Assert.NotEqual(shape.Kind, Shapes.Model(4).Kind);
    }

    [Fact]
    public void Stages_on_one_machine_send_nothing()
    {
        var fleet = new Fleet([Shapes.Machine("a")]) { HopSeconds = 1 };
        var costs = new CostModel(Shapes.Model(4), fleet, Shapes.Terms);
        var cost = costs.Cost(Stages(costs, Shapes.Terms, (0, 2, "a"), (2, 4, "a")), StepLoad.Decode(1, 1));
        Assert.Equal(4e-3, cost.Seconds, Precision);
        Assert.Equal(0, cost.WireBytes);
    }

    [Fact]
    public void Groups_of_experts_cost_a_round_trip_for_each_layer()
    {
        // 4 experts of 1 MB of which a token visits 2; groups of 2 on 'a' itself and on 'b', which reads twice as fast.
        var (a, b) = (Shapes.Machine("a"), Shapes.Machine("b", gigabytes: 2));
        var fleet = new Fleet([a, b], [new LinkSpec("a", "b", 1e-3, 1e6)]) { HopSeconds = 1e-4 };
        var shape = Shapes.Model(Shapes.Layer(), Shapes.ExpertLayer(1_000_000, 4, 2, 1_000_000));
        var costs = new CostModel(shape, fleet, Shapes.Terms);
        var needs = new MemoryNeeds(shape, Shapes.Terms);
        ExpertGroupPlan Group(int index, string machine, params int[] experts) => new() { Group = index, Machine = machine, WeightBytes = 0, Experts = [[], experts] };
        var stage = needs.Stage(shape.AllLayers, "a", [Group(0, "a", 0, 2), Group(1, "b", 1, 3)]);
        var cost = costs.Cost([stage], StepLoad.Decode(1, 1));
        Assert.Equal(2e-3, cost.StageSeconds[0], Precision);

        // A token meets a pair of 4 with 1 - C(2,2)/C(4,2) = 5/6 and visits one of it in expectation.
        const double Row = 2000;
        var sent = Row * 5 / 6;
        var remote = 0.5e-3 + ((sent + Row) / 1e6) + (2 * (1e-3 + 1e-4));
        Assert.Equal(Math.Max(1e-3, remote), cost.ExpertSeconds[0], Precision);

        // Layers follow each other so closely that the latency is that of machines that are awake.
        var awake = new CostModel(shape, new Fleet([a, b], [new LinkSpec("a", "b", 1e-3, 1e6, 0.2e-3)]) { HopSeconds = 1e-4 }, Shapes.Terms);
        Assert.Equal(remote - (2 * 0.8e-3), awake.Cost([stage], StepLoad.Decode(1, 1)).ExpertSeconds[0], Precision);
        Assert.Equal(sent + Row, cost.WireBytes, Precision);
        Assert.Equal(3e-3, cost.Busy["a"], Precision);
        Assert.Equal(0.5e-3, cost.Busy["b"], Precision);
    }

    [Fact]
    public void Micro_batches_let_all_hosts_work()
    {
        // Two stages of 2 ms each on two hosts, nothing else: one micro-batch needs 4 ms a step, two are never in each other's way.
        var costs = new CostModel(Shapes.Model(4), Shapes.Fleet(Shapes.Machine("a"), Shapes.Machine("b")), Shapes.Terms with { Streams = 8 });
        var stages = Stages(costs, costs.Terms, (0, 2, "a"), (2, 4, "b"));
        Assert.Equal(4e-3, costs.DecodeSeconds(stages, 8, 1), Precision);
        Assert.Equal(4e-3, costs.DecodeSeconds(stages, 8, 2), Precision);
        Assert.Equal(6e-3, costs.DecodeSeconds(stages, 8, 3), Precision);
        Assert.Equal(4e-3, costs.DecodeSeconds(stages, 1, 3), Precision);
        Assert.Equal(1, costs.BestMicroBatches(stages));
    }

    [Fact]
    public void Micro_batches_pay_where_multiplying_takes_the_time()
    {
        // 1 ms of multiplying for each sequence in each of two stages: 8 sequences are 16 ms whole, 8 + 1 in eight parts.
        MachineSpec Slow(string name, string host) => Shapes.Machine(name, gigabytes: 1e15, multiplyAdds: 2e9, host: host);
        var terms = Shapes.Terms with { Streams = 8 };
        var costs = new CostModel(Shapes.Model(4), Shapes.Fleet(Slow("a", "x"), Slow("b", "y")), terms);
        var stages = Stages(costs, terms, (0, 2, "a"), (2, 4, "b"));
        Assert.Equal(16e-3, costs.DecodeSeconds(stages, 8, 1), Precision);
        Assert.Equal(8e-3, costs.DecodeSeconds(stages, 8, 2), Precision);
        Assert.Equal(2, costs.BestMicroBatches(stages));

        // On one host they take turns.
        var shared = new CostModel(Shapes.Model(4), Shapes.Fleet(Slow("a", "x"), Slow("b", "x")), terms);
        Assert.Equal(16e-3, shared.DecodeSeconds(Stages(shared, terms, (0, 2, "a"), (2, 4, "b")), 8, 2), Precision);
        Assert.Equal(1, shared.BestMicroBatches(Stages(shared, terms, (0, 2, "a"), (2, 4, "b"))));

        // Unless it has a processor for every thread.
        var threads = Slow("a", "x").Threads;
        var (few, enough) = ((2 * threads) - 1, 2 * threads);
        CostModel On(int processors) => new(Shapes.Model(4), Shapes.Fleet(Slow("a", "x") with { HostProcessors = processors }, Slow("b", "x") with { HostProcessors = processors }), terms);
        Assert.Equal(1, On(few).BestMicroBatches(Stages(On(few), terms, (0, 2, "a"), (2, 4, "b"))));
        Assert.Equal(2, On(enough).BestMicroBatches(Stages(On(enough), terms, (0, 2, "a"), (2, 4, "b"))));
        Assert.Equal(8e-3, On(enough).DecodeSeconds(Stages(On(enough), terms, (0, 2, "a"), (2, 4, "b")), 8, 2), Precision);
    }

    [Fact]
    public void Uneven_micro_batches_cost_what_each_costs()
    {
        var slow = Shapes.Machine("a", gigabytes: 1e15, multiplyAdds: 2e9);
        var terms = Shapes.Terms with { Streams = 5 };
        var costs = new CostModel(Shapes.Model(4), Shapes.Fleet(slow, slow with { Name = "b", HostId = "b" }), terms);

        // 5 sequences in micro-batches of 3 and 2: each host computes 5 ms, the larger one needs 6 ms for its way.
        Assert.Equal(6e-3, costs.DecodeSeconds(Stages(costs, terms, (0, 2, "a"), (2, 4, "b")), 5, 2), Precision);
    }

    [Fact]
    public void A_thin_link_limits_micro_batches()
    {
        // 2 kB a sequence over 1 MB/s are 2 ms of the link; latency is not.
        var fleet = new Fleet([Shapes.Machine("a"), Shapes.Machine("b")], [new LinkSpec("a", "b", 1e-3, 1e6)]) { HopSeconds = 0 };
        var terms = Shapes.Terms with { Streams = 8 };
        var costs = new CostModel(Shapes.Model(2), fleet, terms);
        var stages = Stages(costs, terms, (0, 1, "a"), (1, 2, "b"));
        var (seconds, host, boundary, _) = costs.Decode(stages, 8, 8);
        Assert.Equal(16e-3, seconds, Precision);
        Assert.Null(host);
        Assert.Equal(0, boundary);
    }

    [Fact]
    public void Chunks_of_a_prompt_follow_each_other_through_the_stages()
    {
        // 4 chunks of 10 tokens; 10 ms a chunk in the first stage, 20 ms in the second.
        MachineSpec Slow(string name) => Shapes.Machine(name, gigabytes: 1e15, multiplyAdds: 1e9);
        var terms = Shapes.Terms with { ContextTokens = 40, MaxStepTokens = 10 };
        var costs = new CostModel(Shapes.Model(3), Shapes.Fleet(Slow("a"), Slow("b")), terms);
        var stages = Stages(costs, terms, (0, 1, "a"), (1, 3, "b"));
        Assert.Equal(4 * 30e-3, costs.Prefill(stages, 1).Seconds, Precision);
        Assert.Equal(4 * 20e-3, costs.Prefill(stages, 2).Seconds, Precision);
        Assert.Equal([("a", 40e-3), ("b", 80e-3)], costs.Prefill(stages, 2).Busy.Select(host => (host.Key, Math.Round(host.Value, 12))));

        // On one host nothing overlaps.
        var shared = new CostModel(Shapes.Model(3), Shapes.Fleet(Slow("a") with { HostId = "x" }, Slow("b") with { HostId = "x" }), terms);
        Assert.Equal(4 * 30e-3, shared.Prefill(stages, 2).Seconds, Precision);
    }

    private static bool Close(double a, double b) => Math.Abs(a - b) < Precision;

    private static StagePlan[] Stages(CostModel costs, PlanningTerms terms, params (int First, int End, string Machine)[] stages)
    {
        var needs = new MemoryNeeds(costs.Shape, terms);
        return [.. stages.Select(stage => needs.Stage(new LayerRange(stage.First, stage.End), stage.Machine, []))];
    }
}
