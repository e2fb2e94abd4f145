using Slm.Engine.Execution;
using Slm.Engine.Wire;

namespace Slm.Engine.Planning;

/// <summary>
/// Shortens a token's way through a split without making its slowest stage slower: moves layers over boundaries and lets
/// stages change machines, as long as that helps. Links, which the split does not see, count here.
/// </summary>
internal sealed class SplitRefiner(CostModel costs, MemoryNeeds needs, StepLoad load, bool experts)
{
    /// <summary>Stages up to which all pairs change machines; beyond, neighbours do.</summary>
    private const int FewStages = 8;

    private const int MaxRounds = 64;
    private const double Shorter = 1 - 1e-9;
    private const double NoSlower = 1 + 1e-12;

    public IReadOnlyList<Share> Refine(IReadOnlyList<Share> split, IReadOnlyDictionary<string, long> freeBytes)
    {
        var best = split.ToArray();
        var (slowest, whole) = Measure(best);
        for (var round = 0; round < MaxRounds; round++)
        {
            var before = whole;
            foreach (var other in Neighbours(best))
            {
                if (!other.All(share => needs.StageBytes(share.Range, experts) <= freeBytes[share.Machine.Name]))
                    continue;
                var (otherSlowest, otherWhole) = Measure(other);
                if (otherSlowest <= slowest * NoSlower && otherWhole < whole * Shorter)
                    (best, slowest, whole) = (other, otherSlowest, otherWhole);
            }

            if (whole == before)
                break;
        }

        return best;
    }

    private static IEnumerable<Share[]> Neighbours(Share[] split)
    {
        for (var s = 0; s + 1 < split.Length; s++)
        {
            foreach (var moved in new[] { -1, 1 })
            {
                var boundary = split[s].Range.End + moved;
                if (boundary <= split[s].Range.First || boundary >= split[s + 1].Range.End)
                    continue;
                var other = (Share[])split.Clone();
                other[s] = split[s] with { Range = new LayerRange(split[s].Range.First, boundary) };
                other[s + 1] = split[s + 1] with { Range = new LayerRange(boundary, split[s + 1].Range.End) };
                yield return other;
            }

            for (var t = s + 1; t < (split.Length <= FewStages ? split.Length : s + 2); t++)
            {
                var other = (Share[])split.Clone();
                other[s] = split[s] with { Machine = split[t].Machine };
                other[t] = split[t] with { Machine = split[s].Machine };
                yield return other;
            }
        }
    }

    private (double Slowest, double Whole) Measure(Share[] split)
    {
        var (slowest, whole) = (0.0, 0.0);
        var bytes = (double)load.Tokens * costs.Terms.WireFormat.RowBytes(costs.Shape.HiddenSize);
        for (var s = 0; s < split.Length; s++)
        {
            var seconds = costs.StageSeconds(split[s].Range, split[s].Machine, experts, load);
            slowest = Math.Max(slowest, seconds);
            whole += seconds + costs.Fleet.MessageSeconds(split[s].Machine.Name, split[(s + 1) % split.Length].Machine.Name, s + 1 == split.Length ? 0 : bytes);
        }

        return (slowest, whole);
    }
}
