using System.Diagnostics;
using System.Globalization;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Kernels.Panels;
using Slm.Engine.Quantization;

namespace Slm.Benchmarks;

/// <summary>Billions of multiply-adds per second of the products on one thread, weights in the cache.</summary>
internal static unsafe class KernelMeasurement
{
    private const int Rows = 768;
    private const int Columns = 768;

    public static void Run()
    {
        foreach (var set in KernelSet.Available)
        {
            if (set == KernelSet.Portable)
                continue;
            foreach (var type in new[] { TensorType.Q4_0, TensorType.Q8_0, TensorType.Q4_K, TensorType.Q6_K, TensorType.Q5_0, TensorType.F16, TensorType.F32 })
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{set.Name,-8} {type,-6} 1 token {Measure(set, type, 1),6:F1}  4 tokens {Measure(set, type, 4),6:F1}  64 tokens {Measure(set, type, 64),6:F1} GMAC/s"));
        }
    }

    private static double Measure(KernelSet set, TensorType type, int tokens)
    {
        var layout = PanelLayout.Of(type);
        var rowBytes = layout?.RowBytes(Columns) ?? TensorTypes.RowBytes(type, Columns);
        using var weights = new NativeBuffer(rowBytes * Rows);
        using var x = new NativeBuffer(Columns * tokens * 4L);
        using var int8 = new NativeBuffer(Columns * tokens);
        using var scales = new NativeBuffer(Columns / 32 * tokens * sizeof(ActivationScale));
        using var y = new NativeBuffer(Rows * tokens * 4L);
        using var scratch = new NativeBuffer(Columns * 16L);
        new Span<byte>(weights.Pointer, (int)weights.Bytes).Fill(0x11);
        new Span<byte>(int8.Pointer, (int)int8.Bytes).Fill(3);
        new Span<float>(x.Pointer, Columns * tokens).Fill(0.1f);
        new Span<ActivationScale>(scales.Pointer, Columns / 32 * tokens).Fill(new ActivationScale { Scale = 0.01f, ScaledSum = 0.96f, FirstSum = 48, LastSum = 48, MinusEightSums = -768 });
        var task = new MatMulTask
        {
            Weights = weights.Pointer,
            RowBytes = (nint)rowBytes,
            Rows = Rows,
            Columns = Columns,
            Tokens = tokens,
            X = (float*)x.Pointer,
            XInt8 = (sbyte*)int8.Pointer,
            XScales = (ActivationScale*)scales.Pointer,
            Y = (float*)y.Pointer,
            Kernel = set.MatMul(type),
        };
        var best = double.PositiveInfinity;
        var repeats = 256 / tokens;
        for (var i = 0; i < 8; i++)
        {
            var clock = Stopwatch.StartNew();
            for (var r = 0; r < repeats; r++)
                task.Run(0, Rows, (float*)scratch.Pointer);
            best = Math.Min(best, clock.Elapsed.TotalSeconds / repeats);
        }

        return (double)Rows * Columns * tokens / best / 1e9;
    }
}
