using System.Runtime.Intrinsics.X86;
using Slm.Engine.Formats;

namespace Slm.Engine.Kernels;

/// <summary>
/// The kernels of one instruction set, chosen once at start-up. Sets may differ in the last bits; within a set every
/// result is bit-identical whatever the batch, the chunking and the number of threads.
/// </summary>
internal sealed unsafe class KernelSet
{
    private readonly delegate*<in MatMulTask, int, int, float*, void> _f32, _f16, _bf16, _q80, _q40;

    private KernelSet(
        string name,
        delegate*<in MatMulTask, int, int, float*, void> f32,
        delegate*<in MatMulTask, int, int, float*, void> f16,
        delegate*<in MatMulTask, int, int, float*, void> bf16,
        delegate*<in MatMulTask, int, int, float*, void> q80,
        delegate*<in MatMulTask, int, int, float*, void> q40,
        delegate*<float*, float*, float*, int, float, void> rmsNorm,
        delegate*<float*, float*, int, void> swiGlu,
        delegate*<float*, float*, float*, float*, float*, int, int, int, float, void> attentionTile)
    {
        Name = name;
        _f32 = f32;
        _f16 = f16;
        _bf16 = bf16;
        _q80 = q80;
        _q40 = q40;
        RmsNorm = rmsNorm;
        SwiGlu = swiGlu;
        AttentionTile = attentionTile;
    }

    /// <summary>Vector code without instruction-set intrinsics; runs everywhere.</summary>
    public static KernelSet Portable { get; } = new(
        "portable",
        &FloatMatMul<PortableMath, Float32Weight>.Run,
        &FloatMatMul<PortableMath, Float16Weight>.Run,
        &FloatMatMul<PortableMath, BFloat16Weight>.Run,
        &Int8MatMulPortable<Q80Weight>.Run,
        &Int8MatMulPortable<Q40Weight>.Run,
        &RmsNorm<PortableMath>.Run,
        &SwiGlu<PortableMath>.Run,
        &AttentionTile<PortableMath>.Run);

    /// <summary>AVX2 and FMA; null where the processor lacks them.</summary>
    public static KernelSet? Avx2 { get; } = !(System.Runtime.Intrinsics.X86.Avx2.IsSupported && Fma.IsSupported) ? null : new(
        "avx2",
        &FloatMatMul<FusedMath, Float32Weight>.Run,
        &FloatMatMul<FusedMath, Float16Weight>.Run,
        &FloatMatMul<FusedMath, BFloat16Weight>.Run,
        &Int8MatMulAvx2<Q80Weight>.Run,
        &Int8MatMulAvx2<Q40Weight>.Run,
        &RmsNorm<FusedMath>.Run,
        &SwiGlu<FusedMath>.Run,
        &AttentionTile<FusedMath>.Run);

    /// <summary>The best set for this processor.</summary>
    public static KernelSet Best { get; } = Avx2 ?? Portable;

    /// <summary>Name in the numerics fingerprint.</summary>
    public string Name { get; }

    /// <summary>x, weight, y, count, epsilon.</summary>
    public delegate*<float*, float*, float*, int, float, void> RmsNorm { get; }

    /// <summary>gate (in and out), up, count.</summary>
    public delegate*<float*, float*, int, void> SwiGlu { get; }

    /// <summary>See <see cref="AttentionTile{TMath}.Run"/>.</summary>
    public delegate*<float*, float*, float*, float*, float*, int, int, int, float, void> AttentionTile { get; }

    /// <summary>Matrix product for weights of a type.</summary>
    /// <exception cref="NotSupportedException">There is none for this type.</exception>
    public delegate*<in MatMulTask, int, int, float*, void> MatMul(TensorType type) => type switch
    {
        TensorType.F32 => _f32,
        TensorType.F16 => _f16,
        TensorType.BF16 => _bf16,
        TensorType.Q8_0 => _q80,
        TensorType.Q4_0 => _q40,
        _ => throw new NotSupportedException($"Tensor type {type} has no kernel."),
    };
}
