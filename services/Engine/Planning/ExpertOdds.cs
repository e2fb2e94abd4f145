namespace Slm.Engine.Planning;

/// <summary>
/// How probable it is that a token visits an expert: p = k / E for each of E experts of which a token visits k, or, where
/// visits v have been counted, min(1, k · v / Σv). Tokens are taken to choose independently of each other.
/// </summary>
internal sealed class ExpertOdds
{
    private readonly ModelShape _shape;
    private readonly double[]?[] _odds;

    /// <param name="shape">The model.</param>
    /// <param name="visits">Counted visits, [layer][expert]; null or all 0 for alike.</param>
    public ExpertOdds(ModelShape shape, IReadOnlyList<IReadOnlyList<long>>? visits)
    {
        _shape = shape;
        _odds = new double[]?[shape.Layers.Count];
        for (var layer = 0; visits is not null && layer < _odds.Length; layer++)
        {
            var all = visits[layer].Sum(count => (double)count);
            if (all > 0)
                _odds[layer] = [.. visits[layer].Select(count => Math.Min(1, shape.Layers[layer].ExpertsUsed * (count / all)))];
        }
    }

    /// <summary>Experts of a layer that some of <paramref name="tokens"/> visit, in expectation: Σ 1 - (1 - p)^tokens.</summary>
    public double Distinct(int layer, int tokens)
    {
        var of = _shape.Layers[layer];
        return _odds[layer] is { } odds ? odds.Sum(p => Met(p, tokens)) : of.ExpertCount * Met((double)of.ExpertsUsed / Math.Max(1, of.ExpertCount), tokens);
    }

    /// <summary>The same of some of a layer's experts.</summary>
    public double Distinct(int layer, IReadOnlyList<int> experts, int tokens) => experts.Sum(expert => Met(Of(layer, expert), tokens));

    /// <summary>Visits of a token to some of a layer's experts, in expectation: Σ p.</summary>
    public double Visits(int layer, IReadOnlyList<int> experts) => experts.Sum(expert => Of(layer, expert));

    /// <summary>
    /// Probability that a token visits any of a layer's experts in a group of n: 1 - C(E - n, k) / C(E, k) where all are alike,
    /// else 1 - Π (1 - p).
    /// </summary>
    public double Meets(int layer, IReadOnlyList<int> experts)
    {
        var missed = 1.0;
        if (_odds[layer] is { } odds)
        {
            foreach (var expert in experts)
                missed *= 1 - odds[expert];
        }
        else
        {
            var (all, used) = (_shape.Layers[layer].ExpertCount, _shape.Layers[layer].ExpertsUsed);
            for (var i = 0; i < used; i++)
                missed *= Math.Max(0, (double)(all - experts.Count - i) / (all - i));
        }

        return 1 - missed;
    }

    private double Of(int layer, int expert) => _odds[layer] is { } odds ? odds[expert] : (double)_shape.Layers[layer].ExpertsUsed / _shape.Layers[layer].ExpertCount;

    private static double Met(double p, int tokens) => 1 - Math.Pow(1 - p, tokens);
}
