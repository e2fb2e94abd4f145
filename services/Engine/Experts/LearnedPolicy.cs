namespace Slm.Engine.Experts;

/// <summary>
/// Belady's rule (1966) with an estimate for the future: the expert goes first whose next use is expected last. The layers come in
/// turn, so the next chance of an expert is known: when its layer is next. The chance p that a token then takes it is estimated, and
/// the expected number of tokens until the next use is distance + 1/p - 1.
/// </summary>
/// <remarks>
/// p is a weighted sum of how often the expert was visited over the last token, the last few, and longer times. How much each of
/// these says about the next token depends on the model and the text (some routers repeat themselves, others have favourites), so
/// the weights are learned while the model runs: least squares over all experts of all layers, with slow forgetting.
/// </remarks>
internal sealed class LearnedPolicy : IExpertPolicy
{
    private const double LeastChance = 1e-4;
    private const double Forgetting = 0.9998;
    private const double Ridge = 1e-3;
    private static readonly double[] HalfLives = [0.5, 4, 32, 256, 2048];
    private readonly int _layers, _experts, _features;
    private readonly DecayedCounts[] _counts;
    private readonly double[] _wait;
    private readonly double[] _before;
    private readonly double[] _weights;
    private readonly double[] _products;
    private readonly double[] _targets;
    private readonly double[] _factor;
    private int _layer;
    private double _tokens = 1;
    private bool _stale;

    public LearnedPolicy(int layers, int experts)
    {
        (_layers, _experts) = (layers, experts);
        _counts = [.. HalfLives.Select(halfLife => new DecayedCounts(layers, experts, halfLife))];
        _features = HalfLives.Length + 1;
        _wait = new double[layers * experts];
        _wait.AsSpan().Fill(1 / LeastChance);
        _before = new double[experts * _features];
        _products = new double[_features * _features];
        _targets = new double[_features];
        _factor = new double[_features * _features];

        // Until there is something to learn from, all times count alike.
        _weights = [.. Enumerable.Repeat(1.0 / HalfLives.Length, HalfLives.Length), 0];
    }

    public string Name => "next use, learned";

    public void Enter(int layer, int tokens)
    {
        Estimate();
        if (layer <= _layer)
            Learn();
        _layer = layer;
        _tokens = tokens;
        for (var expert = 0; expert < _experts; expert++)
        {
            var x = _before.AsSpan(expert * _features, _features);
            for (var i = 0; i < _counts.Length; i++)
                x[i] = _counts[i].Rate(layer, expert);
            x[^1] = 1;
            for (var i = 0; i < _features; i++)
            {
                for (var j = 0; j <= i; j++)
                    _products[(i * _features) + j] += x[i] * x[j];
            }
        }

        foreach (var counts in _counts)
            counts.Advance(layer, tokens);
        _stale = true;
    }

    public void Used(int layer, int expert, int visits)
    {
        foreach (var counts in _counts)
            counts.Add(layer, expert, visits);
        for (var i = 0; i < _features; i++)
            _targets[i] += _before[(expert * _features) + i] * visits / _tokens;
    }

    public double Worth(int layer, int expert)
    {
        if (_stale)
            Estimate();
        var distance = layer > _layer ? layer - _layer : layer - _layer + _layers;
        return -((double)distance / _layers) - _wait[(layer * _experts) + expert];
    }

    /// <summary>The expected tokens until an expert of the layer at work is visited, once it is known whom this token visits.</summary>
    private void Estimate()
    {
        _stale = false;
        for (var expert = 0; expert < _experts; expert++)
        {
            var chance = _weights[^1];
            for (var i = 0; i < _counts.Length; i++)
                chance += _weights[i] * _counts[i].Rate(_layer, expert);
            _wait[(_layer * _experts) + expert] = 1 / Math.Clamp(chance, LeastChance, 1);
        }
    }

    /// <summary>Solves for the weights by Cholesky decomposition.</summary>
    private void Learn()
    {
        for (var i = 0; i < _features; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                ref var product = ref _products[(i * _features) + j];
                product *= Forgetting;
                var sum = product + (i == j ? Ridge : 0);
                for (var k = 0; k < j; k++)
                    sum -= _factor[(i * _features) + k] * _factor[(j * _features) + k];
                _factor[(i * _features) + j] = i == j ? Math.Sqrt(Math.Max(sum, 1e-12)) : sum / _factor[(j * _features) + j];
            }

            _targets[i] *= Forgetting;
            var y = _targets[i];
            for (var k = 0; k < i; k++)
                y -= _factor[(i * _features) + k] * _weights[k];
            _weights[i] = y / _factor[(i * _features) + i];
        }

        for (var i = _features - 1; i >= 0; i--)
        {
            for (var k = i + 1; k < _features; k++)
                _weights[i] -= _factor[(k * _features) + i] * _weights[k];
            _weights[i] /= _factor[(i * _features) + i];
        }
    }
}
