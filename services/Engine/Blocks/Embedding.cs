using Slm.Engine.Execution;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>Token ids to rows of the residual stream: the token's row, scaled; those of its position and of its text, if there are any; and a norm.</summary>
internal sealed unsafe class Embedding(Linear table, float scale = 1)
{
    /// <summary>The rows.</summary>
    public Linear Table => table;

    /// <summary>Number of rows.</summary>
    public int VocabSize => table.Rows;

    /// <summary>Rows of positions, as many as the longest sequence has; null: none.</summary>
    public Linear? Positions { get; init; }

    /// <summary>A row that all tokens get; null: none.</summary>
    public PinnedArray? Common { get; init; }

    /// <summary>Norm of the sum; null: none.</summary>
    public Norm? Norm { get; init; }

    /// <summary>Writes the row of each token of the step.</summary>
    public void Forward(StepContext context)
    {
        var work = new Work(context, this, table, scale);
        context.ForEachToken(context.Tokens, ref work);
    }

    private readonly struct Work(StepContext context, Embedding embedding, Linear table, float scale) : IParallelWork
    {
        public void Execute(int part, int worker)
        {
            var row = context.Hidden + ((nint)part * table.Columns);
            table.Row(context.Batch.Tokens[part], row);
            if (table.Adapters != null && context.Adapters.Active)
                context.Adapters.AddToRow(table.Adapters, part, context.Batch.Tokens[part], row, table.Columns, context);
            for (var i = 0; scale != 1 && i < table.Columns; i++)
                row[i] *= scale;
            if (embedding.Common is { } common)
                WeightedSum.Add(common.Pointer, 1, row, table.Columns);
            if (embedding.Positions is { } positions)
            {
                // Free until the first layer.
                var position = context.Normed + ((nint)part * table.Columns);
                positions.Row(context.Positions[part], position);
                WeightedSum.Add(position, 1, row, table.Columns);
            }

            embedding.Norm?.InPlace(context, row);
        }
    }
}
