using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Tests.Scheduling;

namespace Slm.Runtime.Tests;

/// <summary>A pipeline that continues every sequence with a fixed text: the row at position p prefers <c>script[p + 1]</c>.</summary>
internal sealed class ScriptPipeline(int vocab, int[] script) : IPipeline
{
    private readonly HashPipeline _shape = new(vocab, context: 500, blockCount: 200);

    public ModelConfig Config => _shape.Config;

    public int BlockSize => _shape.BlockSize;

    public int BlockCount => _shape.BlockCount;

    public int MaxStepTokens => _shape.MaxStepTokens;

    public bool Disposed { get; private set; }

    /// <summary>The prompts of all requests so far, as the pipeline saw them.</summary>
    public List<int> Seen { get; } = [];

    public ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken)
    {
        Seen.AddRange(batch.Tokens);
        var rows = new float[batch.OutputRows.Length * vocab];
        for (var r = 0; r < batch.OutputRows.Length; r++)
        {
            foreach (var item in batch.Items)
            {
                var offset = batch.OutputRows[r] - item.FirstToken;
                if (offset >= 0 && offset < item.Count)
                    rows[r * vocab + script[Math.Min(item.StartPosition + offset + 1, script.Length - 1)]] = 20;
            }
        }

        return ValueTask.FromResult<ReadOnlyMemory<float>>(rows);
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }
}
