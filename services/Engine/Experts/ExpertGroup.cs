using System.Runtime.InteropServices;
using Slm.Engine.Architectures;
using Slm.Engine.Blocks;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels.Panels;
using Slm.Engine.Models;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;
using Slm.Engine.Wire;

namespace Slm.Engine.Experts;

/// <summary>
/// Some experts of every layer of a range, which it computes for stages that do not hold them: y = W_down · (f(W_gate·x) ⊙ W_up·x)
/// of each visit, unweighted, with the bits that a stage would compute. Of the file it takes nothing but their matrices. Callers
/// take turns. The model file must outlive the group.
/// </summary>
public sealed unsafe class ExpertGroup : IDisposable
{
    private readonly ModelConfig _config;
    private readonly ResidentExperts?[] _layers;
    private readonly PackedWeights _packed;
    private readonly KvCache _noKeys;
    private readonly RecurrentCache _noStates;
    private readonly StepContext _context;
    private readonly ExpertBatch _batch;
    private readonly int[] _places;
    private readonly long[] _counts;
    private readonly int[] _exponents;
    private readonly Lock _call = new();
    private bool _disposed;

    private ExpertGroup(ModelFile file, LayerRange range, ExpertSlice slice, ExpertGroupOptions options, WorkerPool workers)
    {
        _config = file.Config;
        (Range, Slice, MaxVisits) = (range, slice, options.MaxVisits);
        var architecture = ArchitectureCatalog.Get(_config.Architecture);
        var weights = new ModelWeights(file, options.Kernels) { HeldExperts = slice };
        _layers = [.. Enumerable.Range(range.First, range.Count).Select(layer =>
            LayerParts.HasRouter(weights, layer) ? (ResidentExperts)LayerParts.RoutedExperts(weights, layer, architecture.ExpertGate) : null)];
        if (_layers.All(layer => layer is null))
            throw new ArgumentException($"Layers {range.First} to {range.End - 1} of {file.Name} have no experts.", nameof(range));
        WeightBytes = weights.Bytes;
        _packed = new PackedWeights(weights.Matrices, workers);
        _places = new int[_config.Experts!.Count];
        Array.Fill(_places, -1);
        for (var i = 0; i < slice.Count; i++)
            _places[slice.Experts[i]] = i;
        _counts = new long[range.Count * slice.Count];
        _exponents = new int[MaxVisits];
        _batch = new ExpertBatch(_config with { Experts = _config.Experts with { UsedCount = 1 } }, MaxVisits);
        _noKeys = new KvCache([], 1, 32, KvType.F32);
        _noStates = new RecurrentCache([], 0);
        _context = new StepContext(_config, 1, _noKeys, _noStates, workers, options.Kernels);
    }

    /// <summary>The layers.</summary>
    public LayerRange Range { get; }

    /// <summary>The experts.</summary>
    public ExpertSlice Slice { get; }

    /// <summary>Bytes of their matrices, as the file has them.</summary>
    public long WeightBytes { get; }

    /// <summary>Visits that are computed at a time.</summary>
    public int MaxVisits { get; }

    /// <summary>Values of a row.</summary>
    public int Width => _config.HiddenSize;

    /// <summary>How often each expert has been visited, of every layer that has experts.</summary>
    public IReadOnlyList<ExpertLayerVisits> Visits => [.. Enumerable.Range(0, Range.Count).Where(i => _layers[i] is not null).Select(i =>
        new ExpertLayerVisits(Range.First + i, [.. Enumerable.Range(i * Slice.Count, Slice.Count).Select(at => Volatile.Read(ref _counts[at]))]))];

    /// <summary>Finds and checks the experts' tensors and reserves the memory.</summary>
    /// <param name="file">The model.</param>
    /// <param name="range">Layers whose experts it holds; some may have none.</param>
    /// <param name="slice">The experts.</param>
    /// <param name="options">Sizes.</param>
    /// <param name="workers">Threads that compute; may be shared.</param>
    /// <exception cref="ModelFormatException">A tensor is missing, misshapen or of an unsupported type.</exception>
    /// <exception cref="ArgumentException">The model has no experts there, or not these, or a size is out of range.</exception>
    public static ExpertGroup Load(ModelFile file, LayerRange range, ExpertSlice slice, ExpertGroupOptions options, WorkerPool workers)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(slice);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(workers);
        if (range.First < 0 || range.Count < 1 || range.End > file.Config.LayerCount)
            throw new ArgumentOutOfRangeException(nameof(range), range, $"The model has {file.Config.LayerCount} layers.");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxVisits, 1);
        if (file.Config.Experts is not { } experts)
            throw new ArgumentException($"{file.Name} has no experts.", nameof(file));
        if (slice.Count == 0 || slice.Experts[^1] >= experts.Count)
            throw new ArgumentException($"A group of experts holds at least one of the {experts.Count} of {file.Name}, from 0, and no others; not: {slice}.", nameof(slice));
        return new ExpertGroup(file, range, slice, options, workers);
    }

    /// <summary>Computes visits.</summary>
    /// <param name="layer">Index in the model.</param>
    /// <param name="rows">Normed hidden states [rows, hidden].</param>
    /// <param name="visitRows">The row of each visit.</param>
    /// <param name="visitExperts">The expert of each visit, in any order; by ascending expert it is fastest.</param>
    /// <param name="results">Receives the outputs [visits, hidden].</param>
    /// <exception cref="ArgumentException">The layer has no experts here, a visit's expert is not held or its row not there, or a size does not fit.</exception>
    public void Forward(int layer, ReadOnlySpan<float> rows, ReadOnlySpan<int> visitRows, ReadOnlySpan<int> visitExperts, Span<float> results) =>
        Forward(layer, new EncodedRows(rows, Width), visitRows, visitExperts, WireFormat.F32, MemoryMarshal.AsBytes(results));

    /// <summary>The same for rows on their way between processes.</summary>
    /// <param name="layer">Index in the model.</param>
    /// <param name="rows">Normed hidden states.</param>
    /// <param name="visitRows">The row of each visit.</param>
    /// <param name="visitExperts">The expert of each visit.</param>
    /// <param name="format">How the results are written.</param>
    /// <param name="results">Receives the outputs, <see cref="RowEncoding.PayloadBytes"/> bytes for all visits.</param>
    /// <returns>Results that are scaled, see <see cref="EncodedRows.Scaled"/>.</returns>
    /// <exception cref="ArgumentException">As above.</exception>
    public int[] Forward(int layer, EncodedRows rows, ReadOnlySpan<int> visitRows, ReadOnlySpan<int> visitExperts, WireFormat format, Span<byte> results)
    {
        Check(layer, rows, visitRows, visitExperts);
        RowEncoding.Check(format, visitRows.Length, Width, results.Length);
        var bytes = RowEncoding.RowBytes(format, Width);
        List<int>? scaled = null;
        lock (_call)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            for (var first = 0; first < visitRows.Length; first += MaxVisits)
            {
                var count = Math.Min(MaxVisits, visitRows.Length - first);
                Compute(layer - Range.First, rows, visitRows.Slice(first, count), visitExperts.Slice(first, count), format, results.Slice(first * bytes, count * bytes));
                for (var visit = 0; visit < count; visit++)
                {
                    if (_exponents[visit] > 0)
                        (scaled ??= []).AddRange(first + visit, _exponents[visit]);
                }
            }
        }

        return scaled is null ? [] : [.. scaled];
    }

    /// <summary>Frees the memory, after the running call.</summary>
    public void Dispose()
    {
        lock (_call)
        {
            if (_disposed)
                return;
            _disposed = true;
            _context.Dispose();
            _noKeys.Dispose();
            _noStates.Dispose();
            _batch.Dispose();
            _packed.Dispose();
        }
    }

    private void Compute(int layer, EncodedRows rows, ReadOnlySpan<int> visitRows, ReadOnlySpan<int> visitExperts, WireFormat format, Span<byte> results)
    {
        var experts = _layers[layer]!;
        _batch.Assign(visitExperts);
        foreach (var expert in _batch.Active)
            _counts[(layer * Slice.Count) + _places[expert]] += _batch.Count(expert);
        fixed (byte* payload = rows.Payload)
        fixed (int* scaled = rows.Scaled)
        fixed (int* from = visitRows)
        fixed (byte* to = results)
        {
            var read = new ReadWork(_batch, rows.Format, payload, rows.Payload.Length, scaled, rows.Scaled.Length, rows.Count, from, Width, experts.WantInt8);
            _context.ForEachToken(visitRows.Length, ref read);
            experts.Forward(_context, _batch);
            var write = new WriteWork(_batch, format, to, RowEncoding.RowBytes(format, Width), Width, _exponents);
            _context.ForEachToken(visitRows.Length, ref write);
        }
    }

    private void Check(int layer, EncodedRows rows, ReadOnlySpan<int> visitRows, ReadOnlySpan<int> visitExperts)
    {
        if (layer < Range.First || layer >= Range.End || _layers[layer - Range.First] is null)
            throw new ArgumentOutOfRangeException(nameof(layer), layer, $"This group holds experts of the layers in {Range} that have some.");
        if (rows.Width != Width)
            throw new ArgumentException($"The rows have {rows.Width} values; the model's have {Width}.", nameof(rows));
        if (visitRows.Length != visitExperts.Length)
            throw new ArgumentException($"There are rows of {visitRows.Length} visits and experts of {visitExperts.Length}.", nameof(visitRows));
        for (var visit = 0; visit < visitRows.Length; visit++)
        {
            if ((uint)visitRows[visit] >= (uint)rows.Count)
                throw new ArgumentException($"Visit {visit} is of row {visitRows[visit]}; there are {rows.Count}.", nameof(visitRows));
            if ((uint)visitExperts[visit] >= (uint)_places.Length || _places[visitExperts[visit]] < 0)
                throw new ArgumentException($"Visit {visit} is to expert {visitExperts[visit]}; this group holds {Slice}.", nameof(visitExperts));
        }
    }

    /// <summary>One visit's input, and its quantized form.</summary>
    private readonly struct ReadWork(
        ExpertBatch batch, WireFormat format, byte* payload, int bytes, int* scaled, int scaledCount, int rows, int* visitRows, int size, bool quantize) : IParallelWork
    {
        public void Execute(int part, int worker)
        {
            nint visit = batch.VisitsOf(part)[0];
            var row = batch.Inputs + (visit * size);
            new EncodedRows(format, rows, size, new ReadOnlySpan<byte>(payload, bytes), new ReadOnlySpan<int>(scaled, scaledCount)).Read(visitRows[part], new Span<float>(row, size));
            if (quantize)
                ActivationQuantizer.Quantize(row, batch.Int8 + (visit * size), batch.Scales + (visit * (size / ActivationQuantizer.BlockSize)), size);
        }
    }

    /// <summary>One visit's output.</summary>
    private readonly struct WriteWork(ExpertBatch batch, WireFormat format, byte* results, int bytes, int size, int[] exponents) : IParallelWork
    {
        public void Execute(int part, int worker) => exponents[part] = RowEncoding.EncodeRow(
            format, new ReadOnlySpan<float>(batch.Outputs + ((nint)batch.VisitsOf(part)[0] * size), size), new Span<byte>(results + ((nint)part * bytes), bytes));
    }
}
