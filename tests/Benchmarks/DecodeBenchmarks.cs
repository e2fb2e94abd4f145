using BenchmarkDotNet.Attributes;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Models;

namespace Slm.Benchmarks;

/// <summary>Steps of a whole model: prefill of a prompt, and decode of one or eight sequences behind some context.</summary>
[MemoryDiagnoser]
public class DecodeBenchmarks
{
    private readonly StepBatch _batch = new();
    private ModelFile _file = null!;
    private LocalPipeline _pipeline = null!;
    private int[] _tokens = [];
    private int[][] _tables = [];

    /// <summary>Dimensions of the model.</summary>
    [Params("15M", "135M")]
    public string Size { get; set; } = "";

    /// <summary>Type of its matrices.</summary>
    [Params(TensorType.F16, TensorType.Q8_0, TensorType.Q4_0)]
    public TensorType Type { get; set; }

    /// <summary>Loads the model and fills the context of every sequence.</summary>
    [GlobalSetup]
    public async Task SetUpAsync()
    {
        var model = Size == "15M" ? SyntheticModel.Small : SyntheticModel.Medium;
        _file = ModelFile.Open(model.Write(Type.ToString(), Path.Combine(Path.GetTempPath(), "slm-bench")));
        _pipeline = LocalPipeline.Load(_file, new LocalPipelineOptions { ContextLength = 1024 });
        await _pipeline.Settled;
        _tokens = [.. Enumerable.Range(0, 512).Select(i => i * 7 % model.Vocab)];
        var blocks = 640 / _pipeline.BlockSize;
        _tables = [.. Enumerable.Range(0, 8).Select(s => Enumerable.Range(s * blocks % (_pipeline.BlockCount - blocks), blocks).ToArray())];
        foreach (var table in _tables)
            await StepAsync(_tokens, 0, table);
    }

    /// <summary>Frees the model.</summary>
    [GlobalCleanup]
    public async Task CleanUpAsync()
    {
        await _pipeline.DisposeAsync();
        _file.Dispose();
    }

    /// <summary>512 tokens at once; divide by 512 for the time of one.</summary>
    [Benchmark]
    public ValueTask<ReadOnlyMemory<float>> Prefill512() => StepAsync(_tokens, 0, _tables[0]);

    /// <summary>One token of one sequence, nothing before it.</summary>
    [Benchmark]
    public ValueTask<ReadOnlyMemory<float>> DecodeEmpty() => StepAsync(_tokens.AsSpan(0, 1), 0, _tables[0]);

    /// <summary>One token of one sequence after 512 others.</summary>
    [Benchmark]
    public ValueTask<ReadOnlyMemory<float>> DecodeAfter512() => StepAsync(_tokens.AsSpan(0, 1), 512, _tables[0]);

    /// <summary>One token of each of eight sequences after 512 others.</summary>
    [Benchmark]
    public ValueTask<ReadOnlyMemory<float>> DecodeEight()
    {
        _batch.Clear();
        foreach (var table in _tables)
            _batch.Add(_tokens.AsSpan(0, 1), 512, table, 1);
        return _pipeline.ForwardAsync(_batch, StepOutput.Logits, CancellationToken.None);
    }

    private ValueTask<ReadOnlyMemory<float>> StepAsync(ReadOnlySpan<int> tokens, int start, int[] table)
    {
        _batch.Clear();
        _batch.Add(tokens, start, table, 1);
        return _pipeline.ForwardAsync(_batch, StepOutput.Logits, CancellationToken.None);
    }
}
