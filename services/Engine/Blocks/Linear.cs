using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>A stored weight matrix [rows, columns], used where it lies, and its optional bias [rows].</summary>
internal sealed unsafe class Linear
{
    private readonly byte* _weights;
    private readonly nint _rowBytes;
    private readonly PinnedArray? _bias;
    private readonly delegate*<in MatMulTask, int, int, float*, void> _kernel;

    public Linear(byte* weights, TensorType type, int rows, int columns, PinnedArray? bias, KernelSet kernels)
    {
        _weights = weights;
        _bias = bias;
        _kernel = kernels.MatMul(type);
        _rowBytes = (nint)TensorTypes.RowBytes(type, columns);
        Type = type;
        Rows = rows;
        Columns = columns;
    }

    public TensorType Type { get; }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>The kernel reads int8 activations.</summary>
    public bool WantsInt8 => Type is TensorType.Q8_0 or TensorType.Q4_0;

    /// <summary>Bytes from row to row.</summary>
    public nint RowBytes => _rowBytes;

    /// <summary>Writes row <paramref name="row"/> as F32.</summary>
    public void Row(int row, float* target) => RowDequantizer.Dequantize(Type, _weights + (row * _rowBytes), target, Columns);

    /// <summary>The product with <paramref name="x"/>; the quantized form is the context's, which the caller has filled if wanted.</summary>
    public MatMulTask Task(StepContext context, float* x, int tokens, float* y, bool accumulate = false) => new()
    {
        Weights = _weights,
        RowBytes = _rowBytes,
        Rows = Rows,
        Columns = Columns,
        Tokens = tokens,
        X = x,
        XInt8 = context.Int8,
        XScales = context.Scales,
        Y = y,
        Bias = _bias is null ? null : _bias.Pointer,
        Accumulate = accumulate,
        Kernel = _kernel,
    };

    /// <summary>Runs one product on all threads.</summary>
    public void Multiply(StepContext context, float* x, int tokens, float* y, bool accumulate = false)
    {
        var work = new ProductsWork(context, Task(context, x, tokens, y, accumulate), default, default);
        context.Workers.Run(work.Parts, ref work);
    }
}

/// <summary>Quantizes rows of F32 activations into the context.</summary>
internal readonly unsafe struct QuantizeWork(StepContext context, float* x, int columns) : IParallelWork
{
    private readonly float* _x = x;

    public void Execute(int part, int worker) => ActivationQuantizer.Quantize(
        _x + ((nint)part * columns), context.Int8 + ((nint)part * columns), context.Scales + ((nint)part * (columns / 32)), columns);
}

/// <summary>Up to three products of the same input in one parallel region.</summary>
internal readonly struct ProductsWork : IParallelWork
{
    private readonly StepContext _context;
    private readonly MatMulTask _a, _b, _c;
    private readonly int _partRows, _partsA, _partsB;

    public ProductsWork(StepContext context, in MatMulTask a, in MatMulTask b, in MatMulTask c)
    {
        _context = context;
        _a = a;
        _b = b;
        _c = c;
        _partRows = PartRows(a.Rows + b.Rows + c.Rows, in a, context.Workers.Threads);
        _partsA = (a.Rows + _partRows - 1) / _partRows;
        _partsB = (b.Rows + _partRows - 1) / _partRows;
        Parts = _partsA + _partsB + ((c.Rows + _partRows - 1) / _partRows);
    }

    public int Parts { get; }

    public void Execute(int part, int worker)
    {
        if (part < _partsA)
            Run(in _a, part, worker);
        else if (part < _partsA + _partsB)
            Run(in _b, part - _partsA, worker);
        else
            Run(in _c, part - _partsA - _partsB, worker);
    }

    /// <summary>
    /// Rows per part, a multiple of four: enough work to pay for the hand-over, several parts per thread, and weights
    /// that stay in a core's cache while the tokens pass.
    /// </summary>
    public static int PartRows(int rows, in MatMulTask task, int threads)
    {
        const long LeastProducts = 16 * 1024;
        const long CacheBytes = 256 * 1024;
        if (threads == 1 && task.Tokens == 1)
            return Math.Max(4, rows);
        var least = LeastProducts / ((long)task.Columns * task.Tokens);
        var share = (rows + (threads * 4) - 1) / (threads * 4);
        var part = Math.Max(least, Math.Min(share, CacheBytes / task.RowBytes));
        return (int)Math.Min(int.MaxValue - 3, part + 3) / 4 * 4;
    }

    private unsafe void Run(in MatMulTask task, int part, int worker)
    {
        var begin = part * _partRows;
        task.Run(begin, Math.Min(task.Rows, begin + _partRows), _context.Scratch(worker));
    }
}
