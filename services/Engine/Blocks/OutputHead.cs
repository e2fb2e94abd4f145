using System.Numerics.Tensors;
using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>The final norm and the projection to the vocabulary, for the rows that are wanted.</summary>
internal sealed unsafe class OutputHead(Norm norm, Linear projection, float scale = 1)
{
    private PinnedArray _output = new(0);

    /// <summary>Rows in the order of <see cref="StepBatch.OutputRows"/>; valid until the next call.</summary>
    public ReadOnlyMemory<float> Forward(StepContext context, StepOutput output)
    {
        var rows = context.Batch.OutputRows;
        if (rows.IsEmpty)
            return default;

        // Ascending and without repetition, so gathering upwards in place overwrites only rows that are done with.
        long size = norm.Size;
        var hidden = context.Hidden;
        for (var i = 0; i < rows.Length; i++)
        {
            if (rows[i] != i)
                Buffer.MemoryCopy(hidden + (rows[i] * size), hidden + (i * size), size * sizeof(float), size * sizeof(float));
        }

        var columns = output == StepOutput.Logits ? projection.Rows : norm.Size;
        var length = (long)rows.Length * columns;
        if (_output.Length < length)
            _output = new PinnedArray(length);
        context.Adapters.UseOutputRows(rows);
        norm.Forward(context, hidden, rows.Length, output == StepOutput.Logits && projection.WantsInt8);
        if (output == StepOutput.Logits)
        {
            projection.Multiply(context, context.Normed, rows.Length, _output.Pointer);
            var logits = _output.Memory.Span[..(int)length];
            if (scale != 1)
                TensorPrimitives.Multiply(logits, scale, logits);
        }
        else
        {
            Buffer.MemoryCopy(context.Normed, _output.Pointer, _output.Length * (long)sizeof(float), length * sizeof(float));
        }

        return _output.Memory[..(int)length];
    }
}
