using Slm.Engine.Execution;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>Token ids to rows of the residual stream.</summary>
internal sealed unsafe class Embedding(Linear table)
{
    /// <summary>Number of rows.</summary>
    public int VocabSize => table.Rows;

    /// <summary>Writes the row of each token of the step.</summary>
    public void Forward(StepContext context)
    {
        var work = new Work(context, table);
        context.ForEachToken(context.Tokens, ref work);
    }

    private readonly struct Work(StepContext context, Linear table) : IParallelWork
    {
        public void Execute(int part, int worker) => table.Row(context.Batch.Tokens[part], context.Hidden + ((nint)part * table.Columns));
    }
}
