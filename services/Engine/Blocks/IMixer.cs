using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>What mixes the positions of a sequence: attention, or a recurrence. Several may read the same norm.</summary>
internal interface IMixer
{
    /// <summary>Its products read int8 activations.</summary>
    bool WantsInt8 { get; }

    /// <summary>Computes all tokens of the step from <see cref="StepContext.Normed"/>, which is quantized if wanted and stays as it is.</summary>
    void Forward(StepContext context);

    /// <summary>Adds the result to the residual stream; <see cref="StepContext.Normed"/> is free by now.</summary>
    void Add(StepContext context);
}

/// <summary>x += Σ mixer(norm(x)), or without a norm x += Σ mixer(x).</summary>
internal sealed unsafe class MixerBlock(Norm? norm, params IMixer[] mixers) : IBlock
{
    private readonly bool _quantize = mixers.Any(mixer => mixer.WantsInt8);

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        if (norm is not null)
            norm.Forward(context, context.Hidden, context.Tokens, _quantize);
        else
            CopyWork.Run(context, _quantize);
        foreach (var mixer in mixers)
            mixer.Forward(context);
        foreach (var mixer in mixers)
            mixer.Add(context);
    }
}
