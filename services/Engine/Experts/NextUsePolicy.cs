namespace Slm.Engine.Experts;

/// <summary>
/// Belady's rule (1966) with an estimate for the future: the expert goes first whose next use is expected last. The layers come in
/// turn, so the next chance of an expert is known: when its layer is next; and the chance that a token then takes it is estimated
/// from how often it was visited lately and over a longer time. Expected tokens until the next use: distance + 1/p - 1.
/// </summary>
internal sealed class NextUsePolicy(int layers, int experts, double shortHalfLife, double longHalfLife, double shortShare) : IExpertPolicy
{
    private const double LeastRate = 1e-6;
    private readonly DecayedCounts _recent = new(layers, experts, shortHalfLife);
    private readonly DecayedCounts _usual = new(layers, experts, longHalfLife);
    private int _layer;

    public string Name => $"next use, half-lives {shortHalfLife:0} ({shortShare:0.##}) and {longHalfLife:0}";

    public void Enter(int layer, int tokens)
    {
        _layer = layer;
        _recent.Advance(layer, tokens);
        _usual.Advance(layer, tokens);
    }

    public void Used(int layer, int expert, int visits)
    {
        _recent.Add(layer, expert, visits);
        _usual.Add(layer, expert, visits);
    }

    public double Worth(int layer, int expert)
    {
        var rate = (shortShare * _recent.Rate(layer, expert)) + ((1 - shortShare) * _usual.Rate(layer, expert));
        var distance = layer > _layer ? layer - _layer : layer - _layer + layers;
        return -((double)distance / layers) - (1 / Math.Clamp(rate, LeastRate, 1));
    }
}
