using Slm.Engine.Execution;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>Token ids to rows of the residual stream.</summary>
internal sealed unsafe class Embedding(Linear table, float scale = 1)
{
    /// <summary>The rows.</summary>
    public Linear Table => table;

    /// <summary>Number of rows.</summary>
    public int VocabSize => table.Rows;

    /// <summary>Writes the row of each token of the step.</summary>
    public void Forward(StepContext context)
    {
        var work = new Work(context, table, scale);
        context.ForEachToken(context.Tokens, ref work);
    }

    private readonly struct Work(StepContext context, Linear table, float scale) : IParallelWork
    {
        public void Execute(int part, int worker)
        {
            var row = context.Hidden + ((nint)part * table.Columns);
            table.Row(context.Batch.Tokens[part], row);
            if (table.Adapters != null && context.Adapters.Active)
                context.Adapters.AddToRow(table.Adapters, part, context.Batch.Tokens[part], row, table.Columns, context);
            for (var i = 0; scale != 1 && i < table.Columns; i++)
                row[i] *= scale;
        }
    }
}
