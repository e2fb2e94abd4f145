using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Slm.Engine.Kernels.Panels;

namespace Slm.Engine.Kernels.Assembled;

/// <summary>Matrix product of panels with int8 activations by assembled kernels; the same bits as <see cref="PanelProduct{TWide, TVector, TFormat}"/>.</summary>
internal static unsafe class VnniProduct<TFormat>
    where TFormat : struct, IVnniFormat
{
    private const int MostTokens = 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(in MatMulTask task, int begin, int end, float* scratch)
    {
        const int Tile = PanelOutput<Wide512, Vector512<byte>>.TokenTile;
        var sums = stackalloc float[MostTokens * VnniCall.Rows];
        nint blocks = task.Columns / 32;
        var call = new VnniCall
        {
            XStride = task.Columns,
            ScaleStride = blocks * sizeof(Quantization.ActivationScale),
            Blocks = TFormat.Nested ? blocks / 8 : blocks,
            Sums = sums,
        };
        for (var first = 0; first < task.Tokens; first += Tile)
        {
            var last = Math.Min(task.Tokens, first + Tile);
            for (var row = begin; row < end; row += VnniCall.Rows)
            {
                call.Weights = task.Weights + (row * task.RowBytes);
                for (var token = first; token < last;)
                {
                    call.X = task.XInt8 + (token * (nint)task.Columns);
                    call.Scales = task.XScales + (token * blocks);
                    var count = Compute(&call, last - token, token == first);
                    for (var i = 0; i < count; i++)
                        PanelOutput<Wide512, Vector512<byte>>.Put(in task, token + i, row, Vector512.Load(sums + (i * VnniCall.Rows)).AsByte());
                    token += count;
                }
            }
        }
    }

    /// <summary>As many tokens as a kernel takes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Compute(VnniCall* call, int tokens, bool isFirst)
    {
        switch (tokens)
        {
            case >= 8 when TFormat.MostTokens == 8:
                (isFirst ? VnniKernels<TFormat>.FirstEight : VnniKernels<TFormat>.Eight)(call);
                return 8;
            case >= 4:
                (isFirst ? VnniKernels<TFormat>.FirstFour : VnniKernels<TFormat>.Four)(call);
                return 4;
            case >= 2:
                VnniKernels<TFormat>.Two(call);
                return 2;
            default:
                VnniKernels<TFormat>.One(call);
                return 1;
        }
    }
}
