using System.Runtime.CompilerServices;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Kernels.Panels;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>
/// A stored weight matrix [rows, columns] and its optional bias [rows]. Floats are used where they lie; products of quantized
/// types read panels, which they make as they go until <see cref="Pack"/> has made them for good.
/// </summary>
internal sealed unsafe class Linear
{
    private readonly byte* _stored;
    private readonly nint _storedRowBytes;
    private readonly PanelLayout? _layout;
    private readonly int _panelRows;
    private readonly nint _rowBytes;
    private byte* _weights;
    private readonly PinnedArray? _bias;
    private readonly delegate*<in MatMulTask, int, int, float*, void> _kernel;

    public Linear(byte* weights, TensorType type, int rows, int columns, PinnedArray? bias, KernelSet kernels)
    {
        _stored = weights;
        _bias = bias;
        _kernel = kernels.MatMul(type);
        _storedRowBytes = (nint)TensorTypes.RowBytes(type, columns);
        _layout = PanelLayout.Of(type);
        _panelRows = kernels.PanelRows;
        Type = type;
        Rows = rows;
        Columns = columns;
        _rowBytes = _layout is null ? _storedRowBytes : (nint)_layout.RowBytes(columns);
        if (_layout is null)
            _weights = _stored;
    }

    /// <summary>Name of the tensor, for observers; empty if products are none that they know.</summary>
    public string Name { get; init; } = "";

    /// <summary>What owns the weights if they are not the file's.</summary>
    public object? Owner { get; init; }

    /// <summary>Name by which adapters change the matrix; that of its tensor, unless the tensor serves for something else as well.</summary>
    public string AdapterName
    {
        get => field ?? Name;
        set;
    }

    /// <summary>First of the tensor's rows, where it holds several matrices.</summary>
    public int FirstRow { get; init; }

    /// <summary>Its columns are rows of the tensor.</summary>
    public bool IsTransposed { get; init; }

    /// <summary>What each adapter adds, by slot; null while none changes the matrix.</summary>
    public LoraFactors* Adapters { get; set; }

    /// <summary>Index among the matrices of its tensor, for observers: the expert.</summary>
    public int Index { get; init; }

    /// <summary>Matrices of its tensor, for observers.</summary>
    public int Matrices { get; init; } = 1;

    public TensorType Type { get; }

    public int Rows { get; }

    public int Columns { get; }

    /// <summary>The kernel reads int8 activations.</summary>
    public bool WantsInt8 => _layout is not null;

    /// <summary>Bytes of the panels; 0 if the matrix is used where it lies.</summary>
    public long PackedBytes => _layout is null ? 0 : checked(_layout.RowBytes(Columns) * PanelCount * _panelRows);

    /// <summary>Bytes of the matrix as the file has it.</summary>
    public long StoredBytes => _storedRowBytes * (long)Rows;

    /// <summary>Bytes of the matrix as the products read it: panels, or as stored.</summary>
    public long WorkingBytes => _layout is null ? StoredBytes : PackedBytes;

    private int PanelCount => (Rows + _panelRows - 1) / _panelRows;

    /// <summary>Writes row <paramref name="row"/> as F32.</summary>
    public void Row(int row, float* target) => RowDequantizer.Dequantize(Type, _stored + (row * _storedRowBytes), target, Columns);

    /// <summary>Packs the matrix into <paramref name="target"/>, which outlives this object, and lets go of the file's pages. No product may run.</summary>
    public void Pack(byte* target, WorkerPool workers)
    {
        if (_layout is null || _weights != null)
            return;
        // A piece at a time, so that hardly anything is in memory twice.
        const long PieceBytes = 8 << 20;
        var piece = (int)Math.Clamp(PieceBytes / (_storedRowBytes * _panelRows), 1, PanelCount);
        for (var begin = 0; begin < PanelCount; begin += piece)
        {
            var end = Math.Min(PanelCount, begin + piece);
            var work = new PackWork(this, target, begin, end);
            workers.Run(work.Parts, ref work);
            var first = begin * _panelRows * (long)_storedRowBytes;
            MemoryAdvice.LetGo(_stored + first, Math.Min((long)Rows, (long)end * _panelRows) * _storedRowBytes - first);
        }

        _weights = target;
    }

    /// <summary>Writes <see cref="WorkingBytes"/> from a copy of what the file has, for <see cref="TaskOn"/>; this object stays as it is.</summary>
    public void LayOut(byte* stored, byte* target)
    {
        if (_layout is null)
            Buffer.MemoryCopy(stored, target, StoredBytes, StoredBytes);
        else
            PanelPacker.Pack(Type, stored, target, Rows, Columns, _panelRows, 0, PanelCount);
    }

    /// <summary>The same as <see cref="Task"/> with weights that <see cref="LayOut"/> has written.</summary>
    public MatMulTask TaskOn(byte* working, StepContext context, float* x, int tokens, float* y)
    {
        context.Observer?.Observe(Name, new ReadOnlySpan<float>(x, checked(tokens * Columns)), Columns, Index, Matrices);
        var task = Describe(context, x, tokens, y, accumulate: false);
        task.Weights = working;
        task.Stored = null;
        return task;
    }

    /// <summary>The product with <paramref name="x"/>; the quantized form is the context's, which the caller has filled if wanted.</summary>
    public MatMulTask Task(StepContext context, float* x, int tokens, float* y, bool accumulate = false)
    {
        if (Name.Length > 0)
            context.Observer?.Observe(Name, new ReadOnlySpan<float>(x, checked(tokens * Columns)), Columns, Index, Matrices);
        return Describe(context, x, tokens, y, accumulate);
    }

    /// <summary>Runs one product on all threads.</summary>
    public void Multiply(StepContext context, float* x, int tokens, float* y, bool accumulate = false)
    {
        var work = new ProductsWork(context, Task(context, x, tokens, y, accumulate), default, default);
        context.Workers.Run(work.Parts, ref work);
    }

    private MatMulTask Describe(StepContext context, float* x, int tokens, float* y, bool accumulate)
    {
        var task = new MatMulTask
        {
            Weights = _weights,
            Stored = _weights == null ? _stored : null,
            Type = Type,
            RowBytes = _rowBytes,
            RowsTogether = _layout is null ? 1 : _panelRows,
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
        if (Adapters != null && context.Adapters.Active)
            context.Adapters.Attach(ref task, Adapters, context, Matrices > 1 ? context.Experts!.Begin(Index) : -1);
        return task;
    }

    /// <summary>A few panels at a time.</summary>
    private readonly struct PackWork : IParallelWork
    {
        private readonly Linear _matrix;
        private readonly byte* _target;
        private readonly int _begin, _end, _panels;

        public PackWork(Linear matrix, byte* target, int begin, int end)
        {
            _matrix = matrix;
            _target = target;
            _begin = begin;
            _end = end;
            _panels = (int)Math.Clamp((256 << 10) / Math.Max(1, matrix._storedRowBytes * matrix._panelRows), 1, end - begin);
            Parts = (end - begin + _panels - 1) / _panels;
        }

        public int Parts { get; }

        public void Execute(int part, int worker)
        {
            var begin = _begin + (part * _panels);
            PanelPacker.Pack(_matrix.Type, _matrix._stored, _target, _matrix.Rows, _matrix.Columns, _matrix._panelRows, begin, Math.Min(_end, begin + _panels));
        }
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
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
    /// Rows per part, a multiple of any panel: enough work to pay for the hand-over, several parts per thread, and weights
    /// that stay in a core's cache while the tokens pass.
    /// </summary>
    public static int PartRows(int rows, in MatMulTask task, int threads)
    {
        const long LeastProducts = 16 * 1024;
        const long CacheBytes = 256 * 1024;
        const int PartUnit = 16;
        if (threads == 1 && task.Tokens == 1)
            return (Math.Max(1, rows) + PartUnit - 1) / PartUnit * PartUnit;
        var least = LeastProducts / ((long)task.Columns * task.Tokens);
        var share = (rows + (threads * 4) - 1) / (threads * 4);
        var part = Math.Max(least, Math.Min(share, CacheBytes / task.RowBytes));
        return (int)Math.Min(int.MaxValue - PartUnit, part + PartUnit - 1) / PartUnit * PartUnit;
    }

    private unsafe void Run(in MatMulTask task, int part, int worker)
    {
        var begin = part * _partRows;
        task.Run(begin, Math.Min(task.Rows, begin + _partRows), _context.Scratch(worker));
    }
}
