using System.Numerics.Tensors;
using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>The final norm and the projection to the vocabulary, for the rows that are wanted; an encoder has neither.</summary>
internal sealed unsafe class OutputHead
{
    private readonly int _hiddenSize;
    private readonly Norm? _norm;
    private readonly Linear? _projection;
    private readonly float _scale = 1;
    private PinnedArray _output = new(0);

    public OutputHead(Norm norm, Linear projection, float scale = 1)
    {
        _hiddenSize = norm.Size;
        _norm = norm;
        _projection = projection;
        _scale = scale;
    }

    /// <summary>The norm alone.</summary>
    public OutputHead(Norm norm)
    {
        _hiddenSize = norm.Size;
        _norm = norm;
    }

    /// <summary>None of either.</summary>
    public OutputHead(int hiddenSize) => _hiddenSize = hiddenSize;

    /// <summary>Rows in the order of <see cref="StepBatch.OutputRows"/>; valid until the next call.</summary>
    /// <exception cref="NotSupportedException">Logits are asked for, and there is no projection.</exception>
    public ReadOnlyMemory<float> Forward(StepContext context, StepOutput output)
    {
        var rows = context.Batch.OutputRows;
        if (rows.IsEmpty)
            return default;

        // Ascending and without repetition, so gathering upwards in place overwrites only rows that are done with.
        long size = _hiddenSize;
        var hidden = context.Hidden;
        for (var i = 0; i < rows.Length; i++)
        {
            if (rows[i] != i)
                Buffer.MemoryCopy(hidden + (rows[i] * size), hidden + (i * size), size * sizeof(float), size * sizeof(float));
        }

        context.Adapters.UseOutputRows(rows);
        return output == StepOutput.Hidden ? HiddenStates(context, rows.Length)
            : _projection is not null ? Logits(context, _projection, rows.Length)
            : throw new NotSupportedException("This model has no head: it gives hidden states and no logits.");
    }

    private Memory<float> Logits(StepContext context, Linear head, int rows)
    {
        var logits = Room((long)rows * head.Rows);
        _norm!.Forward(context, context.Hidden, rows, head.WantsInt8);
        head.Multiply(context, context.Normed, rows, _output.Pointer);
        if (_scale != 1)
            TensorPrimitives.Multiply(logits.Span, _scale, logits.Span);
        if (context.Config.LogitCap > 0)
            context.Kernels.SoftCap(_output.Pointer, logits.Length, 1, context.Config.LogitCap);
        return logits;
    }

    private Memory<float> HiddenStates(StepContext context, int rows)
    {
        var states = Room((long)rows * _hiddenSize);
        _norm?.Forward(context, context.Hidden, rows, quantize: false);
        var from = _norm is null ? context.Hidden : context.Normed;
        Buffer.MemoryCopy(from, _output.Pointer, _output.Length * (long)sizeof(float), states.Length * (long)sizeof(float));
        return states;
    }

    private Memory<float> Room(long length)
    {
        if (_output.Length < length)
            _output = new PinnedArray(length);
        return _output.Memory[..(int)length];
    }
}
