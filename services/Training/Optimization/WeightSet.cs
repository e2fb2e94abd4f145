using System.Runtime.Intrinsics;
using Slm.Training.Kernels;
using Slm.Training.Model;
using TorchSharp;
using static TorchSharp.torch;

namespace Slm.Training.Optimization;

/// <summary>The F32 weights in one flat vector, and a copy of the matrices in the type they are multiplied in.</summary>
internal sealed unsafe class WeightSet<T> : IDisposable
    where T : struct, IStorage
{
    private readonly ParameterLayout _layout;
    private readonly Tensor _master;
    private readonly Tensor _compute;
    private readonly Dictionary<Parameter, (Tensor Matrix, Tensor Transposed)> _views = [];

    public WeightSet(ParameterLayout layout)
    {
        _layout = layout;
        _master = zeros([layout.Length], ScalarType.Float32).DetachFromDisposeScope();
        _compute = zeros([layout.Length], T.Type).DetachFromDisposeScope();
        foreach (var p in layout.All.Where(p => p.IsMatrix))
        {
            using var flat = _compute.narrow(0, p.Offset, p.Length);
            var matrix = flat.view(p.Rows, p.Columns).DetachFromDisposeScope();
            _views.Add(p, (matrix, matrix.t().DetachFromDisposeScope()));
        }

        Master = (float*)TensorMemory.Pointer(_master);
    }

    /// <summary>First element of the flat F32 vector.</summary>
    public float* Master { get; }

    /// <summary>The flat F32 vector.</summary>
    public Span<float> Values => new(Master, _layout.Length);

    /// <summary>[rows, columns] in the compute type.</summary>
    public Tensor Matrix(Parameter parameter) => _views[parameter].Matrix;

    /// <summary>[columns, rows] in the compute type.</summary>
    public Tensor Transposed(Parameter parameter) => _views[parameter].Transposed;

    /// <summary>Copies elements from…to−1 of the F32 vector to the compute type; both multiples of 16.</summary>
    public void Refresh(int from, int to)
    {
        var compute = TensorMemory.Pointer(_compute);
        for (nint i = from; i < to; i += 16)
            T.Store(compute, i, Vector512.Load(Master + i));
    }

    /// <summary>Copies the whole F32 vector to the compute type.</summary>
    public void Refresh() => Refresh(0, _layout.Length);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (matrix, transposed) in _views.Values)
        {
            transposed.Dispose();
            matrix.Dispose();
        }

        _compute.Dispose();
        _master.Dispose();
    }
}

/// <summary>Gradient of one packed batch: matrices in the compute type, gains and the embedding's input side in F32.</summary>
internal sealed unsafe class GradientSlot<T> : IDisposable
    where T : struct, IStorage
{
    private readonly Tensor _matrices;
    private readonly Tensor _input;
    private readonly Tensor _gains;
    private readonly int _hidden;
    private readonly Dictionary<Parameter, Tensor> _views = [];
    private readonly Dictionary<Parameter, int> _gainRows = [];

    public GradientSlot(ParameterLayout layout)
    {
        _hidden = layout.Shape.HiddenSize;
        _matrices = zeros([layout.Length], T.Type).DetachFromDisposeScope();
        _input = zeros([layout.Embedding.Length], ScalarType.Float32).DetachFromDisposeScope();
        foreach (var p in layout.All)
        {
            if (p.IsMatrix)
            {
                using var flat = _matrices.narrow(0, p.Offset, p.Length);
                _views.Add(p, flat.view(p.Rows, p.Columns).DetachFromDisposeScope());
            }
            else
            {
                _gainRows.Add(p, _gainRows.Count);
            }
        }

        _gains = zeros([_gainRows.Count, _hidden], ScalarType.Float32).DetachFromDisposeScope();
        Matrices = TensorMemory.Pointer(_matrices);
        InputEmbedding = (float*)TensorMemory.Pointer(_input);
    }

    /// <summary>Flat vector of all weights in the compute type; only matrices are filled.</summary>
    public void* Matrices { get; }

    /// <summary>[vocabulary, hidden] gradient from the embedding lookup.</summary>
    public float* InputEmbedding { get; }

    /// <summary>Where the gradient of a matrix goes, [rows, columns].</summary>
    public Tensor Matrix(Parameter parameter) => _views[parameter];

    /// <summary>Where the gradient of a gain goes, [hidden].</summary>
    public float* Vector(Parameter parameter) => (float*)TensorMemory.Pointer(_gains) + _gainRows[parameter] * _hidden;

    /// <summary>Zeros what is accumulated.</summary>
    public void Clear()
    {
        _input.zero_();
        _gains.zero_();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var view in _views.Values)
            view.Dispose();
        _matrices.Dispose();
        _input.Dispose();
        _gains.Dispose();
    }
}
