using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Threading;

namespace Slm.Engine.Adapters;

/// <summary>
/// Which adapter changes which token of the running step, and the products A·x that the step's matrix products then finish.
/// A step without adapters costs a look at <see cref="Active"/>.
/// </summary>
internal sealed unsafe class StepAdapters : IDisposable
{
    /// <summary>Products of one block that wait for their region at a time, and some that are done with; more where there is one per head.</summary>
    private const int LeastProductsAlive = 8;

    /// <summary>Most tokens of a segment, so that threads can share them.</summary>
    private const int SegmentTokens = 32;

    /// <summary>Fewer multiplications are done before other threads have begun.</summary>
    private const long LeastMultiplications = 32 * 1024;

    private readonly int _maxRows, _alive;
    private readonly NativeArena _arena = new();
    private readonly int* _tokenSlots, _outputSlots, _visitSlots;
    private int* _slots;
    private int _rows;
    private NativeBuffer? _memory;
    private LoraSegment* _segments;
    private float* _projected;
    private int _mostRank;
    private int _nextSegment;
    private long _nextFloat;

    /// <param name="maxTokens">Most tokens of a step.</param>
    /// <param name="visits">Experts that a token visits; 0 without experts.</param>
    /// <param name="products">Products of heads that a region computes.</param>
    public StepAdapters(int maxTokens, int visits, int products)
    {
        _alive = LeastProductsAlive + products;
        _maxRows = checked(maxTokens * Math.Max(1, visits));
        var tokens = _arena.Reserve<int>(maxTokens);
        var outputs = _arena.Reserve<int>(maxTokens);
        var experts = _arena.Reserve<int>(_maxRows);
        _tokenSlots = _arena.Get<int>(tokens);
        _outputSlots = _arena.Get<int>(outputs);
        _visitSlots = _arena.Get<int>(experts);
    }

    /// <summary>Some sequence of the step has an adapter.</summary>
    public bool Active { get; private set; }

    /// <summary>Makes room for adapters of a rank; no step may be running.</summary>
    public void Reserve(int rank)
    {
        if (rank <= _mostRank)
            return;
        var bytes = checked(_alive * (long)_maxRows * ((rank * sizeof(float)) + sizeof(LoraSegment)));
        _memory?.Dispose();
        _memory = new NativeBuffer(bytes);
        _segments = (LoraSegment*)_memory.Pointer;
        _projected = (float*)(_segments + (_alive * (long)_maxRows));
        _mostRank = rank;
    }

    /// <summary>Takes a checked batch.</summary>
    public void Begin(StepBatch batch)
    {
        Active = false;
        foreach (ref readonly var item in batch.Items)
            Active |= item.Adapter != 0;
        if (!Active)
            return;
        foreach (ref readonly var item in batch.Items)
            new Span<int>(_tokenSlots + item.FirstToken, item.Count).Fill(item.Adapter);
        _slots = _tokenSlots;
        _rows = batch.TokenCount;
    }

    /// <summary>From here on products are those of the output rows.</summary>
    public void UseOutputRows(ReadOnlySpan<int> rows)
    {
        if (!Active)
            return;
        for (var i = 0; i < rows.Length; i++)
            _outputSlots[i] = _tokenSlots[rows[i]];
        _slots = _outputSlots;
        _rows = rows.Length;
    }

    /// <summary>Takes the visits that the router has decided on.</summary>
    public void UseVisits(ExpertBatch batch, int tokens)
    {
        if (!Active)
            return;
        for (var token = 0; token < tokens; token++)
        {
            foreach (var visit in batch.VisitsOf(token))
                _visitSlots[visit] = _tokenSlots[token];
        }
    }

    /// <summary>Has a product finished by what the adapters of its rows add.</summary>
    /// <param name="task">The product.</param>
    /// <param name="factors">What each adapter adds to its matrix, by slot.</param>
    /// <param name="context">The step.</param>
    /// <param name="firstVisit">Of an expert's product the first visit; else -1.</param>
    public void Attach(ref MatMulTask task, LoraFactors* factors, StepContext context, int firstVisit)
    {
        if (firstVisit < 0 && task.Tokens != _rows)
            throw new InvalidOperationException($"A product of {task.Tokens} rows has no adapters to find; the step has {_rows} rows.");
        var slots = firstVisit < 0 ? _slots : _visitSlots + firstVisit;
        var segments = Divide(factors, slots, task.Tokens, context, out var count, out var floats);
        if (count == 0)
            return;
        var work = new ProjectWork(context, segments, task.X, task.Columns);
        if (floats * task.Columns < LeastMultiplications)
        {
            for (var part = 0; part < count; part++)
                work.Execute(part, 0);
        }
        else
        {
            context.Workers.Run(count, ref work);
        }

        task.Segments = segments;
        task.SegmentCount = count;
        task.AddSegments = context.Kernels.AddLora;
    }

    /// <summary>Adds to a row of an embedding.</summary>
    public void AddToRow(LoraFactors* factors, int token, int id, float* row, int size, StepContext context)
    {
        var mine = factors[_tokenSlots[token]];
        if (mine.B == null)
            return;
        var segment = new LoraSegment { Count = 1, Factors = mine, Projected = mine.A + (id * (nint)mine.Rank) };
        var task = new MatMulTask { Rows = size, Y = row, Segments = &segment, SegmentCount = 1 };
        context.Kernels.AddLora(in task, 0, size);
    }

    public void Dispose()
    {
        _memory?.Dispose();
        _arena.Dispose();
    }

    /// <summary>The runs of rows that one adapter changes, and how many floats their projections are.</summary>
    private LoraSegment* Divide(LoraFactors* factors, int* slots, int rows, StepContext context, out int count, out long floats)
    {
        // What a step needs and no more: the memory stays in the cache.
        var room = Math.Max(context.Tokens, context.Experts is { } experts ? context.Tokens * experts.Used : 0);
        if (_nextSegment + rows > _alive * room)
            _nextSegment = 0;
        if (_nextFloat + ((long)rows * _mostRank) > _alive * (long)room * _mostRank)
            _nextFloat = 0;
        var first = _segments + _nextSegment;
        count = 0;
        floats = 0;
        for (var row = 0; row < rows;)
        {
            var slot = slots[row];
            var begin = row;
            while (++row < rows && slots[row] == slot && row - begin < SegmentTokens)
            {
            }

            ref readonly var mine = ref factors[slot];
            if (mine.B == null)
                continue;
            first[count++] = new LoraSegment { First = begin, Count = row - begin, Factors = mine, Projected = _projected + _nextFloat + floats };
            floats += (row - begin) * (long)mine.Rank;
        }

        _nextSegment += count;
        _nextFloat += floats;
        return first;
    }

    /// <summary>A·x of one segment.</summary>
    private readonly struct ProjectWork(StepContext context, LoraSegment* segments, float* x, int columns) : IParallelWork
    {
        private readonly LoraSegment* _segments = segments;
        private readonly float* _x = x;

        public void Execute(int part, int worker)
        {
            var segment = _segments + part;
            var task = new MatMulTask
            {
                Weights = (byte*)segment->Factors.A,
                RowBytes = (nint)columns * sizeof(float),
                Rows = segment->Factors.Rank,
                Columns = columns,
                Tokens = segment->Count,
                X = _x + (segment->First * (nint)columns),
                Y = segment->Projected,
                Kernel = context.Kernels.MatMul(TensorType.F32),
            };
            task.Run(0, task.Rows, context.Scratch(worker));
        }
    }
}
