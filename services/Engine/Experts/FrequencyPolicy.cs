namespace Slm.Engine.Experts;

/// <summary>Least frequently used goes first; use is forgotten with a half-life in tokens.</summary>
internal sealed class FrequencyPolicy(int layers, int experts, double halfLife) : IExpertPolicy
{
    private readonly DecayedCounts _counts = new(layers, experts, halfLife);

    public string Name => $"lfu, half-life {halfLife:0}";

    public void Enter(int layer, int tokens) => _counts.Advance(layer, tokens);

    public void Used(int layer, int expert, int visits) => _counts.Add(layer, expert, visits);

    public double Worth(int layer, int expert) => _counts.Rate(layer, expert);
}
