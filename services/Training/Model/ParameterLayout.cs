namespace Slm.Training.Model;

/// <summary>One weight inside the flat parameter vector, row-major [Rows, Columns].</summary>
/// <param name="Name">Name, after GGUF; <c>attn_qkv</c> and <c>ffn_gate_up</c> hold several of its tensors, one after the other.</param>
/// <param name="Rows">Output features (1 for a norm's gain).</param>
/// <param name="Columns">Input features.</param>
/// <param name="Offset">First element in the flat vector.</param>
public sealed record Parameter(string Name, int Rows, int Columns, int Offset)
{
    /// <summary>Number of elements.</summary>
    public int Length => Rows * Columns;

    /// <summary>True for matrices: weight decay applies to them only.</summary>
    public bool IsMatrix => Rows > 1;
}

/// <summary>Where each weight of a model lies in one flat F32 vector.</summary>
public sealed class ParameterLayout
{
    private readonly List<Parameter> _all = [];

    /// <summary>Lays out the weights of <paramref name="shape"/>.</summary>
    public ParameterLayout(ModelShape shape)
    {
        Shape = shape;
        Embedding = Add("token_embd.weight", shape.VocabSize, shape.HiddenSize);
        Layers = new LayerParameters[shape.LayerCount];
        for (var i = 0; i < Layers.Length; i++)
            Layers[i] = new LayerParameters(
                Add($"blk.{i}.attn_norm.weight", 1, shape.HiddenSize),
                Add($"blk.{i}.attn_qkv.weight", shape.AttentionRows, shape.HiddenSize),
                Add($"blk.{i}.attn_output.weight", shape.HiddenSize, shape.HiddenSize),
                Add($"blk.{i}.ffn_norm.weight", 1, shape.HiddenSize),
                Add($"blk.{i}.ffn_gate_up.weight", 2 * shape.FeedForwardSize, shape.HiddenSize),
                Add($"blk.{i}.ffn_down.weight", shape.HiddenSize, shape.FeedForwardSize));
        OutputNorm = Add("output_norm.weight", 1, shape.HiddenSize);
    }

    /// <summary>The sizes.</summary>
    public ModelShape Shape { get; }

    /// <summary>All weights in order.</summary>
    public IReadOnlyList<Parameter> All => _all;

    /// <summary>Number of elements of the flat vector, which is the number of parameters.</summary>
    public int Length { get; private set; }

    /// <summary>Token embedding, also the output head.</summary>
    public Parameter Embedding { get; }

    /// <summary>Weights of each layer.</summary>
    public LayerParameters[] Layers { get; }

    /// <summary>Gain of the last norm.</summary>
    public Parameter OutputNorm { get; }

    /// <summary>The tensors of a GGUF file in its order, and the rows of the weights that each of them is.</summary>
    public IEnumerable<(string Name, Parameter Parameter, int FirstRow, int Rows)> GgufTensors()
    {
        int q = Shape.HeadCount * Shape.HeadSize, kv = Shape.KeyValueHeadCount * Shape.HeadSize, f = Shape.FeedForwardSize;
        yield return Whole(Embedding);
        for (var i = 0; i < Layers.Length; i++)
        {
            var layer = Layers[i];
            yield return Whole(layer.AttentionNorm);
            yield return ($"blk.{i}.attn_q.weight", layer.QueryKeyValue, 0, q);
            yield return ($"blk.{i}.attn_k.weight", layer.QueryKeyValue, q, kv);
            yield return ($"blk.{i}.attn_v.weight", layer.QueryKeyValue, q + kv, kv);
            yield return Whole(layer.AttentionOutput);
            yield return Whole(layer.FeedForwardNorm);
            yield return ($"blk.{i}.ffn_gate.weight", layer.GateUp, 0, f);
            yield return ($"blk.{i}.ffn_up.weight", layer.GateUp, f, f);
            yield return Whole(layer.Down);
        }

        yield return Whole(OutputNorm);

        static (string, Parameter, int, int) Whole(Parameter parameter) => (parameter.Name, parameter, 0, parameter.Rows);
    }

    /// <summary>
    /// Fills <paramref name="weights"/>: gains 1; matrices normal with deviation 0.02 for the embedding,
    /// 1/√fan-in for the others, and that divided by √(2·layers) where a matrix writes into the residual stream.
    /// </summary>
    public void Initialize(Span<float> weights, ulong seed)
    {
        var random = new GaussianStream(seed);
        foreach (var parameter in _all)
        {
            var target = weights.Slice(parameter.Offset, parameter.Length);
            if (!parameter.IsMatrix)
            {
                target.Fill(1);
                continue;
            }

            var deviation = parameter == Embedding ? 0.02 : 1 / Math.Sqrt(parameter.Columns);
            if (Array.Exists(Layers, l => l.AttentionOutput == parameter || l.Down == parameter))
                deviation /= Math.Sqrt(2 * Shape.LayerCount);
            foreach (ref var value in target)
                value = (float)(deviation * random.Next());
        }
    }

    private Parameter Add(string name, int rows, int columns)
    {
        var parameter = new Parameter(name, rows, columns, Length);
        _all.Add(parameter);
        Length += parameter.Length;
        return parameter;
    }
}

/// <summary>Weights of one layer.</summary>
public sealed record LayerParameters(Parameter AttentionNorm, Parameter QueryKeyValue, Parameter AttentionOutput, Parameter FeedForwardNorm, Parameter GateUp, Parameter Down);

/// <summary>Normal deviates from a seed: SplitMix64 and Box-Muller, the same on every machine.</summary>
internal sealed class GaussianStream(ulong seed)
{
    private ulong _state = seed;
    private double? _spare;

    public double Next()
    {
        if (_spare is { } spare)
        {
            _spare = null;
            return spare;
        }

        var radius = Math.Sqrt(-2 * Math.Log(1 - Uniform()));
        var angle = 2 * Math.PI * Uniform();
        _spare = radius * Math.Sin(angle);
        return radius * Math.Cos(angle);
    }

    private double Uniform()
    {
        _state += 0x9E3779B97F4A7C15;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
