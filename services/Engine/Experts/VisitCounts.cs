using Slm.Engine.Execution;

namespace Slm.Engine.Experts;

/// <summary>How often a stage's own experts of a layer have been visited. The thread that computes counts, any may read.</summary>
/// <param name="layer">Index in the model.</param>
/// <param name="experts">Experts of the layer.</param>
/// <param name="held">Those that the stage holds.</param>
internal sealed class VisitCounts(int layer, int experts, ExpertSlice held)
{
    private readonly long[] _counts = new long[experts];
    private readonly bool[] _held = [.. Enumerable.Range(0, experts).Select(held.Experts.Contains)];
    private long _total;

    /// <summary>Of each of the held experts, in their order.</summary>
    public ExpertLayerVisits Visits => new(layer, [.. held.Experts.Select(expert => Volatile.Read(ref _counts[expert]))]);

    /// <summary>Visits of all held experts.</summary>
    public long Total => Volatile.Read(ref _total);

    /// <summary>Counts the visits of a step.</summary>
    public void Add(ExpertBatch batch)
    {
        var total = _total;
        foreach (var expert in batch.Active)
        {
            if (!_held[expert])
                continue;
            var count = batch.Count(expert);
            Volatile.Write(ref _counts[expert], _counts[expert] + count);
            total += count;
        }

        Volatile.Write(ref _total, total);
    }
}
