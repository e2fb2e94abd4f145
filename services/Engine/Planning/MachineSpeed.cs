using System.Diagnostics;
using Slm.Engine.Blocks;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Kernels.Panels;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;

namespace Slm.Engine.Planning;

/// <summary>How fast this process computes, as the planner needs it.</summary>
/// <param name="ReadBytesPerSecond">Bytes of weights per second that all threads read from memory in products with one token, what multiplying adds not counted.</param>
/// <param name="MultiplyAddsPerSecond">Multiply-adds per second of all threads in products of 4-bit weights with many tokens.</param>
/// <param name="FloatMultiplyAddsPerSecond">The same with weights that are floats.</param>
public sealed record MachineSpeed(double ReadBytesPerSecond, double MultiplyAddsPerSecond, double FloatMultiplyAddsPerSecond)
{
    /// <summary>Rows of the matrices that are read from memory: 151 MB, more than caches hold.</summary>
    private const int FarRows = 1 << 17;

    /// <summary>Rows of one of them, as large as those of a model of a billion weights.</summary>
    private const int MatrixRows = 1 << 12;
    private const int ReadPasses = 7;
    private const int Rows = 2048;
    private const int FloatRows = 512;
    private const int Columns = 2048;
    private const int Tokens = 64;
    private const int ProductPasses = 4;

    /// <summary>Measures with the kernels in use; takes a quarter of a second or so, in which the threads do nothing else.</summary>
    /// <param name="workers">The threads that will compute.</param>
    public static MachineSpeed Measure(WorkerPool workers)
    {
        ArgumentNullException.ThrowIfNull(workers);
        var multiplyAdds = Products(workers, TensorType.Q4_0, Rows, Tokens);
        return new MachineSpeed(Reading(workers, multiplyAdds), multiplyAdds, Products(workers, TensorType.F32, FloatRows, Tokens));
    }

    /// <summary>
    /// Bytes per second r with which <see cref="Work.Seconds"/> says what products with one token take, with the given f, of matrices
    /// that come from memory, one after the other, as a step has them. A loop that only reads is no measure of it: by that, decoding
    /// a model of a billion weights on one thread was predicted 40 % too slow.
    /// </summary>
    private static double Reading(WorkerPool workers, double multiplyAddsPerSecond)
    {
        var seconds = Seconds(workers, TensorType.Q4_0, FarRows, 1, MatrixRows, ReadPasses);
        seconds.Sort();
        var middle = seconds[ReadPasses / 2];
        var layout = PanelLayout.Of(TensorType.Q4_0);
        var bytes = (double)FarRows * (layout?.RowBytes(Columns) ?? TensorTypes.RowBytes(TensorType.Q4_0, Columns));

        // Half of the shorter is hidden: of multiplying, or of reading where that is less. Where it is all hidden, reading is no limit.
        var multiplying = (double)FarRows * Columns / multiplyAddsPerSecond;
        var reading = middle - (multiplying / 2);
        return bytes / (reading >= multiplying ? reading : Math.Max(2 * (middle - multiplying), middle / 4));
    }

    /// <summary>Multiply-adds per second of products with one matrix.</summary>
    /// <param name="workers">Threads.</param>
    /// <param name="type">Type of the weights.</param>
    /// <param name="rows">Rows of the matrix, which has 2,048 columns.</param>
    /// <param name="tokens">Tokens.</param>
    internal static double Products(WorkerPool workers, TensorType type, int rows, int tokens) =>
        (double)rows * Columns * tokens / Seconds(workers, type, rows, tokens, rows, ProductPasses).Min();

    /// <summary>Seconds of each pass over all rows, in products of some rows at a time.</summary>
    private static unsafe List<double> Seconds(WorkerPool workers, TensorType type, int rows, int tokens, int rowsAtOnce, int passes)
    {
        var kernels = KernelSet.Best;
        var layout = PanelLayout.Of(type);
        var rowBytes = layout?.RowBytes(Columns) ?? TensorTypes.RowBytes(type, Columns);
        using var weights = new NativeBuffer(rowBytes * rows);
        MemoryAdvice.UseLargePages(weights.Pointer, weights.Bytes);
        using var input = new NativeBuffer(Columns * tokens * (long)sizeof(float));
        using var int8 = new NativeBuffer(Columns * tokens);
        using var scales = new NativeBuffer(Columns / 32 * tokens * sizeof(ActivationScale));
        using var output = new NativeBuffer((long)rows * tokens * sizeof(float));
        using var scratch = new NativeBuffer(workers.Threads * Columns * 4L * sizeof(float));
        new Span<byte>(weights.Pointer, (int)weights.Bytes).Fill(0x11);
        new Span<float>(input.Pointer, Columns * tokens).Fill(0.1f);
        new Span<byte>(int8.Pointer, (int)int8.Bytes).Fill(3);
        new Span<ActivationScale>(scales.Pointer, Columns / 32 * tokens).Fill(new ActivationScale { Scale = 0.01f, ScaledSum = 0.96f, FirstSum = 48, LastSum = 48, MinusEightSums = -768 });
        var task = new MatMulTask
        {
            Weights = weights.Pointer,
            RowBytes = (nint)rowBytes,
            RowsTogether = layout is null ? 1 : kernels.PanelRows,
            Rows = rowsAtOnce,
            Columns = Columns,
            Tokens = tokens,
            X = (float*)input.Pointer,
            XInt8 = (sbyte*)int8.Pointer,
            XScales = (ActivationScale*)scales.Pointer,
            Y = (float*)output.Pointer,
            Kernel = kernels.MatMul(type),
        };
        var seconds = new List<double>(passes);
        for (var pass = 0; pass < passes; pass++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var row = 0; row < rows; row += rowsAtOnce)
            {
                task.Weights = weights.Pointer + (row * (nint)rowBytes);
                var product = new Product(in task, (float*)scratch.Pointer, workers.Threads);
                workers.Run(product.Parts, ref product);
            }

            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return seconds;
    }

    private readonly unsafe struct Product : IParallelWork
    {
        private readonly MatMulTask _task;
        private readonly float* _scratch;
        private readonly int _rows;

        public Product(in MatMulTask task, float* scratch, int threads)
        {
            _task = task;
            _scratch = scratch;
            _rows = ProductsWork.PartRows(task.Rows, in task, threads);
            Parts = (task.Rows + _rows - 1) / _rows;
        }

        public int Parts { get; }

        public void Execute(int part, int worker) =>
            _task.Run(part * _rows, Math.Min(_task.Rows, (part + 1) * _rows), _scratch + ((nint)worker * _task.Columns * 4));
    }
}
