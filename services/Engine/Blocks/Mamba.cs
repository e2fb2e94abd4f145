using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Slm.Engine.Execution;
using Slm.Engine.Kernels;
using Slm.Engine.Models;
using Slm.Engine.Threading;

namespace Slm.Engine.Blocks;

/// <summary>
/// Mamba-2 (Dao and Gu 2024): a causal convolution and SiLU on x, B and C; per head S ← e^(Δ·A)·S + Δ·x ⊗ B and
/// y = S·C + D·x with Δ = softplus(step + bias); then y · silu(z), normed by groups if there is a norm.
/// </summary>
/// <param name="cacheLayer">Index of this layer in the stage's cache.</param>
/// <param name="config">Sizes.</param>
internal sealed unsafe class Mamba(int cacheLayer, SsmConfig config) : IMixer
{
    /// <summary>Residual stream to [z | x | B | C | steps].</summary>
    public required Linear Input { get; init; }

    /// <summary>[positions, channels], the oldest position first.</summary>
    public required PinnedArray ConvWeights { get; init; }

    /// <summary>[channels].</summary>
    public required PinnedArray ConvBias { get; init; }

    /// <summary>[heads].</summary>
    public required PinnedArray StepBias { get; init; }

    /// <summary>A, negative, [heads].</summary>
    public required PinnedArray Decay { get; init; }

    /// <summary>D [heads].</summary>
    public required PinnedArray Skip { get; init; }

    /// <summary>[groups, inner / groups], or null.</summary>
    public PinnedArray? NormWeights { get; init; }

    public required Residual Output { get; init; }

    /// <inheritdoc/>
    public bool WantsInt8 => Input.WantsInt8;

    /// <inheritdoc/>
    public void Forward(StepContext context)
    {
        var room = context.Scan!;
        Input.Multiply(context, context.Normed, context.Tokens, room.Projected);
        var convolve = new ConvolveWork(this, context);
        context.ForEachToken(context.Tokens, ref convolve);
        var scan = new ScanWork(this, context);
        context.Workers.Run(context.Batch.Items.Length * config.Heads, ref scan);
        var gate = new GateWork(this, context);
        context.ForEachToken(context.Tokens, ref gate);
    }

    /// <inheritdoc/>
    public void Add(StepContext context) => Output.Add(context, context.Scan!.Output);

    /// <summary>Inputs of the convolution at a position of a sequence, counted from its first new token: from this step, or from memory if negative.</summary>
    private float* Row(StepContext context, in StepItem item, int offset)
    {
        if (offset >= 0)
            return context.Scan!.Projected + ((item.FirstToken + offset) * (nint)config.ProjectionSize) + config.InnerSize;
        if (item.StartPosition == 0)
            return context.Scan!.Nothing;
        return context.States.State(cacheLayer, item.StateSlot) + ((config.ConvSize - 1 + offset) * (nint)config.Channels);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Convolve(StepContext context, int token)
    {
        ref readonly var item = ref context.Batch.Items[context.Items[token]];
        var rows = stackalloc float*[config.ConvSize];
        for (var k = 0; k < config.ConvSize; k++)
            rows[k] = Row(context, in item, token - item.FirstToken - config.ConvSize + 1 + k);
        context.Kernels.Convolve(
            rows, ConvWeights.Pointer, ConvBias.Pointer, context.Scan!.Convolved + ((nint)token * config.Channels), config.ConvSize, config.Channels);
    }

    /// <summary>One head of one sequence, position after position.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Scan(StepContext context, int part)
    {
        ref readonly var item = ref context.Batch.Items[part / config.Heads];
        var head = part % config.Heads;
        var room = context.Scan!;
        if (head == 0)
            Remember(context, in item);
        var size = config.HeadSize;
        var state = context.States.State(cacheLayer, item.StateSlot) + config.ConvFloats + ((nint)head * size * config.StateSize);
        if (item.StartPosition == 0)
            new Span<float>(state, size * config.StateSize).Clear();
        var group = head / (config.Heads / config.Groups);
        var toB = config.InnerSize + (group * config.StateSize);
        var toC = toB + (config.Groups * config.StateSize);
        for (var token = item.FirstToken; token < item.FirstToken + item.Count; token++)
        {
            var step = SoftPlus(room.Projected[((token + 1) * (nint)config.ProjectionSize) - config.Heads + head] + (double)StepBias.Pointer[head]);
            var terms = new ScanTerms((float)Math.Exp(step * Decay.Pointer[head]), (float)step, Skip.Pointer[head]);
            var row = room.Convolved + ((nint)token * config.Channels);
            context.Kernels.ScanStep(
                state, row + ((nint)head * size), row + toB, row + toC, room.Output + ((nint)token * config.InnerSize) + ((nint)head * size), in terms, size, config.StateSize);
        }
    }

    /// <summary>Keeps what the convolution will see of this step and of those before: in order, as rows move towards the front.</summary>
    private void Remember(StepContext context, in StepItem item)
    {
        var memory = context.States.State(cacheLayer, item.StateSlot);
        for (var k = 0; k < config.ConvSize - 1; k++)
            NativeMemory.Copy(Row(context, in item, item.Count - config.ConvSize + 1 + k), memory + (k * (nint)config.Channels), (nuint)config.Channels * sizeof(float));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Gate(StepContext context, int token)
    {
        var room = context.Scan!;
        var z = room.Projected + ((nint)token * config.ProjectionSize);
        var y = room.Output + ((nint)token * config.InnerSize);
        context.Kernels.SwiGlu(z, y, config.InnerSize);
        if (NormWeights is null)
        {
            NativeMemory.Copy(z, y, (nuint)config.InnerSize * sizeof(float));
            return;
        }

        var size = config.InnerSize / config.Groups;
        for (nint at = 0; at < config.InnerSize; at += size)
            context.Kernels.RmsNorm(z + at, NormWeights.Pointer + at, y + at, size, context.Config.NormEpsilon);
    }

    /// <summary>ln(1 + e^x) without loss at either end.</summary>
    private static double SoftPlus(double x) => x switch
    {
        > 30 => x,
        < -15 => Math.Exp(x),
        _ => Math.Log(1 + Math.Exp(x)),
    };

    private readonly struct ConvolveWork(Mamba mamba, StepContext context) : IParallelWork
    {
        public void Execute(int part, int worker) => mamba.Convolve(context, part);
    }

    private readonly struct ScanWork(Mamba mamba, StepContext context) : IParallelWork
    {
        public void Execute(int part, int worker) => mamba.Scan(context, part);
    }

    private readonly struct GateWork(Mamba mamba, StepContext context) : IParallelWork
    {
        public void Execute(int part, int worker) => mamba.Gate(context, part);
    }
}
