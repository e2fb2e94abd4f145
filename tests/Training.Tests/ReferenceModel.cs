using Slm.Training.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace Slm.Training.Tests;

/// <summary>The llama family written with libtorch's own operators and automatic differentiation, one document at a time, F64.</summary>
internal sealed class ReferenceModel
{
    private readonly ParameterLayout _layout;
    private readonly Dictionary<Parameter, Tensor> _weights = [];

    public ReferenceModel(ParameterLayout layout, ReadOnlySpan<float> flat)
    {
        _layout = layout;
        foreach (var p in layout.All)
        {
            var values = new double[p.Length];
            for (var i = 0; i < p.Length; i++)
                values[i] = flat[p.Offset + i];
            _weights.Add(p, tensor(values).view(p.IsMatrix ? [p.Rows, p.Columns] : [p.Columns]).requires_grad_(true));
        }
    }

    /// <summary>Logits [tokens, vocabulary] of one document.</summary>
    public Tensor Logits(IEnumerable<int> tokens)
    {
        var shape = _layout.Shape;
        var ids = tensor([.. tokens.Select(t => (long)t)]);
        var n = ids.shape[0];
        var (h, g, w) = (shape.HeadCount, shape.KeyValueHeadCount, shape.HeadSize);
        var x = _weights[_layout.Embedding].index_select(0, ids);
        var mask = full([n, n], double.NegativeInfinity, ScalarType.Float64).triu(1);
        foreach (var layer in _layout.Layers)
        {
            var qkv = nn.functional.linear(Norm(x, layer.AttentionNorm), _weights[layer.QueryKeyValue]);
            var q = Rotate(qkv.narrow(1, 0, h * w).view(n, h, w).transpose(0, 1));
            var k = Rotate(qkv.narrow(1, h * w, g * w).view(n, g, w).transpose(0, 1)).repeat_interleave(h / g, 0);
            var v = qkv.narrow(1, (h + g) * w, g * w).view(n, g, w).transpose(0, 1).repeat_interleave(h / g, 0);
            var scores = q.matmul(k.transpose(1, 2)) / Math.Sqrt(w) + mask;
            var attended = scores.softmax(-1).matmul(v).transpose(0, 1).reshape(n, h * w);
            x = x + nn.functional.linear(attended, _weights[layer.AttentionOutput]);
            var gateUp = nn.functional.linear(Norm(x, layer.FeedForwardNorm), _weights[layer.GateUp]);
            var gate = gateUp.narrow(1, 0, shape.FeedForwardSize);
            x = x + nn.functional.linear(nn.functional.silu(gate) * gateUp.narrow(1, shape.FeedForwardSize, shape.FeedForwardSize), _weights[layer.Down]);
        }

        return nn.functional.linear(Norm(x, _layout.OutputNorm), _weights[_layout.Embedding]);
    }

    /// <summary>Gradient of each weight after backward, flat.</summary>
    public double[] Gradient()
    {
        var flat = new double[_layout.Length];
        foreach (var (p, weight) in _weights)
            weight.grad!.data<double>().ToArray().CopyTo(flat, p.Offset);
        return flat;
    }

    private Tensor Norm(Tensor x, Parameter gain)
        => x * (x.pow(2).mean([-1], keepdim: true) + _layout.Shape.NormEpsilon).rsqrt() * _weights[gain];

    private Tensor Rotate(Tensor x)
    {
        var (heads, n, w) = (x.shape[0], x.shape[1], x.shape[2]);
        var angles = new double[n * w / 2];
        for (var p = 0; p < n; p++)
            for (var i = 0; i < w / 2; i++)
                angles[p * w / 2 + i] = p * Math.Pow(_layout.Shape.RopeBase, -2.0 * i / w);
        var turned = tensor(angles).view(n, w / 2);
        var pairs = x.reshape(heads, n, w / 2, 2);
        var (even, odd) = (pairs.select(3, 0), pairs.select(3, 1));
        return stack([even * turned.cos() - odd * turned.sin(), even * turned.sin() + odd * turned.cos()], 3).reshape(heads, n, w);
    }
}
