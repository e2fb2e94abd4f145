using Slm.Engine.Blocks;
using Slm.Engine.Execution;
using Slm.Engine.Threading;

namespace Slm.Engine.Kernels.Panels;

/// <summary>The panels of a stage's matrices, in one allocation of large pages where the system has them.</summary>
internal sealed unsafe class PackedWeights : IDisposable
{
    private readonly NativeBuffer _buffer;

    /// <summary>Packs every matrix whose type has panels, on all threads, and lets go of the file's pages.</summary>
    public PackedWeights(IReadOnlyList<Linear> matrices, WorkerPool workers)
    {
        var offsets = new long[matrices.Count];
        long bytes = 0;
        for (var i = 0; i < matrices.Count; i++)
        {
            offsets[i] = bytes;
            bytes = checked(bytes + matrices[i].PackedBytes + 63) & ~63L;
        }

        _buffer = new NativeBuffer(bytes);
        MemoryAdvice.UseLargePages(_buffer.Pointer, bytes);
        for (var i = 0; i < matrices.Count; i++)
            matrices[i].Pack(_buffer.Pointer + offsets[i], workers);
        Bytes = bytes;
    }

    /// <summary>Bytes of all panels.</summary>
    public long Bytes { get; }

    public void Dispose() => _buffer.Dispose();
}
