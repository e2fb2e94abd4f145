using Slm.Engine.Adapters;
using Slm.Engine.Formats;
using Slm.Engine.Kernels.Panels;
using Slm.Engine.Quantization;

namespace Slm.Engine.Kernels;

/// <summary>
/// One matrix product: Y[t, r] = Σ_k W[r, k] · X[t, k] (+ bias[r]) (+ Y[t, r]). The caller proves that all pointers cover their shapes.
/// </summary>
internal unsafe struct MatMulTask
{
    /// <summary>First byte of the matrix: stored rows one after the other, or panels of a quantized type.</summary>
    public byte* Weights;

    /// <summary>Stored rows whose panels are not there yet: they are made one at a time, in the scratch memory; else null.</summary>
    public byte* Stored;

    /// <summary>Type of the weights.</summary>
    public TensorType Type;

    /// <summary>Bytes of a row; a panel has as many times its rows.</summary>
    public nint RowBytes;

    /// <summary>Rows that a kernel computes together: those of a panel, or 1.</summary>
    public int RowsTogether;

    /// <summary>Number of rows: outputs per token.</summary>
    public int Rows;

    /// <summary>Number of columns: inputs per token.</summary>
    public int Columns;

    /// <summary>Number of tokens.</summary>
    public int Tokens;

    /// <summary>Activations [tokens, columns].</summary>
    public float* X;

    /// <summary>The same quantized, [tokens, columns]; null unless the kernel wants it.</summary>
    public sbyte* XInt8;

    /// <summary>Scales and sums of <see cref="XInt8"/>, [tokens, columns / 32].</summary>
    public ActivationScale* XScales;

    /// <summary>Result, [tokens, rows].</summary>
    public float* Y;

    /// <summary>[rows], or null.</summary>
    public float* Bias;

    /// <summary>Adds to what <see cref="Y"/> holds.</summary>
    public bool Accumulate;

    /// <summary>Tokens to whose results adapters add.</summary>
    public LoraSegment* Segments;

    /// <summary>Number of <see cref="Segments"/>.</summary>
    public int SegmentCount;

    /// <summary>Adds what adapters add; null where there are none.</summary>
    public delegate*<in MatMulTask, int, int, void> AddSegments;

    /// <summary>The kernel for the type of the weights.</summary>
    public delegate*<in MatMulTask, int, int, float*, void> Kernel;

    /// <summary>Computes rows <paramref name="begin"/> to <paramref name="end"/>, exclusive, for all tokens.</summary>
    /// <param name="begin">First row; of panels the first of one.</param>
    /// <param name="end">Row after the last; of panels the end of one or of the matrix.</param>
    /// <param name="scratch">Room for <see cref="ScratchFloats"/> of this thread alone.</param>
    public readonly void Run(int begin, int end, float* scratch)
    {
        if (Stored == null)
            Kernel(in this, begin, end, scratch);
        else
            RunStored(begin, end, (byte*)scratch);
        if (AddSegments != null)
            AddSegments(in this, begin, end);
    }

    /// <summary>Floats of scratch memory for a product of so many columns: four rows of floats, or the widest panel, 16 rows of Q8_0.</summary>
    public static long ScratchFloats(long columns) => 4 * columns + (columns + 3) / 4;

    private readonly void RunStored(int begin, int end, byte* panel)
    {
        var one = this;
        one.Stored = null;
        var storedRow = (nint)TensorTypes.RowBytes(Type, Columns);
        for (var row = begin; row < end; row += RowsTogether)
        {
            PanelPacker.Pack(Type, Stored + (row * storedRow), panel, Rows - row, Columns, RowsTogether, 0, 1);
            one.Weights = panel - (row * RowBytes);
            // Panel kernels want no scratch memory of their own.
            Kernel(in one, row, Math.Min(end, row + RowsTogether), null);
        }
    }

    /// <summary>Writes or adds one element.</summary>
    public readonly void Put(int token, int row, float value)
    {
        var at = Y + ((nint)token * Rows) + row;
        if (Bias != null)
            value += Bias[row];
        *at = Accumulate ? *at + value : value;
    }
}
