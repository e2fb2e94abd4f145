using Slm.Engine.Blocks;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;

namespace Slm.Engine.Adapters;

/// <summary>The adapters that a stage holds, by slot: copies of their matrices beside those of the stage.</summary>
internal sealed unsafe class StageAdapters : IDisposable
{
    /// <summary>Slots 1 to this can hold an adapter; slot 0 stands for none.</summary>
    public const int Slots = 64;

    private readonly IReadOnlyList<Linear> _matrices;
    private readonly Linear? _embedding;
    private readonly NativeBuffer?[] _held = new NativeBuffer?[Slots + 1];
    private readonly List<NativeBuffer> _tables = [];

    /// <param name="matrices">All matrices of products.</param>
    /// <param name="embedding">The token embedding, if the stage has it.</param>
    /// <param name="step">Takes room for the ranks.</param>
    public StageAdapters(IReadOnlyList<Linear> matrices, Linear? embedding, StepAdapters step)
    {
        _matrices = matrices;
        _embedding = embedding;
        Step = step;
    }

    /// <summary>What the running step does with them.</summary>
    public StepAdapters Step { get; }

    /// <summary>True if the slot holds an adapter, or stands for none.</summary>
    public bool Has(int slot) => slot == 0 || ((uint)slot <= Slots && _held[slot] is not null);

    /// <summary>Copies what an adapter has for this stage; <see cref="Bind"/> puts it into force.</summary>
    /// <exception cref="AdapterFormatException">A matrix has another shape than the stage's, or a value is not finite.</exception>
    public Copy Read(LoraAdapter adapter)
    {
        var targets = new List<(Linear Matrix, LoraPair Pair, long Offset)>();
        long floats = 0;
        foreach (var pair in adapter.Pairs)
        {
            foreach (var matrix in Targets(pair))
            {
                Check(adapter, pair, matrix);
                targets.Add((matrix, pair, floats));
                floats = checked(floats + FirstFloats(pair, matrix) + Aligned(LoraProduct.PanelFloats(pair.IsEmbedding ? pair.Rows : matrix.Rows, pair.Rank)));
            }
        }

        var buffer = new NativeBuffer(floats * sizeof(float));
        var parts = new List<(Linear Matrix, LoraFactors Factors)>();
        foreach (var (matrix, pair, offset) in targets)
        {
            var a = (float*)buffer.Pointer + offset;
            var factors = new LoraFactors { A = a, B = a + FirstFloats(pair, matrix), Rank = pair.Rank, Scale = pair.Scale };
            // What adds nothing is left out, so that it costs nothing and the bits are those without adapter.
            if (LoraLayout.Fill(adapter, pair, matrix, factors) && pair.Scale != 0)
                parts.Add((matrix, factors));
        }

        return new Copy(buffer, parts, [.. targets.Select(t => t.Pair.Tensor).Distinct()], adapter.Pairs.Count == 0 ? 0 : adapter.Pairs.Max(p => p.Rank));
    }

    /// <summary>Puts an adapter into a free slot; no step may be running.</summary>
    public void Bind(int slot, Copy copy)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slot, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slot, Slots);
        if (_held[slot] is not null)
            throw new InvalidOperationException($"Adapter slot {slot} is taken.");
        Step.Reserve(copy.Rank);
        _held[slot] = copy.Buffer;
        foreach (var (matrix, factors) in copy.Parts)
        {
            if (matrix.Adapters == null)
            {
                var table = new NativeBuffer((Slots + 1) * sizeof(LoraFactors));
                new Span<byte>(table.Pointer, (int)table.Bytes).Clear();
                _tables.Add(table);
                matrix.Adapters = (LoraFactors*)table.Pointer;
            }

            matrix.Adapters[slot] = factors;
        }
    }

    /// <summary>Empties a slot; no step may be running. Nothing happens if it is empty.</summary>
    public void Release(int slot)
    {
        if (slot is < 1 or > Slots || _held[slot] is not { } buffer)
            return;
        foreach (var matrix in _matrices)
        {
            if (matrix.Adapters != null)
                matrix.Adapters[slot] = default;
        }

        if (_embedding is not null && _embedding.Adapters != null)
            _embedding.Adapters[slot] = default;
        _held[slot] = null;
        buffer.Dispose();
    }

    public void Dispose()
    {
        foreach (var buffer in _held)
            buffer?.Dispose();
        foreach (var table in _tables)
            table.Dispose();
    }

    private IEnumerable<Linear> Targets(LoraPair pair) => pair.IsEmbedding
        ? _embedding is { } embedding && embedding.AdapterName == pair.Tensor ? [embedding] : []
        : _matrices.Where(m => m.AdapterName == pair.Tensor);

    private static void Check(LoraAdapter adapter, LoraPair pair, Linear matrix)
    {
        var (columns, rows) = matrix.IsTransposed ? (matrix.Rows, matrix.Columns) : (matrix.Columns, matrix.Rows);
        var fits = pair.IsEmbedding
            ? pair.Columns == rows && pair.Rows == columns
            : pair.Columns == columns && matrix.FirstRow + rows <= pair.Rows && matrix.Matrices == pair.Experts;
        if (!fits)
            throw new AdapterFormatException(adapter.Name, pair.A.Name, $"the pair of '{pair.Tensor}' changes {pair.Experts} × [{pair.Columns}, {pair.Rows}]; the model computes {matrix.Matrices} × [{columns}, {rows}] there. It was made for another model.");
    }

    private static long FirstFloats(LoraPair pair, Linear matrix) => Aligned(pair.Rank * (long)(pair.IsEmbedding ? pair.Columns : matrix.Columns));

    private static long Aligned(long floats) => (floats + 15) & ~15L;

    /// <summary>An adapter's matrices for a stage that are not in force yet.</summary>
    internal sealed record Copy(NativeBuffer Buffer, IReadOnlyList<(Linear Matrix, LoraFactors Factors)> Parts, IReadOnlyCollection<string> Tensors, int Rank);
}
