namespace Slm.Engine.Experts;

/// <summary>
/// How often experts are visited per token, with exponential forgetting: a visit counts half as much after
/// <paramref name="halfLife"/> tokens of its layer.
/// </summary>
/// <remarks>Instead of shrinking all counts with every token, later visits count more (forward decay); the counts are scaled back before they overflow.</remarks>
internal sealed class DecayedCounts(int layers, int experts, double halfLife)
{
    private const double Most = 1e200;
    private readonly double[] _counts = new double[layers * experts];
    private readonly double[] _weights = [.. Enumerable.Repeat(1.0, layers)];
    private readonly double _growth = Math.Pow(2, 1 / halfLife);

    /// <summary>The tokens of a step pass a layer.</summary>
    public void Advance(int layer, int tokens)
    {
        ref var weight = ref _weights[layer];
        // A step longer than this forgets everything, to the accuracy of a double.
        weight *= Math.Pow(_growth, Math.Min(tokens, 300 * halfLife));
        if (weight < Most)
            return;
        foreach (ref var count in _counts.AsSpan(layer * experts, experts))
            count /= weight;
        weight = 1;
    }

    /// <summary>Counts visits.</summary>
    public void Add(int layer, int expert, int visits) => _counts[(layer * experts) + expert] += visits * _weights[layer];

    /// <summary>Visits per token, about 0 to 1, as the forgetting average has it.</summary>
    public double Rate(int layer, int expert) => _counts[(layer * experts) + expert] / _weights[layer] * (1 - (1 / _growth));
}
