using Slm.Engine.Blocks;
using Slm.Engine.Execution;
using Slm.Engine.Threading;

namespace Slm.Engine.Kernels.Panels;

/// <summary>The panels of a stage's matrices, in one allocation of large pages where the system has them, made one matrix after the other.</summary>
/// <remarks>
/// Memory that was never used is slow to come by, above all in a virtual machine whose host must find it first; so a model is
/// not kept waiting for it. Products before that read the file, see <see cref="MatMulTask.Stored"/>, with the same bits.
/// </remarks>
internal sealed unsafe class PackedWeights : IDisposable
{
    private readonly Linear[] _matrices;
    private readonly NativeBuffer _buffer;
    private int _next;
    private long _offset;

    /// <summary>Reserves room for every matrix whose type has panels.</summary>
    public PackedWeights(IReadOnlyList<Linear> matrices)
    {
        _matrices = [.. matrices.Where(matrix => matrix.PackedBytes > 0)];
        Bytes = _matrices.Sum(matrix => Aligned(matrix.PackedBytes));
        _buffer = new NativeBuffer(Bytes);
        MemoryAdvice.UseLargePages(_buffer.Pointer, Bytes);
    }

    /// <summary>Bytes of all panels.</summary>
    public long Bytes { get; }

    /// <summary>Every matrix has its panels.</summary>
    public bool IsComplete => _next == _matrices.Length;

    /// <summary>Packs the next matrix on all threads and lets go of its pages of the file; does nothing if there is none left. No step may run.</summary>
    public void PackNext(WorkerPool workers)
    {
        if (IsComplete)
            return;
        var matrix = _matrices[_next++];
        matrix.Pack(_buffer.Pointer + _offset, workers);
        _offset += Aligned(matrix.PackedBytes);
    }

    public void Dispose() => _buffer.Dispose();

    private static long Aligned(long bytes) => checked(bytes + 63) & ~63L;
}
