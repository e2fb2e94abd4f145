using Slm.Engine.Models;
using Slm.Engine.Quantization;

namespace Slm.Engine.Execution;

/// <summary>
/// Which experts the tokens of a step visit, with the rows that travel there and back. A visit is one token at one expert;
/// visits lie sorted by expert, then by token, so that an expert meets all of its tokens at once. One per stage: a layer
/// fills it with its router and uses it up with its experts.
/// </summary>
internal sealed unsafe class ExpertBatch : IDisposable
{
    private readonly NativeArena _arena = new();
    private readonly ExpertConfig _config;
    private readonly int[] _chosen;
    private readonly float[] _weights;
    private readonly int[] _visitOf, _tokenOf;
    private readonly int[] _begin;
    private readonly int[] _next;
    private readonly int[] _active;
    private readonly int[] _listed;

    public ExpertBatch(ModelConfig config, int maxTokens)
    {
        _config = config.Experts ?? throw new ArgumentException("The model has no experts.", nameof(config));
        var visits = checked(maxTokens * _config.UsedCount);
        _chosen = new int[visits];
        _weights = new float[visits];
        _visitOf = new int[visits];
        _tokenOf = new int[visits];
        _begin = new int[_config.Count + 1];
        _next = new int[_config.Count];
        _active = new int[_config.Count];
        _listed = new int[visits];
        var scores = _arena.Reserve<float>((long)maxTokens * _config.Count);
        var inputs = _arena.Reserve<float>((long)visits * config.HiddenSize);
        var outputs = _arena.Reserve<float>((long)visits * config.HiddenSize);
        var gate = _arena.Reserve<float>((long)visits * _config.FeedForwardSize);
        var up = _arena.Reserve<float>((long)visits * _config.FeedForwardSize);
        var int8 = _arena.Reserve<sbyte>((long)visits * config.HiddenSize);
        var scales = _arena.Reserve<ActivationScale>(visits * (((long)config.HiddenSize / 32) + 1));
        var gateInt8 = _arena.Reserve<sbyte>((long)visits * _config.FeedForwardSize);
        var gateScales = _arena.Reserve<ActivationScale>(visits * (((long)_config.FeedForwardSize / 32) + 1));
        Scores = _arena.Get<float>(scores);
        Inputs = _arena.Get<float>(inputs);
        Outputs = _arena.Get<float>(outputs);
        Gate = _arena.Get<float>(gate);
        Up = _arena.Get<float>(up);
        Int8 = _arena.Get<sbyte>(int8);
        Scales = _arena.Get<ActivationScale>(scales);
        GateInt8 = _arena.Get<sbyte>(gateInt8);
        GateScales = _arena.Get<ActivationScale>(gateScales);
    }

    /// <summary>Experts that a token visits.</summary>
    public int Used => _config.UsedCount;

    /// <summary>All visits of the step.</summary>
    public int Visits { get; private set; }

    /// <summary>Tokens of the step.</summary>
    public int Tokens { get; private set; }

    /// <summary>Experts that are visited, ascending.</summary>
    public ReadOnlySpan<int> Active => _active.AsSpan(0, ActiveCount);

    /// <summary>Length of <see cref="Active"/>.</summary>
    public int ActiveCount { get; private set; }

    /// <summary>Scores of the router [tokens, experts].</summary>
    public float* Scores { get; }

    /// <summary>Inputs of the experts [visits, hidden].</summary>
    public float* Inputs { get; }

    /// <summary>Their outputs [visits, hidden].</summary>
    public float* Outputs { get; }

    /// <summary>[visits, feed-forward].</summary>
    public float* Gate { get; }

    /// <summary>[visits, feed-forward].</summary>
    public float* Up { get; }

    /// <summary><see cref="Inputs"/>, quantized.</summary>
    public sbyte* Int8 { get; }

    /// <summary>Scales of <see cref="Int8"/>.</summary>
    public ActivationScale* Scales { get; }

    /// <summary><see cref="Gate"/>, quantized.</summary>
    public sbyte* GateInt8 { get; }

    /// <summary>Scales of <see cref="GateInt8"/>.</summary>
    public ActivationScale* GateScales { get; }

    /// <summary>First visit to an expert.</summary>
    public int Begin(int expert) => _begin[expert];

    /// <summary>Number of visits to an expert.</summary>
    public int Count(int expert) => _begin[expert + 1] - _begin[expert];

    /// <summary>Lists the visits to some of the active experts; valid until the next call.</summary>
    public int[] List(ReadOnlySpan<int> experts, out int count)
    {
        count = 0;
        foreach (var expert in experts)
        {
            for (var visit = _begin[expert]; visit < _begin[expert + 1]; visit++)
                _listed[count++] = visit;
        }

        return _listed;
    }

    /// <summary>The weights of a token's experts, by ascending expert.</summary>
    public ReadOnlySpan<float> Weights(int token) => _weights.AsSpan(token * Used, Used);

    /// <summary>The visits of a token, by ascending expert.</summary>
    public ReadOnlySpan<int> VisitsOf(int token) => _visitOf.AsSpan(token * Used, Used);

    /// <summary>The token of a visit.</summary>
    public int TokenOf(int visit) => _tokenOf[visit];

    /// <summary>Chooses the experts of one token by its scores; of equal scores the lower expert.</summary>
    public void Choose(int token)
    {
        var scores = new ReadOnlySpan<float>(Scores + ((nint)token * _config.Count), _config.Count);
        Span<bool> taken = stackalloc bool[_config.Count];
        taken.Clear();
        var top = 0f;
        for (var i = 0; i < Used; i++)
        {
            var best = -1;
            for (var e = 0; e < scores.Length; e++)
            {
                if (!taken[e] && (best < 0 || scores[e] > scores[best]))
                    best = e;
            }

            taken[best] = true;
            top = i == 0 ? scores[best] : top;
        }

        var all = 0f;
        foreach (var score in scores)
            all += _config.Gating == ExpertGating.Softmax ? MathF.Exp(score - top) : 0;
        var chosen = _chosen.AsSpan(token * Used, Used);
        var weights = _weights.AsSpan(token * Used, Used);
        var sum = 0f;
        for (int e = 0, i = 0; e < scores.Length; e++)
        {
            if (!taken[e])
                continue;
            chosen[i] = e;
            weights[i] = _config.Gating == ExpertGating.Softmax ? MathF.Exp(scores[e] - top) / all : 1 / (1 + MathF.Exp(-scores[e]));
            sum += weights[i++];
        }

        if (!_config.Normalize)
            return;

        // The smallest normal half, below which the peers do not let the divisor fall.
        sum = MathF.Max(sum, 6.103515625e-5f);
        foreach (ref var weight in weights)
            weight /= sum;
    }

    /// <summary>Takes visits that another process's router has chosen, each as a token of its own that visits one expert.</summary>
    public void Assign(ReadOnlySpan<int> experts)
    {
        experts.CopyTo(_chosen);
        Sort(experts.Length);
    }

    /// <summary>Sorts the visits of the chosen experts.</summary>
    public void Sort(int tokens)
    {
        Tokens = tokens;
        Visits = tokens * Used;
        Array.Clear(_begin);
        foreach (var expert in _chosen.AsSpan(0, Visits))
            _begin[expert + 1]++;
        ActiveCount = 0;
        for (var expert = 0; expert < _config.Count; expert++)
        {
            if (_begin[expert + 1] > 0)
                _active[ActiveCount++] = expert;
            _begin[expert + 1] += _begin[expert];
            _next[expert] = _begin[expert];
        }

        for (var i = 0; i < Visits; i++)
        {
            _visitOf[i] = _next[_chosen[i]]++;
            _tokenOf[_visitOf[i]] = i / Used;
        }
    }

    public void Dispose() => _arena.Dispose();
}
