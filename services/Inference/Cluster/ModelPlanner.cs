using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Planning;
using Slm.Inference.Engines;
using Slm.Inference.Mapping;

namespace Slm.Inference.Cluster;

/// <summary>Places models over the silos that answer, by what they have free and how fast they were measured.</summary>
internal sealed class ModelPlanner(SiloDirectory silos, InferenceOptions options)
{
    /// <summary>Plans all replicas of a deployment, or one where another was lost.</summary>
    /// <param name="lease">The model.</param>
    /// <param name="settings">What was asked for.</param>
    /// <param name="replica">Null: all as asked for; else one to take that one's place, as near to what was asked for as the silos allow.</param>
    /// <param name="avoid">A silo that gets nothing.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <param name="freed">A model whose memory counts as free; null: none.</param>
    /// <exception cref="PlacementException">There is no such placement.</exception>
    /// <exception cref="ServiceDefaults.Errors.FieldException">A setting does not fit the model, or a map cannot be carried out.</exception>
    public async Task<Placed> PlanAsync(ModelLease lease, DeploymentSettings settings, int? replica, string? avoid, CancellationToken cancellationToken, string? freed = null)
    {
        var shape = settings.Shape(lease.Entry, lease.File, options);
        var wish = PlacementMapping.ToWish(settings.Placement);
        var all = await silos.ListAsync(cancellationToken, urgent: replica is not null);
        var numerics = Numerics.Arithmetic;
        var usable = all.Where(s => !s.Draining && s.Silo != avoid && s.Numerics == numerics).ToArray();
        if (freed is not null)
            usable = Without(freed, usable);
        if (usable.Length == 0)
            throw new PlacementException(PlacementFault.UnknownMachine, $"placement: none of the {all.Count} silos takes work that computes as '{numerics}'. Start one, or resume one that is drained.");
        var links = usable.Length > 1 ? await silos.LinksAsync(usable, cancellationToken, urgent: replica is not null) : [];
        var names = usable.ToDictionary(s => s.Silo, s => s.Name, StringComparer.Ordinal);
        var type = Enum.Parse<KvType>(shape.KvType);
        var model = ModelShape.Of(lease.File, type);
        var fleet = new Fleet(
            [.. usable.Select(silo => ToMachine(silo, model.Kind, usable))],
            [.. links.Select(l => new LinkSpec(names[l.From], names[l.To], l.LatencySeconds, l.BytesPerSecond, l.BusyLatencySeconds))])
        {
            // What was measured between silos has the software's share in it.
            HopSeconds = links.Count > 0 ? 0 : new Fleet([ToMachine(usable[0], model.Kind, usable)]).HopSeconds,
        };
        var terms = new PlanningTerms
        {
            KvBytes = (long)shape.BlockCount * shape.BlockSize * CachePlan.BytesPerToken(lease.File.Config, type),
            StateSlots = Math.Max(1, shape.StateSlots),
            MaxStepTokens = shape.MaxStepTokens,
            Streams = StreamsPlannedFor,
            LocalMachine = names.GetValueOrDefault(silos.Local),
            WireFormat = PlacementMapping.ToWire(settings.Placement),
        };
        var addresses = usable.ToDictionary(s => s.Name, s => s.Silo, StringComparer.Ordinal);
        if (replica is null)
        {
            var placed = new Placed(Planner.Plan(model, fleet, wish, terms), addresses, usable);
            for (var r = 0; r < placed.Plan.Replicas.Count; r++)
            {
                foreach (var (place, stage) in placed.Stages(r).Select((place, stage) => (place, stage)))
                    StageOrders.Of(shape, place, stage, lease.File.Config, (int)terms.WireFormat);
            }

            return placed;
        }

        var one = wish with { Replicas = null, Map = null, Stages = wish.Stages ?? (wish.Map is { } map ? map.Replicas[Math.Min(replica.Value, map.Replicas.Count - 1)].Stages.Count : null) };
        try
        {
            return new Placed(Planner.Plan(model, fleet, one, terms), addresses, usable);
        }
        catch (PlacementException error) when (error.Fault is PlacementFault.DoesNotFit or PlacementFault.BadWish && one != PlacementWish.Auto)
        {
            // Fewer silos than were asked for are better than none.
            return new Placed(Planner.Plan(model, fleet, PlacementWish.Auto with { RequiredLabels = one.RequiredLabels }, terms), addresses, usable);
        }
    }

    private const int StreamsPlannedFor = 8;

    /// <summary>The silos as if they did not hold a model.</summary>
    internal static SiloInfo[] Without(string model, SiloInfo[] silos)
    {
        var held = silos.ToDictionary(s => s.Silo, s => s.Parts.Where(p => p.Model == model).Sum(p => p.WeightBytes + p.StateBytes), StringComparer.Ordinal);
        var byHost = silos.GroupBy(s => s.Host, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Sum(s => held[s.Silo]), StringComparer.Ordinal);
        return [.. silos.Select(s => s with { FreeMemoryBytes = s.FreeMemoryBytes + held[s.Silo], HostFreeMemoryBytes = s.HostFreeMemoryBytes + byHost[s.Host] })];
    }

    /// <summary>What a silo has learned of models of a kind; else what others of its machine have, or any.</summary>
    private static double Learned(SiloInfo silo, string kind, IEnumerable<SiloInfo> silos, Func<SiloInfo, Dictionary<string, double>?> of)
    {
        var knows = silos.Where(s => of(s)?.ContainsKey(kind) == true).OrderByDescending(s => s.Silo == silo.Silo).ThenByDescending(s => s.Host == silo.Host).FirstOrDefault();
        return knows is null ? 0 : of(knows)![kind];
    }

    private static MachineSpec ToMachine(SiloInfo silo, string kind, IReadOnlyList<SiloInfo> silos) => new()
    {
        Name = silo.Name,
        HostId = silo.Host,
        Threads = silo.Threads,
        FreeMemoryBytes = silo.FreeMemoryBytes,
        HostFreeMemoryBytes = silo.HostFreeMemoryBytes,
        ReadBytesPerSecond = silo.ReadBytesPerSecond,
        MultiplyAddsPerSecond = silo.MultiplyAddsPerSecond,
        FloatMultiplyAddsPerSecond = silo.FloatMultiplyAddsPerSecond,
        StepSeconds = silo.StepSeconds,
        LayerSeconds = Learned(silo, kind, silos, s => s.LayerSeconds),
        TurnSeconds = Learned(silo, kind, silos, s => s.TurnSeconds),
        HostProcessors = silo.HostProcessors > 0 ? silo.HostProcessors : null,
        Labels = silo.Labels,
    };
}

/// <summary>A plan, and where its machines are.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Addresses">Parsable addresses of silos by name.</param>
/// <param name="Silos">The silos that it could use.</param>
internal sealed record Placed(PlacementPlan Plan, IReadOnlyDictionary<string, string> Addresses, IReadOnlyList<SiloInfo> Silos)
{
    /// <summary>Address of the silo that coordinates a replica: it needs the whole file, for its tokenizer and its hash.</summary>
    /// <param name="replica">Which one.</param>
    /// <param name="model">Name of the model.</param>
    /// <param name="local">The silo that asks, which has it, and coordinates where the planned one lacks it.</param>
    public string Coordinator(int replica, string model, string local)
    {
        var planned = Addresses[Plan.Replicas[replica].Coordinator];
        return Silos.Single(s => s.Silo == planned).Models.Contains(model) ? planned : local;
    }

    /// <summary>Where the stages of a replica go.</summary>
    public StagePlace[] Stages(int replica) =>
        [.. Plan.Replicas[replica].Stages.Select(stage => new StagePlace(
            stage.Range.First, stage.Range.End, Addresses[stage.Machine],
            [.. stage.ExpertGroups.Select(group => new ExpertPlace([.. group.Experts.Select(layer => layer.ToArray())], Addresses[group.Machine]))]))];
}
