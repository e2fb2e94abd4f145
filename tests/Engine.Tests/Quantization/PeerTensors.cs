using Slm.Engine.Formats;
using Slm.Engine.Quantization;

namespace Slm.Engine.Tests.Quantization;

/// <summary>tests/data/quantization/peer.gguf: tensors quantized and read back by llama.cpp.</summary>
internal static unsafe class PeerTensors
{
    public const int Columns = 512;

    public const int Rows = 8;

    public static string Folder { get; } = Path.Combine(Path.GetDirectoryName(ReferenceModels.Folder)!, "quantization");

    /// <summary>The types with blocks.</summary>
    public static TheoryData<TensorType> Types => [.. RowQuantizer.Supported.Where(t => TensorTypes.BlockElements(t) > 1)];

    public static byte[] Bytes(string name)
    {
        using var file = GgufFile.Open(Path.Combine(Folder, "peer.gguf"));
        return file.TryGetTensor(name, out var tensor) ? file.Bytes(tensor).ToArray() : throw new KeyNotFoundException(name);
    }

    public static float[] Floats(string name) => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(Bytes(name)).ToArray();

    /// <summary>Quantizes rows.</summary>
    public static byte[] Quantize(TensorType type, float[] values, int columns, float[]? importance)
    {
        var rowBytes = (int)TensorTypes.RowBytes(type, columns);
        var stored = new byte[values.Length / columns * rowBytes];
        fixed (float* x = values, w = importance)
        fixed (byte* target = stored)
        {
            for (var row = 0; row < values.Length / columns; row++)
                RowQuantizer.Quantize(type, x + (row * columns), w, target + (row * rowBytes), columns);
        }

        return stored;
    }

    public static float[] Dequantize(TensorType type, byte[] stored, int columns)
    {
        var rowBytes = (int)TensorTypes.RowBytes(type, columns);
        var values = new float[stored.Length / rowBytes * columns];
        fixed (byte* source = stored)
        fixed (float* target = values)
        {
            for (var row = 0; row < stored.Length / rowBytes; row++)
                RowDequantizer.Dequantize(type, source + (row * rowBytes), target + (row * columns), columns);
        }

        return values;
    }

    /// <summary>Σ w·(a - b)² in double precision.</summary>
    public static double Error(float[] a, float[] b, float[]? importance)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += (importance?[i % importance.Length] ?? 1) * ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        return sum;
    }
}
