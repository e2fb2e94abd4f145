using System.Globalization;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Models;

namespace Slm.Benchmarks;

/// <summary>Which experts the tokens of a run visited: per step and layer, in the order of the run.</summary>
internal sealed record ExpertTrace(int Layers, int Experts, IReadOnlyList<(int Layer, int Tokens, (int Expert, int Visits)[] Used)> Entries)
{
    /// <summary>Runs a model over tokens, after a prompt, one at a time, and records it.</summary>
    public static async Task<ExpertTrace> RecordAsync(ModelFile file, IReadOnlyList<int> tokens, int prompt)
    {
        Recorder? recorder = null;
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions
        {
            ContextLength = tokens.Count,
            KvCacheBytes = CachePlan.BytesPerToken(file.Config, file.KvType) * (tokens.Count + 64L),
            ExpertMemory = 1L << 40,
            ExpertOptions = options => options with { Policy = (layers, experts) => recorder = new Recorder(layers, experts) },
        });
        var batch = new StepBatch();
        for (var start = 0; start < tokens.Count;)
        {
            var count = start == 0 ? prompt : 1;
            batch.Clear();
            batch.Add([.. tokens.Skip(start).Take(count)], start, [.. Enumerable.Range(0, (start + count + pipeline.BlockSize - 1) / pipeline.BlockSize)], 1);
            await pipeline.ForwardAsync(batch, StepOutput.Hidden, CancellationToken.None);
            start += count;
        }

        return new ExpertTrace(recorder!.Layers, recorder.Experts, recorder.Entries);
    }

    /// <summary>
    /// Draws a trace: experts by a Zipf law without replacement, where a share of the choices repeats the token before, and every
    /// so many tokens the favourites change, as they do with the subject of a text.
    /// </summary>
    public static ExpertTrace Draw(int layers, int experts, int used, double exponent, double repeated, int subjectTokens, int tokens, int seed)
    {
        var random = new Random(seed);
        var general = Enumerable.Range(0, layers).Select(_ => Shuffled(experts, random)).ToArray();
        var ranks = general;
        var last = new int[layers][];
        var entries = new List<(int, int, (int, int)[])>();
        for (var token = 0; token < tokens; token++)
        {
            // A subject moves half of the experts to other ranks.
            if (subjectTokens > 0 && token % subjectTokens == 0)
                ranks = [.. general.Select(order => Mixed(order, random))];
            for (var layer = 0; layer < layers; layer++)
            {
                var order = ranks[layer];
                var chosen = new HashSet<int>();
                foreach (var expert in last[layer] ?? [])
                {
                    if (random.NextDouble() < repeated)
                        chosen.Add(expert);
                }

                while (chosen.Count < used)
                {
                    var scores = Enumerable.Range(0, experts).Select(e => chosen.Contains(e) ? double.NegativeInfinity
                        : (-exponent * Math.Log(order[e] + 1)) - Math.Log(-Math.Log(1 - random.NextDouble()))).ToArray();
                    chosen.Add(Array.IndexOf(scores, scores.Max()));
                }

                last[layer] = [.. chosen.Order()];
                entries.Add((layer, 1, [.. last[layer].Select(e => (e, 1))]));
            }
        }

        return new ExpertTrace(layers, experts, entries);
    }

    /// <summary>Prints hit rates for the models given and for drawn traces.</summary>
    public static async Task<int> CompareAsync(IReadOnlyList<string> models)
    {
        double[] shares = [0.125, 0.25, 0.5];
        foreach (var path in models)
        {
            using var file = ModelFile.Open(path);
            int[] tokens = [.. Enumerable.Range(0, 1024).Select(i => (int)(i * 7919L % file.Config.VocabSize))];
            Print(file.Name, await RecordAsync(file, tokens, prompt: 64), shares);
        }

        Print("drawn, exponent 1", Draw(32, 32, 4, 1, 0, 0, 1500, 1), shares);
        Print("drawn, exponent 1, a third repeated, subjects of 150 tokens", Draw(32, 32, 4, 1, 0.33, 150, 1500, 2), shares);
        Print("drawn, exponent 1.5, subjects of 400 tokens", Draw(32, 32, 4, 1.5, 0, 400, 1500, 3), shares);
        return 0;
    }

    /// <summary>Visits that find their expert under a policy, after some tokens that fill the cache; and the same if the future were known.</summary>
    private static void Print(string title, ExpertTrace trace, IReadOnlyList<double> shares)
    {
        var (layers, experts) = (trace.Layers, trace.Experts);
        IEnumerable<Func<IExpertPolicy>> policies =
        [
            () => new RecencyPolicy(layers, experts),
            .. new[] { 8.0, 32, 128, 512 }.Select(half => (Func<IExpertPolicy>)(() => new FrequencyPolicy(layers, experts, half))),
            () => new LearnedPolicy(layers, experts),
        ];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{title}: {trace.Entries.Count / layers} steps, top quarter of the experts gets {trace.TopQuarter():P0} of the visits, {trace.Repeated():P0} of a token's experts were the token's before"));
        Console.WriteLine($"| policy | {string.Join(" | ", shares.Select(s => s.ToString("P0", CultureInfo.InvariantCulture)))} |");
        Console.WriteLine($"|---|{string.Concat(shares.Select(_ => "---|"))}");
        foreach (var policy in policies)
            Console.WriteLine($"| {policy().Name} | {string.Join(" | ", shares.Select(s => trace.HitRate(Slots(s), policy()).ToString("P1", CultureInfo.InvariantCulture)))} |");
        Console.WriteLine($"| Belady (knows the future) | {string.Join(" | ", shares.Select(s => trace.HitRate(Slots(s), new FuturePolicy(trace)).ToString("P1", CultureInfo.InvariantCulture)))} |");
        Console.WriteLine();
        int Slots(double share) => Math.Max(trace.MostUsed(), (int)(share * layers * experts));
    }

    private int MostUsed() => Entries.Max(e => e.Used.Length);

    private double TopQuarter()
    {
        var counts = new long[Layers, Experts];
        foreach (var (layer, _, used) in Entries)
        {
            foreach (var (expert, visits) in used)
                counts[layer, expert] += visits;
        }

        var (top, all) = (0L, 0L);
        for (var layer = 0; layer < Layers; layer++)
        {
            var sorted = Enumerable.Range(0, Experts).Select(e => counts[layer, e]).OrderDescending().ToArray();
            top += sorted.Take(Experts / 4).Sum();
            all += sorted.Sum();
        }

        return (double)top / all;
    }

    private double Repeated()
    {
        var last = new HashSet<int>[Layers];
        var (same, all) = (0L, 0L);
        foreach (var (layer, tokens, used) in Entries.Where(e => e.Tokens == 1))
        {
            if (last[layer] is { } before)
                (same, all) = (same + used.Count(u => before.Contains(u.Expert)), all + used.Length);
            last[layer] = [.. used.Select(u => u.Expert)];
        }

        return (double)same / all;
    }

    private double HitRate(int slots, IExpertPolicy policy)
    {
        var cache = new ExpertSlots(Layers, Experts, slots, policy);
        var (hits, visits) = (0L, 0L);
        var held = new List<int>();
        for (var i = 0; i < Entries.Count; i++)
        {
            var (layer, tokens, used) = Entries[i];
            policy.Enter(layer, tokens);
            foreach (var (expert, count) in used)
                policy.Used(layer, expert, count);
            foreach (var (expert, _) in used)
            {
                var slot = cache.Find(layer, expert);
                if (i >= Entries.Count / 4)
                {
                    visits++;
                    hits += slot == ExpertSlots.None ? 0 : 1;
                }

                if (slot != ExpertSlots.None)
                {
                    cache.Hold(slot);
                    held.Add(slot);
                }
            }

            foreach (var (expert, _) in used)
            {
                if (cache.Find(layer, expert) != ExpertSlots.None)
                    continue;
                var slot = cache.Take(layer, expert);
                cache.Hold(slot);
                held.Add(slot);
            }

            held.ForEach(cache.Release);
            held.Clear();
        }

        return (double)hits / visits;
    }

    private static int[] Shuffled(int count, Random random)
    {
        var order = Enumerable.Range(0, count).ToArray();
        random.Shuffle(order);
        return order;
    }

    private static int[] Mixed(int[] order, Random random)
    {
        var mixed = order.ToArray();
        var moved = Shuffled(order.Length, random)[..(order.Length / 2)];
        for (var i = 0; i < moved.Length; i++)
            mixed[moved[i]] = order[moved[(i + 1) % moved.Length]];
        return mixed;
    }

    private sealed class Recorder(int layers, int experts) : IExpertPolicy
    {
        private readonly List<(int Expert, int Visits)> _used = [];
        private (int Layer, int Tokens)? _entered;

        public int Layers => layers;

        public int Experts => experts;

        public string Name => "recorder";

        public IReadOnlyList<(int Layer, int Tokens, (int Expert, int Visits)[] Used)> Entries
        {
            get
            {
                Close();
                return _entries;
            }
        }

        private readonly List<(int, int, (int, int)[])> _entries = [];

        public void Enter(int layer, int tokens)
        {
            Close();
            _entered = (layer, tokens);
        }

        public void Used(int layer, int expert, int visits) => _used.Add((expert, visits));

        public double Worth(int layer, int expert) => 0;

        private void Close()
        {
            if (_entered is { } entered)
                _entries.Add((entered.Layer, entered.Tokens, [.. _used]));
            _used.Clear();
            _entered = null;
        }
    }

    /// <summary>Belady's rule: the one whose next use is farthest away goes first.</summary>
    private sealed class FuturePolicy : IExpertPolicy
    {
        private readonly int _experts;
        private readonly Queue<int>[] _uses;
        private int _time = -1;

        public FuturePolicy(ExpertTrace trace)
        {
            _experts = trace.Experts;
            _uses = [.. Enumerable.Range(0, trace.Layers * trace.Experts).Select(_ => new Queue<int>())];
            for (var i = 0; i < trace.Entries.Count; i++)
            {
                foreach (var (expert, _) in trace.Entries[i].Used)
                    _uses[(trace.Entries[i].Layer * _experts) + expert].Enqueue(i);
            }
        }

        public string Name => "Belady";

        public void Enter(int layer, int tokens) => _time++;

        public void Used(int layer, int expert, int visits) => _uses[(layer * _experts) + expert].Dequeue();

        public double Worth(int layer, int expert) => _uses[(layer * _experts) + expert].TryPeek(out var next) ? _time - next : double.NegativeInfinity;
    }
}
