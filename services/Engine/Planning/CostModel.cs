using System.Collections.Concurrent;
using Slm.Engine.Execution;
using Slm.Engine.Wire;

namespace Slm.Engine.Planning;

/// <summary>
/// What steps cost on machines and links, in seconds.
/// </summary>
/// <remarks>
/// <para>A stage: see <see cref="Work.Seconds"/> and <see cref="StepWork"/>, what handing it a step takes, and what a layer takes beyond these.</para>
/// <para>The coordinator, which has the last stage: what it needs between two steps.</para>
/// <para>
/// A boundary between machines: tokens · row bytes / link bandwidth + latency + software of one message, where a row of the
/// residual stream has hidden · 2 bytes as F16, · 4 as F32, · 34/32 as Q8. Behind the last stage the next tokens go to the
/// first one in a message of their own.
/// </para>
/// <para>
/// Experts in groups: for each of the layers the slowest group's round trip. A group gets the rows of the tokens that visit
/// it, returns a row for every visit, and reads each of its experts that is visited once; groups on one host share it.
/// </para>
/// <para>
/// Sequences decoding in m micro-batches: a step of all of them takes the longest of one micro-batch's way through all stages,
/// what any host computes for all micro-batches, and what any link carries of them.
/// </para>
/// </remarks>
internal sealed class CostModel(ModelShape shape, Fleet fleet, PlanningTerms terms)
{
    /// <summary>Bytes that tell a stage about a token: id, position, sequence and block.</summary>
    private const int TokenBytes = 16;

    private readonly ConcurrentDictionary<StepLoad, StepWork> _work = new();

    public ModelShape Shape => shape;

    public Fleet Fleet => fleet;

    public PlanningTerms Terms => terms;

    public ExpertOdds Odds { get; } = new(shape, terms.ExpertVisits);

    /// <summary>The work of a step, by ranges of layers.</summary>
    public StepWork WorkOf(StepLoad load) => _work.GetOrAdd(load, static (key, model) => new StepWork(model.Shape, key, model.Odds), this);

    /// <summary>Seconds that a stage computes, without what travels.</summary>
    public double StageSeconds(LayerRange range, MachineSpec machine, bool experts, StepLoad load) => Compute(WorkOf(load), range, experts, machine);

    /// <summary>One step through a pipeline.</summary>
    public StepCost Cost(IReadOnlyList<StagePlan> stages, StepLoad load)
    {
        var work = WorkOf(load);
        var compute = new double[stages.Count];
        var experts = new double[stages.Count];
        var messages = new double[stages.Count];
        var links = new double[stages.Count];
        var busy = new Dictionary<string, double>(StringComparer.Ordinal);
        var wire = 0.0;
        var rowBytes = (double)terms.WireFormat.RowBytes(shape.HiddenSize);
        for (var s = 0; s < stages.Count; s++)
        {
            var stage = stages[s];
            var machine = fleet.Machine(stage.Machine);
            compute[s] = Compute(work, stage.Range, stage.ExpertGroups.Count == 0, machine);
            Add(busy, fleet.ProcessorsOf(machine), compute[s]);
            if (stage.ExpertGroups.Count > 0)
                experts[s] = ExpertSeconds(stage, load, rowBytes, busy, ref wire);
            var last = s == stages.Count - 1;
            var next = stages[last ? 0 : s + 1].Machine;
            if (next == stage.Machine)
                continue;
            var bytes = load.Tokens * (last ? TokenBytes : rowBytes);
            messages[s] = fleet.MessageSeconds(stage.Machine, next, bytes);
            links[s] = bytes / fleet.Link(stage.Machine, next).BytesPerSecond;
            wire += last ? 0 : bytes;
        }

        var turn = load.Prefills ? 0 : fleet.Machine(stages[^1].Machine).TurnSeconds;
        return new StepCost { StageSeconds = compute, ExpertSeconds = experts, MessageSeconds = messages, LinkSeconds = links, Busy = busy, WireBytes = wire, TurnSeconds = turn };
    }

    /// <summary>Seconds in which each of <paramref name="streams"/> sequences of a pipeline gets a token.</summary>
    public double DecodeSeconds(IReadOnlyList<StagePlan> stages, int streams, int microBatches) =>
        Decode(stages, streams, microBatches).Seconds;

    /// <summary>The same with what takes the time: the host or boundary that is busy all along; neither if it is the way of one micro-batch.</summary>
    public (double Seconds, string? Host, int? Boundary, IReadOnlyDictionary<string, double> Busy) Decode(IReadOnlyList<StagePlan> stages, int streams, int microBatches)
    {
        var parts = Math.Min(microBatches, streams);
        var (size, larger) = (streams / parts, streams % parts);
        var small = Cost(stages, StepLoad.Decode(size, terms.ContextTokens));
        var large = larger == 0 ? small : Cost(stages, StepLoad.Decode(size + 1, terms.ContextTokens));
        double Both(double ofLarge, double ofSmall) => (larger * ofLarge) + ((parts - larger) * ofSmall);
        var busy = small.Busy.ToDictionary(host => host.Key, host => Both(large.Busy[host.Key], host.Value), StringComparer.Ordinal);
        var (seconds, host, boundary) = (large.Seconds, (string?)null, (int?)null);
        if (parts == 1)
            return (seconds, host, boundary, busy);
        foreach (var (name, time) in busy)
        {
            if (time > seconds)
                (seconds, host, boundary) = (time, name, null);
        }

        for (var s = 0; s < stages.Count; s++)
        {
            var time = Both(large.LinkSeconds[s], small.LinkSeconds[s]);
            if (time > seconds)
                (seconds, host, boundary) = (time, null, s);
        }

        return (seconds, host, boundary, busy);
    }

    /// <summary>
    /// Seconds from one prompt of <see cref="PlanningTerms.ContextTokens"/> tokens to the next while prompts keep coming, in chunks of
    /// <see cref="PlanningTerms.MaxStepTokens"/> of which as many as there are micro-batches are under way: a chunk waits for the
    /// stage before, and for its host.
    /// </summary>
    public (double Seconds, IReadOnlyDictionary<string, double> Busy) Prefill(IReadOnlyList<StagePlan> stages, int microBatches)
    {
        var chunks = new List<StepCost>();
        for (var before = 0; before < terms.ContextTokens; before += terms.MaxStepTokens)
            chunks.Add(Cost(stages, StepLoad.Prefill(Math.Min(terms.MaxStepTokens, terms.ContextTokens - before), before)));

        // The first prompts fill the stages; then all take the same time.
        var prompts = 4 * microBatches;
        var hosts = stages.Select(stage => fleet.ProcessorsOf(fleet.Machine(stage.Machine))).ToArray();
        var free = new Dictionary<string, double>(StringComparer.Ordinal);
        var done = new double[2 * prompts * chunks.Count];
        for (var chunk = 0; chunk < done.Length; chunk++)
        {
            var cost = chunks[chunk % chunks.Count];
            var at = (chunk < microBatches ? 0 : done[chunk - microBatches]) + cost.MessageSeconds[^1];
            for (var s = 0; s < stages.Count; s++)
            {
                at = Math.Max(at, free.GetValueOrDefault(hosts[s])) + cost.StageSeconds[s] + cost.ExpertSeconds[s];
                free[hosts[s]] = at;
                at += s == stages.Count - 1 ? 0 : cost.MessageSeconds[s];
            }

            done[chunk] = at;
        }

        var busy = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var (host, seconds) in chunks.SelectMany(chunk => chunk.Busy))
            Add(busy, host, seconds);
        return ((done[^1] - done[(prompts * chunks.Count) - 1]) / prompts, busy);
    }

    /// <summary>
    /// Micro-batches that give the most tokens per second, the fewest among equals. Stages of one host compete for it, and
    /// every micro-batch reads all weights again: one.
    /// </summary>
    public int BestMicroBatches(IReadOnlyList<StagePlan> stages)
    {
        if (stages.Count == 1 || stages.Select(stage => fleet.ProcessorsOf(fleet.Machine(stage.Machine))).Distinct(StringComparer.Ordinal).Count() == 1)
            return 1;

        // With one stream they are prompts' chunks.
        const double Better = 1 - 1e-9;
        var streams = Math.Max(terms.Streams, stages.Count);
        var (best, least) = (1, double.PositiveInfinity);
        for (var count = 1; count <= Math.Min(streams, 2 * stages.Count); count++)
        {
            var seconds = DecodeSeconds(stages, streams, count);
            if (seconds < least * Better)
                (best, least) = (count, seconds);
        }

        return best;
    }

    private static double Compute(StepWork work, LayerRange range, bool experts, MachineSpec machine) =>
        work.Of(range, experts).Seconds(machine) + machine.StepSeconds + (range.Count * machine.LayerSeconds);

    private double ExpertSeconds(StagePlan stage, StepLoad load, double rowBytes, Dictionary<string, double> busy, ref double wire)
    {
        var all = 0.0;
        var hosts = new Dictionary<string, double>(StringComparer.Ordinal);
        for (var layer = stage.Range.First; layer < stage.Range.End; layer++)
        {
            var of = shape.Layers[layer];
            if (of.ExpertCount == 0 || (of.Encodes && !load.Prefills))
                continue;
            hosts.Clear();
            foreach (var group in stage.ExpertGroups)
            {
                var experts = group.Experts[layer - stage.Range.First];
                var machine = fleet.Machine(group.Machine);
                var work = new Work(Odds.Distinct(layer, experts, load.Tokens) * of.ExpertBytes, 0, 0, 0, 0) + StepWork.Products(shape, load.Tokens * Odds.Visits(layer, experts) * of.ExpertMultiplyAdds);
                Add(hosts, fleet.ProcessorsOf(machine), work.Seconds(machine));
            }

            var slowest = 0.0;
            foreach (var group in stage.ExpertGroups)
            {
                var experts = group.Experts[layer - stage.Range.First];
                if (experts.Count == 0)
                    continue;
                var seconds = hosts[fleet.ProcessorsOf(fleet.Machine(group.Machine))];
                if (group.Machine != stage.Machine)
                {
                    var sent = load.Tokens * Odds.Meets(layer, experts) * rowBytes;
                    var returned = load.Tokens * Odds.Visits(layer, experts) * rowBytes;
                    seconds += fleet.BusyMessageSeconds(stage.Machine, group.Machine, sent) + fleet.BusyMessageSeconds(group.Machine, stage.Machine, returned);
                    wire += sent + returned;
                }

                slowest = Math.Max(slowest, seconds);
            }

            foreach (var (host, seconds) in hosts)
                Add(busy, host, seconds);
            all += slowest;
        }

        return all;
    }

    private static void Add(Dictionary<string, double> sums, string key, double value) => sums[key] = sums.GetValueOrDefault(key) + value;
}
