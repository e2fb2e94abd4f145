using Slm.Engine.Execution;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Speculation;

/// <summary>
/// A smaller model that proposes the next tokens of several sequences together, with KV blocks of its own. It draws with
/// the options, seed and position of the request (penalties without the tokens it proposes itself).
/// Used by the scheduler's loop only.
/// </summary>
internal sealed class DraftModel(IPipeline pipeline, int chunkTokens)
{
    private readonly BlockManager _blocks = new(pipeline.BlockCount, pipeline.BlockSize);
    private readonly StepBatch _batch = new();
    private readonly List<(GenerationSequence Sequence, int Wanted)> _all = [];
    private readonly List<(GenerationSequence Sequence, int Wanted)> _step = [];
    private readonly TokenSampler _sampler = new();

    /// <summary>Blocks of the draft model that sequences hold.</summary>
    public int BlocksUsed => _blocks.Used;

    /// <summary>Asks for a proposal of up to <paramref name="tokens"/> tokens for a sequence that decodes.</summary>
    public void Want(GenerationSequence sequence, int tokens)
    {
        tokens = Math.Min(tokens, pipeline.Config.ContextLength - sequence.Count);
        if (tokens > 0 && _blocks.TryCover(sequence.Speculation!.Blocks, sequence.Count + tokens))
            _all.Add((sequence, tokens));
    }

    /// <summary>Frees a sequence's blocks.</summary>
    public void Release(SpeculationState state)
    {
        _blocks.Release(state.Blocks);
        state.Computed = 0;
    }

    /// <summary>Makes the proposals that were asked for. A sequence whose prompt is new to the draft model may have to wait for steps to come.</summary>
    public void Propose(CancellationToken cancellationToken)
    {
        if (_all.Count == 0)
            return;
        try
        {
            CatchUp(cancellationToken);
            for (var round = 1; _step.Count > 0; round++)
                Extend(round, cancellationToken);
        }
        finally
        {
            _all.Clear();
            _step.Clear();
        }
    }

    /// <summary>Computes the tokens it has not seen, as many as the step allows, and draws the first proposals.</summary>
    private void CatchUp(CancellationToken cancellationToken)
    {
        _batch.Clear();
        var left = Math.Min(pipeline.MaxStepTokens, chunkTokens + _all.Count);
        foreach (var (sequence, wanted) in _all)
        {
            var state = sequence.Speculation!;
            var end = Math.Min(sequence.Count, state.Computed + left);
            if (end == state.Computed)
                continue;
            var whole = end == sequence.Count;
            _batch.Add(sequence.Tokens[state.Computed..end], state.Computed, Table(state, end), whole ? 1 : 0);
            left -= end - state.Computed;
            state.Computed = end;
            if (whole)
                _step.Add((sequence, wanted));
        }

        Draw(0, cancellationToken);
    }

    /// <summary>Computes the newest proposal of each sequence that wants more than <paramref name="round"/>, and draws the next.</summary>
    private void Extend(int round, CancellationToken cancellationToken)
    {
        _step.RemoveAll(s => s.Wanted <= round);
        if (_step.Count == 0)
            return;
        _batch.Clear();
        foreach (var (sequence, _) in _step)
        {
            var state = sequence.Speculation!;
            _batch.Add(state.Proposal[^1..], state.Computed, Table(state, state.Computed + 1), 1);
            state.Computed++;
        }

        Draw(round, cancellationToken);
    }

    private void Draw(int round, CancellationToken cancellationToken)
    {
        var task = pipeline.ForwardAsync(_batch, StepOutput.Logits, cancellationToken);
        var rows = (task.IsCompletedSuccessfully ? task.Result : task.AsTask().GetAwaiter().GetResult()).Span;
        var width = pipeline.Config.VocabSize;
        for (var i = 0; i < _step.Count; i++)
        {
            var sequence = _step[i].Sequence;
            var state = sequence.Speculation!;
            state.Room(round + 1)[round] = sequence.Draw(rows.Slice(i * width, width), round, _sampler);
            state.Keep(round + 1);
        }
    }

    private ReadOnlySpan<int> Table(SpeculationState state, int tokens) =>
        System.Runtime.InteropServices.CollectionsMarshal.AsSpan(state.Blocks)[.._blocks.BlocksFor(tokens)];
}
