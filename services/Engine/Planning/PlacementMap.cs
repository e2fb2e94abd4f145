using Slm.Engine.Execution;

namespace Slm.Engine.Planning;

/// <summary>An explicit placement: which layers and which experts are on which machine.</summary>
/// <param name="Replicas">Pipelines that each hold the whole model.</param>
/// <remarks>
/// The text form, in which ranges include both ends, is
/// <code>
/// map     = replica *("|" replica)
/// replica = stage *("," stage) *(";" clause)
/// stage   = range "@" machine
/// clause  = "experts" [ "[" range "]" ] ":" group *("," group)
/// group   = range *("+" range) "@" machine
/// range   = number [ "-" number ]
/// </code>
/// such as <c>0-7@a,8-15@b;experts:0-15@c,16-31@d</c>. Stages are in the order of their layers. A clause says where the experts
/// of the layers in brackets are, or of all layers that have experts and no clause with brackets; layers that no clause speaks
/// of have their experts where their stage is. Machine names are any characters but <c>, ; | @</c> and blanks.
/// </remarks>
public sealed record PlacementMap(IReadOnlyList<MappedReplica> Replicas)
{
    /// <summary>The map of a plan.</summary>
    public static PlacementMap Of(PlacementPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return new PlacementMap([.. plan.Replicas.Select(replica => new MappedReplica(
            [.. replica.Stages.Select(stage => new MappedStage(stage.Range, stage.Machine))], [.. replica.Stages.SelectMany(Clauses)]))]);
    }

    /// <summary>The text form.</summary>
    public override string ToString() => PlacementText.Format(this);

    /// <summary>A clause for each run of layers whose groups have the same experts.</summary>
    private static IEnumerable<MappedExperts> Clauses(StagePlan stage)
    {
        if (stage.ExpertGroups.Count == 0)
            yield break;
        bool Has(int layer) => stage.ExpertGroups.Any(group => group.Experts[layer].Count > 0);
        for (var first = 0; first < stage.Range.Count;)
        {
            var end = first + 1;
            while (end < stage.Range.Count && Has(end) && stage.ExpertGroups.All(group => group.Experts[end].SequenceEqual(group.Experts[first])))
                end++;
            if (Has(first))
            {
                yield return new MappedExperts(
                    new LayerRange(stage.Range.First + first, stage.Range.First + end), [.. stage.ExpertGroups.Select(group => new MappedGroup(group.Experts[first], group.Machine))]);
            }

            first = end;
        }
    }
}

/// <summary>A pipeline of a map.</summary>
/// <param name="Stages">Its stages, in the order of their layers.</param>
/// <param name="Experts">Where experts are that are not with their stage.</param>
public sealed record MappedReplica(IReadOnlyList<MappedStage> Stages, IReadOnlyList<MappedExperts> Experts);

/// <summary>Layers on a machine.</summary>
/// <param name="Range">The layers.</param>
/// <param name="Machine">Name of the machine.</param>
public sealed record MappedStage(LayerRange Range, string Machine);

/// <summary>Groups of experts of some layers.</summary>
/// <param name="Layers">The layers; null for all that have experts and are named nowhere else.</param>
/// <param name="Groups">The groups, which together hold each expert once.</param>
public sealed record MappedExperts(LayerRange? Layers, IReadOnlyList<MappedGroup> Groups);

/// <summary>Experts on a machine.</summary>
/// <param name="Experts">Indices, ascending.</param>
/// <param name="Machine">Name of the machine.</param>
public sealed record MappedGroup(IReadOnlyList<int> Experts, string Machine);
