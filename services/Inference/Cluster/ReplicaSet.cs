using Slm.Contracts.Grains;
using Slm.Inference.Engines;
using Slm.V1;

namespace Slm.Inference.Cluster;

/// <summary>The replicas of a loaded model, and which of them a request goes to.</summary>
internal sealed class ReplicaSet(LoadModelRequest settings)
{
    /// <summary>Prefixes that are remembered, each with the replica that saw it last.</summary>
    private const int MostPrefixes = 16_384;

    /// <summary>A replica that has so many more requests than another is not given one for its prefix's sake.</summary>
    private const int MostUneven = 4;

    private readonly Dictionary<ulong, Member> _prefixes = [];
    private readonly Queue<ulong> _order = [];

    /// <summary>How the model was asked to be loaded.</summary>
    public LoadModelRequest Settings { get; } = settings;

    /// <summary>The same, read.</summary>
    public DeploymentSettings Asked { get; } = DeploymentSettings.From(settings);

    /// <summary>The replicas, by number.</summary>
    public List<Member> Members { get; } = [];

    /// <summary>Adapters that are loaded, by name.</summary>
    public Dictionary<string, LoadAdapterRequest> Adapters { get; } = new(StringComparer.Ordinal);

    /// <summary>What the cost model said when it was placed; null where it was taken over.</summary>
    public PlacementPrediction? Prediction { get; set; }

    /// <summary>The replica for a request: the one that has seen the longest of the prefixes, unless it has much more to do than another.</summary>
    /// <param name="model">The model, for the metrics.</param>
    /// <param name="prefixes">Hashes of ever longer beginnings.</param>
    /// <returns>Null if all are being replaced.</returns>
    public Member? Choose(string model, ulong[] prefixes)
    {
        Member? least = null;
        foreach (var member in Members)
        {
            if (member.Replacing is null && (least is null || member.Load < least.Load))
                least = member;
        }

        if (least is null || Members.Count == 1)
            return least;
        var (chosen, affinity) = (least, "miss");
        for (var i = prefixes.Length - 1; i >= 0; i--)
        {
            if (_prefixes.TryGetValue(prefixes[i], out var seen) && seen.Replacing is null && Members.Contains(seen))
            {
                (chosen, affinity) = seen.Load <= least.Load + MostUneven ? (seen, "hit") : (least, "overloaded");
                break;
            }
        }

        ClusterMetrics.WasRouted(model, affinity);
        foreach (var prefix in prefixes)
        {
            if (!_prefixes.ContainsKey(prefix))
                _order.Enqueue(prefix);
            _prefixes[prefix] = chosen;
        }

        while (_order.Count > MostPrefixes)
            _prefixes.Remove(_order.Dequeue());
        chosen.Routed++;
        return chosen;
    }

    /// <summary>What is to be kept of it.</summary>
    public DeploymentRecord ToRecord(string model) => new(model, Settings, [.. Members.Select(m => m.Info.Key)], [.. Adapters.Values]);

    /// <summary>A replica.</summary>
    internal sealed class Member(int index, IReplicaGrain grain, ReplicaInfo info, long seen)
    {
        /// <summary>Its number.</summary>
        public int Index { get; } = index;

        /// <summary>Its grain.</summary>
        public IReplicaGrain Grain { get; set; } = grain;

        /// <summary>What it said last.</summary>
        public ReplicaInfo Info { get; private set; } = info;

        /// <summary>Time stamp of that.</summary>
        public long Seen { get; private set; } = seen;

        /// <summary>Requests sent to it since.</summary>
        public int Routed { get; set; }

        /// <summary>Set while another one takes its place.</summary>
        public Task? Replacing { get; set; }

        /// <summary>Requests that it has, as far as is known here.</summary>
        public int Load => Info.Running + Info.Waiting + Routed;

        /// <summary>Parsable address of the silo that coordinates it.</summary>
        public string Silo => SiloKey.SiloOf(Info.Key);

        /// <summary>It has said something.</summary>
        public void Heard(ReplicaInfo info, long now) => (Info, Seen, Routed) = (info, now, 0);
    }
}
