namespace Slm.Engine.Experts;

/// <summary>Least recently used goes first.</summary>
internal sealed class RecencyPolicy(int layers, int experts) : IExpertPolicy
{
    private readonly long[] _last = new long[layers * experts];
    private long _time;

    public string Name => "lru";

    public void Enter(int layer, int tokens) => _time++;

    public void Used(int layer, int expert, int visits) => _last[(layer * experts) + expert] = _time;

    public double Worth(int layer, int expert) => _last[(layer * experts) + expert];
}
