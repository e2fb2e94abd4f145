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
/// <param name="ReadBytesPerSecond">Bytes per second that all threads read from memory.</param>
/// <param name="MultiplyAddsPerSecond">Multiply-adds per second of all threads in products of 4-bit weights with many tokens.</param>
public sealed record MachineSpeed(double ReadBytesPerSecond, double MultiplyAddsPerSecond)
{
    private const long ReadBytes = 256L << 20;
    private const int ReadPasses = 4;
    private const int Rows = 2048;
    private const int Columns = 2048;
    private const int Tokens = 64;
    private const int ProductPasses = 4;

    /// <summary>Measures with the kernels in use; takes a quarter of a second or so, in which the threads do nothing else.</summary>
    /// <param name="workers">The threads that will compute.</param>
    public static MachineSpeed Measure(WorkerPool workers)
    {
        ArgumentNullException.ThrowIfNull(workers);
        return new MachineSpeed(ReadBandwidth.Measure(workers, ReadBytes, ReadPasses), Products(workers));
    }

    private static unsafe double Products(WorkerPool workers)
    {
        var kernels = KernelSet.Best;
        var rowBytes = PanelLayout.Of(TensorType.Q4_0)!.RowBytes(Columns);
        using var weights = new NativeBuffer(rowBytes * Rows);
        using var int8 = new NativeBuffer(Columns * Tokens);
        using var scales = new NativeBuffer(Columns / 32 * Tokens * sizeof(ActivationScale));
        using var output = new NativeBuffer((long)Rows * Tokens * sizeof(float));
        using var scratch = new NativeBuffer(workers.Threads * Columns * 4L * sizeof(float));
        new Span<byte>(weights.Pointer, (int)weights.Bytes).Fill(0x11);
        new Span<byte>(int8.Pointer, (int)int8.Bytes).Fill(3);
        new Span<ActivationScale>(scales.Pointer, Columns / 32 * Tokens).Fill(new ActivationScale { Scale = 0.01f, ScaledSum = 0.96f, FirstSum = 48, LastSum = 48, MinusEightSums = -768 });
        var task = new MatMulTask
        {
            Weights = weights.Pointer,
            RowBytes = (nint)rowBytes,
            RowsTogether = kernels.PanelRows,
            Rows = Rows,
            Columns = Columns,
            Tokens = Tokens,
            XInt8 = (sbyte*)int8.Pointer,
            XScales = (ActivationScale*)scales.Pointer,
            Y = (float*)output.Pointer,
            Kernel = kernels.MatMul(TensorType.Q4_0),
        };
        var best = double.PositiveInfinity;
        for (var pass = 0; pass < ProductPasses; pass++)
        {
            var product = new Product(in task, (float*)scratch.Pointer, workers.Threads);
            var start = Stopwatch.GetTimestamp();
            workers.Run(product.Parts, ref product);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return (double)Rows * Columns * Tokens / best;
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
