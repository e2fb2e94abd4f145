using System.Runtime.InteropServices;
using Slm.Training.Data;
using Slm.Training.Kernels;
using Slm.Training.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace Slm.Training.Optimization;

/// <summary>
/// Loss and gradient of one packed batch, forwards and backwards by hand: libtorch multiplies the matrices, the kernels
/// of this project do the rest in one pass each. A worker belongs to one thread; several workers on different batches
/// share the weights, so the threads never wait for each other inside a batch.
/// </summary>
/// <typeparam name="T">Type of activations, gradients and the weights that are multiplied.</typeparam>
internal sealed unsafe class GradientWorker<T> : IDisposable
    where T : struct, IStorage
{
    private readonly ParameterLayout _layout;
    private readonly ModelShape _shape;
    private readonly int _tokens;
    private readonly AttentionKernel<T> _attention;
    private readonly List<Tensor> _owned = [];
    private readonly Buffer[] _residual;
    private readonly LayerBuffers[] _layers;
    private readonly Buffer _normed, _logits, _dNormed, _dResidual, _dOut, _sublayer, _dAttended, _dQkv, _dActivated, _dGateUp;
    private readonly float* _finalScale;

    /// <summary>Takes the memory for batches of exactly <paramref name="tokens"/> tokens.</summary>
    public GradientWorker(ParameterLayout layout, int tokens)
    {
        (_layout, _shape, _tokens) = (layout, layout.Shape, tokens);
        var (d, f) = (_shape.HiddenSize, _shape.FeedForwardSize);
        _attention = new AttentionKernel<T>(_shape.HeadCount, _shape.KeyValueHeadCount, _shape.HeadSize, _shape.ContextLength, _shape.RopeBase);
        _residual = [.. Enumerable.Range(0, 2 * _shape.LayerCount + 1).Select(_ => Make(d, ScalarType.Float32))];
        _layers = [.. _layout.Layers.Select(_ => new LayerBuffers(
            Make(d), Make(_shape.AttentionRows), Make(d), Make(d), Make(2 * f), Make(f),
            Make(1, ScalarType.Float32), Make(1, ScalarType.Float32), Make(_shape.HeadCount, ScalarType.Float32)))];
        _normed = Make(d);
        _logits = Make(_shape.VocabSize);
        _dNormed = Make(d);
        _dResidual = Make(d, ScalarType.Float32);
        _dOut = Make(d);
        _sublayer = Make(d);
        _dAttended = Make(d);
        _dQkv = Make(_shape.AttentionRows);
        _dActivated = Make(f);
        _dGateUp = Make(2 * f);
        _finalScale = (float*)Make(1, ScalarType.Float32).Data;
    }

    /// <summary>
    /// Σ −log p(target) of the batch, and into <paramref name="slot"/> its gradient times <paramref name="weight"/>.
    /// </summary>
    public double Run(PackedBatch batch, WeightSet<T> weights, GradientSlot<T> slot, float weight)
    {
        if (batch.Tokens.Length != _tokens)
            throw new ArgumentException($"The batch has {batch.Tokens.Length} tokens, the worker {_tokens}.", nameof(batch));
        slot.Clear();
        Forward(batch, weights);
        var loss = CrossEntropyKernel.ForwardBackward<T>(_logits.Data, batch.Targets, _shape.VocabSize, weight);
        Backward(batch, weights, slot);
        return loss;
    }

    /// <summary>Σ −log p(target) of the batch.</summary>
    public double Loss(PackedBatch batch, WeightSet<T> weights)
    {
        Forward(batch, weights);
        return CrossEntropyKernel.ForwardBackward<T>(_logits.Data, batch.Targets, _shape.VocabSize, 1);
    }

    /// <summary>Logits [tokens, vocabulary] of the batch, copied.</summary>
    public float[] Logits(PackedBatch batch, WeightSet<T> weights)
    {
        Forward(batch, weights);
        var logits = new float[_tokens * _shape.VocabSize];
        for (var i = 0; i < logits.Length; i++)
            logits[i] = T.Get(_logits.Data, i);
        return logits;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _attention.Dispose();
        _owned.ForEach(t => t.Dispose());
    }

    private void Forward(PackedBatch batch, WeightSet<T> weights)
    {
        var (d, f) = (_shape.HiddenSize, _shape.FeedForwardSize);
        var x = (float*)_residual[0].Data;
        var embedding = weights.Master + _layout.Embedding.Offset;
        for (var i = 0; i < _tokens; i++)
            new Span<float>(embedding + (nint)batch.Tokens[i] * d, d).CopyTo(new Span<float>(x + (nint)i * d, d));
        for (var l = 0; l < _layers.Length; l++)
        {
            var (b, p) = (_layers[l], _layout.Layers[l]);
            var delta = l == 0 ? null : _sublayer.Data;
            var into = (float*)_residual[2 * l].Data;
            NormKernel.Forward<T>(l == 0 ? into : (float*)_residual[2 * l - 1].Data, delta, weights.Master + p.AttentionNorm.Offset, into, b.Normed.Data, (float*)b.Scale.Data, _tokens, d, _shape.NormEpsilon);
            Product(b.Qkv.Tensor, b.Normed.Tensor, weights.Transposed(p.QueryKeyValue));
            ClearPadding(batch, b.Attended.Data, d);
            foreach (var segment in batch.Segments)
                _attention.Forward(b.Qkv.Data, b.Attended.Data, (float*)b.LogSum.Data, segment.Start, segment.Length);
            Product(_sublayer.Tensor, b.Attended.Tensor, weights.Transposed(p.AttentionOutput));
            NormKernel.Forward<T>(into, _sublayer.Data, weights.Master + p.FeedForwardNorm.Offset, (float*)_residual[2 * l + 1].Data, b.Normed2.Data, (float*)b.Scale2.Data, _tokens, d, _shape.NormEpsilon);
            Product(b.GateUp.Tensor, b.Normed2.Tensor, weights.Transposed(p.GateUp));
            SwiGluKernel.Forward<T>(b.GateUp.Data, b.Activated.Data, _tokens, f);
            Product(_sublayer.Tensor, b.Activated.Tensor, weights.Transposed(p.Down));
        }

        var last = 2 * _layers.Length;
        NormKernel.Forward<T>((float*)_residual[last - 1].Data, _sublayer.Data, weights.Master + _layout.OutputNorm.Offset, (float*)_residual[last].Data, _normed.Data, _finalScale, _tokens, d, _shape.NormEpsilon);
        Product(_logits.Tensor, _normed.Tensor, weights.Transposed(_layout.Embedding));
    }

    private void Backward(PackedBatch batch, WeightSet<T> weights, GradientSlot<T> slot)
    {
        var (d, f) = (_shape.HiddenSize, _shape.FeedForwardSize);
        var dx = (float*)_dResidual.Data;
        new Span<float>(dx, _tokens * d).Clear();
        Product(_dNormed.Tensor, _logits.Tensor, weights.Matrix(_layout.Embedding));
        Product(slot.Matrix(_layout.Embedding), _logits.Transposed, _normed.Tensor);
        NormKernel.Backward<T>((float*)_residual[2 * _layers.Length].Data, _finalScale, weights.Master + _layout.OutputNorm.Offset, _dNormed.Data, dx, _dOut.Data, slot.Vector(_layout.OutputNorm), _tokens, d);
        for (var l = _layers.Length - 1; l >= 0; l--)
        {
            var (b, p) = (_layers[l], _layout.Layers[l]);
            Product(_dActivated.Tensor, _dOut.Tensor, weights.Matrix(p.Down));
            Product(slot.Matrix(p.Down), _dOut.Transposed, b.Activated.Tensor);
            SwiGluKernel.Backward<T>(b.GateUp.Data, _dActivated.Data, _dGateUp.Data, _tokens, f);
            Product(_dNormed.Tensor, _dGateUp.Tensor, weights.Matrix(p.GateUp));
            Product(slot.Matrix(p.GateUp), _dGateUp.Transposed, b.Normed2.Tensor);
            NormKernel.Backward<T>((float*)_residual[2 * l + 1].Data, (float*)b.Scale2.Data, weights.Master + p.FeedForwardNorm.Offset, _dNormed.Data, dx, _dOut.Data, slot.Vector(p.FeedForwardNorm), _tokens, d);

            Product(_dAttended.Tensor, _dOut.Tensor, weights.Matrix(p.AttentionOutput));
            Product(slot.Matrix(p.AttentionOutput), _dOut.Transposed, b.Attended.Tensor);
            ClearPadding(batch, _dQkv.Data, _shape.AttentionRows);
            foreach (var segment in batch.Segments)
                _attention.Backward(b.Qkv.Data, b.Attended.Data, (float*)b.LogSum.Data, _dAttended.Data, _dQkv.Data, segment.Start, segment.Length);
            Product(_dNormed.Tensor, _dQkv.Tensor, weights.Matrix(p.QueryKeyValue));
            Product(slot.Matrix(p.QueryKeyValue), _dQkv.Transposed, b.Normed.Tensor);
            NormKernel.Backward<T>((float*)_residual[2 * l].Data, (float*)b.Scale.Data, weights.Master + p.AttentionNorm.Offset, _dNormed.Data, dx, _dOut.Data, slot.Vector(p.AttentionNorm), _tokens, d);
        }

        for (var i = 0; i < _tokens; i++)
        {
            var target = slot.InputEmbedding + (nint)batch.Tokens[i] * d;
            for (var c = 0; c < d; c++)
                target[c] += dx[(nint)i * d + c];
        }
    }

    /// <summary>Zeros the rows outside every segment, which the attention kernel leaves alone.</summary>
    private void ClearPadding(PackedBatch batch, void* data, int width)
    {
        var at = 0;
        foreach (var segment in batch.Segments.Append(new Segment(_tokens, 0)))
        {
            for (var i = (nint)at * width; i < (nint)segment.Start * width; i += 16)
                T.Store(data, i, default);
            at = segment.Start + segment.Length;
        }
    }

    private static void Product(Tensor into, Tensor a, Tensor b) => into.addmm_(a, b, 0, 1);

    private Buffer Make(int width, ScalarType? type = null)
    {
        var tensor = zeros([_tokens, width], type ?? T.Type).DetachFromDisposeScope();
        var transposed = tensor.t().DetachFromDisposeScope();
        _owned.AddRange([tensor, transposed]);
        return new Buffer(tensor, transposed, TensorMemory.Pointer(tensor));
    }

    private readonly struct Buffer(Tensor tensor, Tensor transposed, void* data)
    {
        public Tensor Tensor { get; } = tensor;

        public Tensor Transposed { get; } = transposed;

        public void* Data { get; } = data;
    }

    private sealed record LayerBuffers(Buffer Normed, Buffer Qkv, Buffer Attended, Buffer Normed2, Buffer GateUp, Buffer Activated, Buffer Scale, Buffer Scale2, Buffer LogSum);
}

/// <summary>Addresses of tensors in main memory.</summary>
internal static unsafe class TensorMemory
{
    /// <summary>First byte of a contiguous tensor; valid while the tensor lives.</summary>
    public static void* Pointer(Tensor tensor)
    {
        fixed (byte* data = &MemoryMarshal.GetReference(tensor.bytes))
            return data;
    }
}
