using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels.Assembled;
using Slm.Engine.Kernels.Panels;

namespace Slm.Engine.Kernels;

/// <summary>
/// The kernels of one instruction set, chosen once at start-up. Within a set every result is bit-identical whatever the
/// batch, the chunking and the number of threads; sets of the same <see cref="Numerics"/> give the same bits as well.
/// </summary>
internal sealed unsafe class KernelSet
{
    /// <summary>Environment variable that names the set to use, for tests and measurements.</summary>
    public const string Variable = "SLM_KERNELS";

    private readonly delegate*<in MatMulTask, int, int, float*, void>[] _products = new delegate*<in MatMulTask, int, int, float*, void>[64];

    private delegate*<in AttentionQueries, byte**, int, void> _floatAttention, _shortAttention, _byteAttention;

    private KernelSet(string name, string numerics, int panelRows)
    {
        Name = name;
        Numerics = numerics;
        PanelRows = panelRows;
    }

    /// <summary>Vector code without instruction-set intrinsics; runs everywhere.</summary>
    public static KernelSet Portable { get; } = CreatePortable();

    /// <summary>AVX2 and FMA; null where the processor lacks them.</summary>
    public static KernelSet? Avx2 { get; } =
        System.Runtime.Intrinsics.X86.Avx2.IsSupported && Fma.IsSupported ? CreateFused<Wide256, Vector256<byte>>("avx2") : null;

    /// <summary>AVX-512 (F and BW) for quantized products; null where the processor lacks them.</summary>
    public static KernelSet? Avx512 { get; } =
        Avx512BW.IsSupported && Avx2 is not null ? CreateFused<Wide512, Vector512<byte>>("avx512") : null;

    /// <summary>AVX-512 with VNNI, by kernels assembled at start; null where processor or system lack it.</summary>
    public static KernelSet? Vnni { get; } = Avx512 is not null && VnniKernels.IsSupported ? CreateVnni() : null;

    /// <summary>All sets that this processor can run, the best one first.</summary>
    public static IReadOnlyList<KernelSet> Available { get; } =
        [.. new[] { Vnni, Avx512, Avx2, Portable }.Where(set => set is not null).Select(set => set!)];

    /// <summary>The set in use: the best for this processor unless <see cref="Variable"/> names another.</summary>
    public static KernelSet Best { get; } = Choose(Environment.GetEnvironmentVariable(Variable));

    /// <summary>Instruction set.</summary>
    public string Name { get; }

    /// <summary>Name in the numerics fingerprint.</summary>
    public string Numerics { get; }

    /// <summary>Rows of a panel of quantized weights.</summary>
    public int PanelRows { get; }

    /// <summary>x, weight, y, count, epsilon.</summary>
    public delegate*<float*, float*, float*, int, float, void> RmsNorm { get; private init; }

    /// <summary>See <see cref="LayerNorm{TMath}"/>: x, weight, bias or null, y, count, epsilon.</summary>
    public delegate*<float*, float*, float*, float*, int, float, void> LayerNorm { get; private init; }

    /// <summary>x (in and out), count.</summary>
    public delegate*<float*, int, void> Relu { get; private init; }

    /// <summary>x (in and out), count.</summary>
    public delegate*<float*, int, void> ReluSquared { get; private init; }

    /// <summary>x (in and out), count.</summary>
    public delegate*<float*, int, void> GeluExact { get; private init; }

    /// <summary>gate (in and out), up, count.</summary>
    public delegate*<float*, float*, int, void> SwiGlu { get; private init; }

    /// <summary>gate (in and out), up, count.</summary>
    public delegate*<float*, float*, int, void> GeGlu { get; private init; }

    /// <summary>gate (in and out), up, count.</summary>
    public delegate*<float*, float*, int, void> ReGlu { get; private init; }

    /// <summary>See <see cref="LoraProduct{TMath}.Add"/>.</summary>
    public delegate*<in MatMulTask, int, int, void> AddLora { get; private init; }

    /// <summary>gate (in and out), up, count.</summary>
    public delegate*<float*, float*, int, void> GeluExactGlu { get; private init; }

    /// <summary>See <see cref="SoftCap{TMath}.Run"/>.</summary>
    public delegate*<float*, int, float, float, void> SoftCap { get; private init; }

    /// <summary>See <see cref="AttentionState.Merge{TMath}"/>.</summary>
    public delegate*<float*, float*, int, void> MergeAttention { get; private init; }

    /// <summary>See <see cref="StateScan{TMath}.Step"/>.</summary>
    public delegate*<float*, float*, float*, float*, float*, in ScanTerms, int, int, void> ScanStep { get; private init; }

    /// <summary>See <see cref="StateScan{TMath}.Convolve"/>.</summary>
    public delegate*<float**, float*, float*, float*, int, int, void> Convolve { get; private init; }

    /// <summary>The set called <paramref name="name"/>, or the best one if that is null or empty.</summary>
    /// <exception cref="NotSupportedException">There is no such set, or this processor cannot run it.</exception>
    public static KernelSet Choose(string? name)
    {
        if (string.IsNullOrEmpty(name))
            return Available[0];
        return Available.FirstOrDefault(set => set.Name == name)
            ?? throw new NotSupportedException($"{Variable} is '{name}'; this processor has {string.Join(", ", Available.Select(set => set.Name))}.");
    }

    /// <summary>Gated unit with a function: gate (in and out), up, count.</summary>
    /// <exception cref="NotSupportedException">There is no such kernel.</exception>
    public delegate*<float*, float*, int, void> Gate(GateFunction function) => function switch
    {
        GateFunction.Gelu => GeGlu,
        GateFunction.Relu => ReGlu,
        GateFunction.GeluExact => GeluExactGlu,
        GateFunction.Silu => SwiGlu,
        _ => throw new NotSupportedException($"There is no kernel for {function} with a gate."),
    };

    /// <summary>A function without gate: x (in and out), count.</summary>
    /// <exception cref="NotSupportedException">There is no such kernel.</exception>
    public delegate*<float*, int, void> Activation(GateFunction function) => function switch
    {
        GateFunction.Relu => Relu,
        GateFunction.ReluSquared => ReluSquared,
        GateFunction.GeluExact => GeluExact,
        _ => throw new NotSupportedException($"There is no kernel for {function} without a gate."),
    };

    /// <summary>See <see cref="AttentionChunk{TMath, TCell, T}.Run"/>, for a cache that holds this.</summary>
    public delegate*<in AttentionQueries, byte**, int, void> AttentionChunk(KvType type) => type switch
    {
        KvType.Q16 => _shortAttention,
        KvType.Q8 => _byteAttention,
        _ => _floatAttention,
    };

    /// <summary>Matrix product for weights of a type: of panels if <see cref="PanelLayout"/> has one for it.</summary>
    /// <exception cref="NotSupportedException">There is none for this type.</exception>
    public delegate*<in MatMulTask, int, int, float*, void> MatMul(TensorType type)
    {
        var product = (uint)type < (uint)_products.Length ? _products[(int)type] : null;
        return product != null ? product : throw new NotSupportedException($"Tensor type {type} has no kernel.");
    }

    private static KernelSet CreatePortable()
    {
        var set = new KernelSet("portable", "portable", WidePortable.Rows)
        {
            RmsNorm = &RmsNorm<PortableMath>.Run,
            LayerNorm = &LayerNorm<PortableMath>.Run,
            Relu = &Activation<PortableMath, ReluGate>.Run,
            ReluSquared = &Activation<PortableMath, ReluSquaredGate>.Run,
            GeluExact = &Activation<PortableMath, GeluExactGate>.Run,
            SwiGlu = &GatedUnit<PortableMath, SiluGate>.Run,
            GeGlu = &GatedUnit<PortableMath, GeluGate>.Run,
            ReGlu = &GatedUnit<PortableMath, ReluGate>.Run,
            AddLora = &LoraProduct<PortableMath>.Add,
            GeluExactGlu = &GatedUnit<PortableMath, GeluExactGate>.Run,
            _floatAttention = &AttentionChunk<PortableMath, FloatCell, float>.Run,
            _shortAttention = &AttentionChunk<PortableMath, ShortCell, short>.Run,
            _byteAttention = &AttentionChunk<PortableMath, ByteCell, sbyte>.Run,
            SoftCap = &SoftCap<PortableMath>.Run,
            MergeAttention = &AttentionState.Merge<PortableMath>,
            ScanStep = &StateScan<PortableMath>.Step,
            Convolve = &StateScan<PortableMath>.Convolve,
        };
        set._products[(int)TensorType.F32] = &FloatMatMul<PortableMath, Float32Weight>.Run;
        set._products[(int)TensorType.F16] = &FloatMatMul<PortableMath, Float16Weight>.Run;
        set._products[(int)TensorType.BF16] = &FloatMatMul<PortableMath, BFloat16Weight>.Run;
        set.AddPanels<WidePortable, Vector256<byte>>();
        return set;
    }

    private static KernelSet CreateFused<TWide, TVector>(string name)
        where TWide : struct, IWide<TVector>
        where TVector : struct
    {
        var set = new KernelSet(name, "fma", TWide.Rows)
        {
            RmsNorm = &RmsNorm<FusedMath>.Run,
            LayerNorm = &LayerNorm<FusedMath>.Run,
            Relu = &Activation<FusedMath, ReluGate>.Run,
            ReluSquared = &Activation<FusedMath, ReluSquaredGate>.Run,
            GeluExact = &Activation<FusedMath, GeluExactGate>.Run,
            SwiGlu = &GatedUnit<FusedMath, SiluGate>.Run,
            GeGlu = &GatedUnit<FusedMath, GeluGate>.Run,
            ReGlu = &GatedUnit<FusedMath, ReluGate>.Run,
            AddLora = &LoraProduct<FusedMath>.Add,
            GeluExactGlu = &GatedUnit<FusedMath, GeluExactGate>.Run,
            _floatAttention = &AttentionChunk<FusedMath, FloatCell, float>.Run,
            _shortAttention = &AttentionChunk<FusedMath, ShortCell, short>.Run,
            _byteAttention = &AttentionChunk<FusedMath, ByteCell, sbyte>.Run,
            SoftCap = &SoftCap<FusedMath>.Run,
            MergeAttention = &AttentionState.Merge<FusedMath>,
            ScanStep = &StateScan<FusedMath>.Step,
            Convolve = &StateScan<FusedMath>.Convolve,
        };
        set._products[(int)TensorType.F32] = &FloatMatMul<FusedMath, Float32Weight>.Run;
        set._products[(int)TensorType.F16] = &FloatMatMul<FusedMath, Float16Weight>.Run;
        set._products[(int)TensorType.BF16] = &FloatMatMul<FusedMath, BFloat16Weight>.Run;
        set.AddPanels<TWide, TVector>();
        return set;
    }

    private static KernelSet CreateVnni()
    {
        var set = CreateFused<Wide512, Vector512<byte>>("vnni");
        set._products[(int)TensorType.Q4_0] = &VnniProduct<Q40Vnni>.Run;
        set._products[(int)TensorType.Q4_1] = &VnniProduct<Q41Vnni>.Run;
        set._products[(int)TensorType.Q5_0] = &VnniProduct<Q50Vnni>.Run;
        set._products[(int)TensorType.Q5_1] = &VnniProduct<Q51Vnni>.Run;
        set._products[(int)TensorType.Q8_0] = &VnniProduct<Q80Vnni>.Run;
        set._products[(int)TensorType.IQ4_NL] = &VnniProduct<Iq4Vnni>.Run;
        set._products[(int)TensorType.Q4_K] = &VnniProduct<Q4KVnni>.Run;
        set._products[(int)TensorType.Q5_K] = &VnniProduct<Q5KVnni>.Run;
        set._products[(int)TensorType.Q2_K] = &VnniProduct<Q2KVnni>.Run;
        set._products[(int)TensorType.Q3_K] = &VnniProduct<Q3KVnni>.Run;
        set._products[(int)TensorType.Q6_K] = &VnniProduct<Q6KVnni>.Run;
        return set;
    }

    private void AddPanels<TWide, TVector>()
        where TWide : struct, IWide<TVector>
        where TVector : struct
    {
        _products[(int)TensorType.Q4_0] = &PanelProduct<TWide, TVector, Q40Panel>.Run;
        _products[(int)TensorType.Q4_1] = &PanelProduct<TWide, TVector, Q41Panel>.Run;
        _products[(int)TensorType.Q5_0] = &PanelProduct<TWide, TVector, Q50Panel>.Run;
        _products[(int)TensorType.Q5_1] = &PanelProduct<TWide, TVector, Q51Panel>.Run;
        _products[(int)TensorType.Q8_0] = &SignedPanelProduct<TWide, TVector, Q80Panel>.Run;
        _products[(int)TensorType.IQ4_NL] = &SignedPanelProduct<TWide, TVector, Iq4Panel>.Run;
        _products[(int)TensorType.Q2_K] = &GroupedPanelProduct<TWide, TVector, Q2KPanel>.Run;
        _products[(int)TensorType.Q3_K] = &GroupedPanelProduct<TWide, TVector, Q3KPanel>.Run;
        _products[(int)TensorType.Q4_K] = &PanelProduct<TWide, TVector, Q4KPanel>.Run;
        _products[(int)TensorType.Q5_K] = &PanelProduct<TWide, TVector, Q5KPanel>.Run;
        _products[(int)TensorType.Q6_K] = &GroupedPanelProduct<TWide, TVector, Q6KPanel>.Run;
    }
}
