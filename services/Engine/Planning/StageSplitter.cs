using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>A machine with the memory that stages may take of it.</summary>
/// <param name="Machine">The machine.</param>
/// <param name="FreeBytes">Bytes.</param>
internal readonly record struct Candidate(MachineSpec Machine, long FreeBytes);

/// <summary>A contiguous part of the model on a machine.</summary>
/// <param name="Range">Its layers.</param>
/// <param name="Machine">The machine.</param>
internal readonly record struct Share(LayerRange Range, MachineSpec Machine);

/// <summary>
/// Splits layers over machines so that the slowest stage is as fast as possible and none takes more memory than there is.
/// </summary>
/// <remarks>
/// For a limit T on seconds, a machine that begins at layer i can end anywhere up to a last layer that is found by bisection,
/// as time and memory only grow with a range. Which layers can be reached with which machines is a table over (machines used,
/// layers covered); the least T for which all layers are covered is found by bisection over T, each success lowering it to the
/// slowest stage of the split found, until none below it exists. Machines in a given order use one row of the table each;
/// in any order one for each number of machines used of each kind, so that equal machines cost no more than one.
/// </remarks>
internal sealed class StageSplitter(CostModel costs, MemoryNeeds needs, StepLoad load, bool experts)
{
    /// <summary>Rows up to which all orders of machines are tried.</summary>
    private const int MaxRows = 2048;

    /// <summary>Limits closer than this are the same.</summary>
    private const double Lower = 1 - 1e-10;

    private readonly int _layers = costs.Shape.Layers.Count;

    /// <summary>The best split into exactly <paramref name="stages"/>, each machine taken once; null if none fits.</summary>
    public IReadOnlyList<Share>? Split(IReadOnlyList<Candidate> candidates, int stages)
    {
        if (stages > candidates.Count || stages > _layers)
            return null;
        var kinds = Kinds(candidates);
        var rows = 1.0;
        foreach (var kind in kinds)
            rows *= Math.Min(kind.Count, stages) + 1;
        return rows <= MaxRows ? SplitAnyOrder(kinds, stages) : SplitSomeOrders(candidates, stages);
    }

    /// <summary>The best split over these machines in this order; null if none fits.</summary>
    /// <param name="machines">The machines.</param>
    /// <param name="limit">Seconds that no stage may take longer than.</param>
    public IReadOnlyList<Share>? SplitInOrder(IReadOnlyList<Candidate> machines, double limit = double.PositiveInfinity) =>
        Search(new Steps(machines.Count + 1, machines.Select((machine, at) => (at, at + 1, at)), machines.Count), machines, limit)
            ?.Select(part => new Share(part.Range, machines[part.Kind].Machine)).ToArray();

    /// <summary>Seconds of the slowest share.</summary>
    public double Slowest(IReadOnlyList<Share> shares) => shares.Max(Seconds);

    /// <summary>Seconds of a share.</summary>
    public double Seconds(Share share) => costs.StageSeconds(share.Range, share.Machine, experts, load);

    private Share[]? SplitAnyOrder(List<List<Candidate>> kinds, int stages)
    {
        // Rows are numbers in mixed radix: a digit for each kind, how many of it are used.
        var radix = kinds.Select(kind => Math.Min(kind.Count, stages) + 1).ToArray();
        var weight = new int[kinds.Count];
        var rows = 1;
        for (var kind = 0; kind < kinds.Count; kind++)
            (weight[kind], rows) = (rows, rows * radix[kind]);
        int Digit(int row, int kind) => row / weight[kind] % radix[kind];
        int Used(int row) => Enumerable.Range(0, kinds.Count).Sum(kind => Digit(row, kind));
        var moves =
            from row in Enumerable.Range(0, rows)
            where Used(row) < stages
            from kind in Enumerable.Range(0, kinds.Count)
            where Digit(row, kind) + 1 < radix[kind]
            select (row, row + weight[kind], kind);
        var found = Search(new Steps(rows, moves, [.. Enumerable.Range(0, rows).Where(row => Used(row) == stages)]), [.. kinds.Select(kind => kind[0])], double.PositiveInfinity);
        if (found is null)
            return null;

        // Of equal machines the first one takes the last stage, whose machine coordinates.
        var taken = new int[kinds.Count];
        var shares = new Share[stages];
        for (var s = stages - 1; s >= 0; s--)
            shares[s] = new Share(found[s].Range, kinds[found[s].Kind][taken[found[s].Kind]++].Machine);
        return shares;
    }

    /// <summary>Many different machines: the fastest, the largest, and mixtures of both, in a few orders.</summary>
    private IReadOnlyList<Share>? SplitSomeOrders(IReadOnlyList<Candidate> candidates, int stages)
    {
        var fast = candidates.OrderBy(candidate => WholeSeconds(candidate.Machine)).ToArray();
        var large = candidates.OrderByDescending(candidate => candidate.FreeBytes).ToArray();
        var (best, least) = ((IReadOnlyList<Share>?)null, double.PositiveInfinity);
        var step = Math.Max(1, stages / 8);
        for (var largest = 0; largest <= stages; largest += step)
        {
            var set = large.Take(largest).Concat(fast).DistinctBy(candidate => candidate.Machine.Name).Take(stages).OrderBy(candidate => WholeSeconds(candidate.Machine)).ToArray();
            foreach (var order in new[] { set, [.. set.Reverse()] })
            {
                if (SplitInOrder(order, least * Lower) is { } shares)
                    (best, least) = (shares, Slowest(shares));
            }
        }

        return best;
    }

    private double WholeSeconds(MachineSpec machine) => costs.StageSeconds(costs.Shape.AllLayers, machine, experts, load);

    /// <summary>Machines that no split can tell apart, each kind in the given order.</summary>
    private static List<List<Candidate>> Kinds(IReadOnlyList<Candidate> candidates) =>
        [.. candidates.GroupBy(candidate => (candidate.FreeBytes, candidate.Machine.ReadBytesPerSecond, candidate.Machine.MultiplyAddsPerSecond)).Select(kind => kind.ToList())];

    private List<Part>? Search(Steps steps, IReadOnlyList<Candidate> kinds, double most)
    {
        var fits = new int[kinds.Count][];
        for (var kind = 0; kind < kinds.Count; kind++)
        {
            fits[kind] = new int[_layers];
            for (var first = 0; first < _layers; first++)
                fits[kind][first] = Last(first, _layers, end => needs.StageBytes(new LayerRange(first, end), experts) <= kinds[kind].FreeBytes);
        }

        double Slowest(List<Part> parts) => parts.Max(part => costs.StageSeconds(part.Range, kinds[part.Kind].Machine, experts, load));
        var best = Cover(steps, kinds, fits, most);
        var (low, high) = (0.0, best is null ? 0 : Slowest(best));
        while (best is not null && high - low > high * (1 - Lower))
        {
            var half = (low + high) / 2;
            if (Cover(steps, kinds, fits, half) is not { } faster)
            {
                low = half;
                continue;
            }

            // Splits are few: often there is nothing between this one and the limits that were too low.
            (best, high) = (faster, Slowest(faster));
            if (Cover(steps, kinds, fits, high * Lower) is not { } next)
                break;
            (best, high) = (next, Slowest(next));
        }

        return best;
    }

    /// <summary>A split in which no stage takes longer than <paramref name="limit"/>.</summary>
    private List<Part>? Cover(Steps steps, IReadOnlyList<Candidate> kinds, int[][] fits, double limit)
    {
        var ends = new int[kinds.Count][];
        for (var kind = 0; kind < kinds.Count; kind++)
        {
            ends[kind] = new int[_layers];
            for (var first = 0; first < _layers; first++)
                ends[kind][first] = double.IsInfinity(limit) ? fits[kind][first] : Last(first, fits[kind][first], end => costs.StageSeconds(new LayerRange(first, end), kinds[kind].Machine, experts, load) <= limit);
        }

        var reached = new bool[steps.Rows, _layers + 1];
        reached[0, 0] = true;
        foreach (var (from, to, kind) in steps.Moves)
        {
            // Ends only grow, so that every layer is marked once.
            var marked = 0;
            for (var layer = 0; layer < _layers; layer++)
            {
                if (!reached[from, layer])
                    continue;
                for (var end = Math.Max(layer, marked) + 1; end <= ends[kind][layer]; end++)
                    reached[to, marked = end] = true;
            }
        }

        var goal = steps.Goals.FirstOrDefault(row => reached[row, _layers], -1);
        return goal < 0 ? null : Trace(steps, ends, reached, goal);
    }

    private List<Part> Trace(Steps steps, int[][] ends, bool[,] reached, int row)
    {
        var parts = new List<Part>();
        for (var end = _layers; end > 0;)
        {
            var (from, _, kind) = steps.Into[row].First(move => FirstLayer(move) >= 0);
            var first = FirstLayer((from, row, kind));
            parts.Add(new Part(new LayerRange(first, end), kind));
            (row, end) = (from, first);

            int FirstLayer((int From, int To, int Kind) move)
            {
                for (var layer = end - 1; layer >= 0; layer--)
                {
                    if (reached[move.From, layer] && ends[move.Kind][layer] >= end)
                        return layer;
                }

                return -1;
            }
        }

        parts.Reverse();
        return parts;
    }

    /// <summary>Largest end up to <paramref name="most"/> for which a condition holds that never comes back; <paramref name="first"/> if there is none.</summary>
    private static int Last(int first, int most, Func<int, bool> holds)
    {
        var (good, bad) = (first, most + 1);
        while (bad - good > 1)
        {
            var middle = (good + bad) / 2;
            if (holds(middle))
                good = middle;
            else
                bad = middle;
        }

        return good;
    }

    private readonly record struct Part(LayerRange Range, int Kind);

    /// <summary>Rows of the table and the moves between them, each from a lower row: one more machine of a kind is used.</summary>
    private sealed class Steps
    {
        public Steps(int rows, IEnumerable<(int From, int To, int Kind)> moves, params int[] goals)
        {
            Rows = rows;
            Goals = goals;
            Moves = [.. moves];
            Into = Moves.ToLookup(move => move.To);
        }

        public int Rows { get; }

        public int[] Goals { get; }

        public (int From, int To, int Kind)[] Moves { get; }

        public ILookup<int, (int From, int To, int Kind)> Into { get; }
    }
}
