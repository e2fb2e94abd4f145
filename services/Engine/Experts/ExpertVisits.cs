using Slm.Engine.Execution;

namespace Slm.Engine.Experts;

/// <summary>
/// What a step's tokens want of one group's experts in one layer. A token's row is there once, however many of the experts it
/// visits; each visit has a result of its own, by ascending expert, then by token.
/// </summary>
public sealed unsafe class ExpertVisits
{
    private readonly int[] _rows, _experts, _visits, _inputs, _rowOf;
    private ExpertBatch _batch = null!;

    internal ExpertVisits(int width, int maxTokens, int used)
    {
        Width = width;
        var visits = checked(maxTokens * used);
        (_rows, _experts, _visits) = (new int[visits], new int[visits], new int[visits]);
        (_inputs, _rowOf) = (new int[maxTokens], new int[maxTokens]);
    }

    /// <summary>The layer, by its index in the model.</summary>
    public int Layer { get; private set; }

    /// <summary>Values of a row: the model's hidden size.</summary>
    public int Width { get; }

    /// <summary>Number of rows.</summary>
    public int Rows { get; private set; }

    /// <summary>Number of visits.</summary>
    public int Count { get; private set; }

    /// <summary>The row of each visit.</summary>
    public ReadOnlySpan<int> VisitRows => _rows.AsSpan(0, Count);

    /// <summary>The expert of each visit.</summary>
    public ReadOnlySpan<int> VisitExperts => _experts.AsSpan(0, Count);

    /// <summary>A token's normed hidden state.</summary>
    public ReadOnlySpan<float> Row(int row)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows, nameof(row));
        return new ReadOnlySpan<float>(_batch.Inputs + ((nint)_inputs[row] * Width), Width);
    }

    /// <summary>Where an expert's output for a visit goes, unweighted.</summary>
    public Span<float> Result(int visit)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)visit, (uint)Count, nameof(visit));
        return new Span<float>(_batch.Outputs + ((nint)_visits[visit] * Width), Width);
    }

    /// <summary>Begins anew.</summary>
    internal void Clear(int layer, ExpertBatch batch)
    {
        Layer = layer;
        _batch = batch;
        Rows = Count = 0;
        _rowOf.AsSpan(0, batch.Tokens).Fill(-1);
    }

    /// <summary>Adds all visits to an expert; experts come in ascending order.</summary>
    internal void Add(int expert)
    {
        for (var visit = _batch.Begin(expert); visit < _batch.Begin(expert) + _batch.Count(expert); visit++)
        {
            ref var row = ref _rowOf[_batch.TokenOf(visit)];
            if (row < 0)
            {
                row = Rows;
                _inputs[Rows++] = visit;
            }

            _rows[Count] = row;
            _experts[Count] = expert;
            _visits[Count++] = visit;
        }
    }
}
