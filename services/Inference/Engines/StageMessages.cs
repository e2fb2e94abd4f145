using Slm.Contracts.Grains;
using Slm.Engine.Execution;

namespace Slm.Inference.Engines;

/// <summary>A step as it travels, and back.</summary>
internal static class StageMessages
{
    private const int NumbersPerSequence = 7;

    /// <summary>The step for the first stage.</summary>
    public static StageRequest ToRequest(StepBatch batch, StepOutput output)
    {
        var items = batch.Items;
        var rows = batch.OutputRows;
        var sequences = new int[items.Length * NumbersPerSequence];
        var blocks = 0;
        foreach (ref readonly var item in items)
            blocks += item.BlockCount;
        var tables = new int[blocks];
        blocks = 0;
        for (int i = 0, row = 0; i < items.Length; i++)
        {
            ref readonly var item = ref items[i];
            var outputs = 0;
            for (; row < rows.Length && rows[row] < item.FirstToken + item.Count; row++)
                outputs++;
            sequences[i * NumbersPerSequence] = item.Count;
            sequences[(i * NumbersPerSequence) + 1] = item.StartPosition;
            sequences[(i * NumbersPerSequence) + 2] = item.BlockCount;
            sequences[(i * NumbersPerSequence) + 3] = outputs;
            sequences[(i * NumbersPerSequence) + 4] = item.StateSlot;
            sequences[(i * NumbersPerSequence) + 5] = item.Adapter;
            sequences[(i * NumbersPerSequence) + 6] = item.EncoderTokens;
            batch.BlocksOf(item).CopyTo(tables.AsSpan(blocks));
            blocks += item.BlockCount;
        }
        var copies = new int[batch.Copies.Length * 2];
        for (var i = 0; i < batch.Copies.Length; i++)
            (copies[2 * i], copies[(2 * i) + 1]) = (batch.Copies[i].From, batch.Copies[i].To);
        var states = new int[batch.StateCopies.Length * 2];
        for (var i = 0; i < batch.StateCopies.Length; i++)
            (states[2 * i], states[(2 * i) + 1]) = (batch.StateCopies[i].From, batch.StateCopies[i].To);
        return new StageRequest
        {
            Tokens = batch.Tokens.ToArray(),
            Sequences = sequences,
            Blocks = tables,
            Copies = copies,
            StateCopies = states,
            Encodes = batch.Encodes,
            Hidden = output == StepOutput.Hidden,
        };
    }

    /// <summary>The step as one of the stages gets it: only the first needs the tokens.</summary>
    public static StageRequest For(this StageRequest request, int stage, long epoch, long number) => new()
    {
        Tokens = stage == 0 ? request.Tokens : [],
        Sequences = request.Sequences,
        Blocks = request.Blocks,
        Copies = request.Copies,
        StateCopies = request.StateCopies,
        Encodes = request.Encodes,
        Hidden = request.Hidden,
        Epoch = epoch,
        Number = number,
    };

    /// <summary>The step as the stages behind get it.</summary>
    public static StageRequest Behind(this StageRequest request) => request.Tokens.Length == 0 ? request : request.For(1, request.Epoch, request.Number);

    /// <summary>Fills <paramref name="batch"/> with the step.</summary>
    public static void Fill(this StageRequest request, StepBatch batch)
    {
        batch.Clear();
        batch.Encodes = request.Encodes;
        for (var i = 0; i < request.Copies.Length; i += 2)
            batch.AddCopy(request.Copies[i], request.Copies[i + 1]);
        for (var i = 0; i < request.StateCopies.Length; i += 2)
            batch.AddStateCopy(request.StateCopies[i], request.StateCopies[i + 1]);
        var tokens = request.Tokens.AsSpan();
        if (tokens.IsEmpty)
        {
            // A stage that starts from activations needs to know only how many there are.
            var count = 0;
            for (var i = 0; i < request.Sequences.Length; i += NumbersPerSequence)
                count += request.Sequences[i];
            tokens = new int[count];
        }
        var blocks = request.Blocks.AsSpan();
        for (var i = 0; i < request.Sequences.Length; i += NumbersPerSequence)
        {
            var numbers = request.Sequences.AsSpan(i, NumbersPerSequence);
            var (own, table) = (numbers[0], numbers[2]);
            batch.Add(tokens[..own], numbers[1], blocks[..table], numbers[3], numbers[4], numbers[5], numbers[6]);
            tokens = tokens[own..];
            blocks = blocks[table..];
        }
    }
}
