using Slm.Engine.Execution;
using Slm.Engine.Quantization;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>The residual stream as it is to <see cref="StepContext.Normed"/>, where a block has no norm before it.</summary>
internal readonly unsafe struct CopyWork : IParallelWork
{
    private readonly StepContext _context;
    private readonly bool _quantize;

    private CopyWork(StepContext context, bool quantize)
    {
        _context = context;
        _quantize = quantize;
    }

    /// <summary>Copies all tokens of the step, and quantizes them if wanted.</summary>
    public static void Run(StepContext context, bool quantize)
    {
        var work = new CopyWork(context, quantize);
        context.ForEachToken(context.Tokens, ref work);
    }

    public void Execute(int part, int worker)
    {
        var size = _context.Config.HiddenSize;
        var from = _context.Hidden + ((nint)part * size);
        new ReadOnlySpan<float>(from, size).CopyTo(new Span<float>(_context.Normed + ((nint)part * size), size));
        if (_quantize)
            ActivationQuantizer.Quantize(from, _context.Int8 + ((nint)part * size), _context.Scales + ((nint)part * (size / 32)), size);
    }
}
