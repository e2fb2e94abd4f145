using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Quantization;

namespace Slm.Engine.HuggingFace;

/// <summary>Rows of a tensor of a folder, and what becomes of them.</summary>
/// <param name="Tensor">The tensor [rows, columns].</param>
/// <param name="Type">Its type.</param>
/// <param name="First">First row.</param>
/// <param name="Rows">Number of rows.</param>
/// <param name="Scale">Factor of all elements.</param>
/// <param name="HeadSize">
/// Above 0, rows of a head of this size come in another order: the halves that a file rotates against each other, (i, i + n/2),
/// become neighbours (2i, 2i + 1).
/// </param>
internal sealed record TensorPart(SafetensorsTensor Tensor, TensorType Type, long First, long Rows, float Scale = 1, int HeadSize = 0)
{
    /// <summary>Where a row of the part lies in its tensor.</summary>
    public long RowOf(long row)
    {
        if (HeadSize == 0)
            return First + row;
        var within = (int)(row % HeadSize);
        return First + row - within + (within % 2 * (HeadSize / 2)) + (within / 2);
    }
}

/// <summary>
/// A tensor under its GGUF name, made of tensors of a folder. Where nothing changes it is used where it lies; else it is put
/// together when it is first used, or copied row by row.
/// </summary>
internal sealed unsafe class FolderTensor : IDisposable
{
    private readonly SafetensorsSet _files;
    private readonly TensorPart[] _parts;
    private readonly Func<float[]>? _values;
    private readonly Lock _gate = new();
    private NativeBuffer? _copy;

    /// <summary>A matrix, or several of one shape behind each other, from rows.</summary>
    public FolderTensor(SafetensorsSet files, TensorInfo info, TensorPart[] parts)
    {
        _files = files;
        _parts = parts;
        Info = info;
    }

    /// <summary>A small tensor of F32 that is computed.</summary>
    public FolderTensor(SafetensorsSet files, TensorInfo info, Func<float[]> values)
    {
        _files = files;
        _parts = [];
        _values = values;
        Info = info;
    }

    /// <summary>Name, type and shape.</summary>
    public TensorInfo Info { get; }

    /// <summary>First byte of all of it.</summary>
    public byte* Pointer() => _parts.Length == 1 && InPlace(_parts[0]) is var start && start is not null ? start : Copy();

    /// <summary>First byte of one of several matrices.</summary>
    public byte* Matrix(int index)
    {
        var rows = Info.Shape.Count > 1 ? Info.Shape[1] : 1;
        if (_parts.Length > 1 && _parts.All(p => p.Rows == rows))
        {
            var start = InPlace(_parts[index]);
            if (start is not null)
                return start;
        }

        return Pointer() + (index * rows * TensorTypes.RowBytes(Info.Type, Info.Columns));
    }

    /// <summary>Copies rows.</summary>
    public void CopyRows(long first, long count, byte* target)
    {
        var columns = checked((int)Info.Columns);
        var bytes = TensorTypes.RowBytes(Info.Type, columns);
        if (_values is not null)
        {
            fixed (float* values = _values())
                Buffer.MemoryCopy((byte*)values + (first * bytes), target, count * bytes, count * bytes);
            return;
        }

        var begin = 0L;
        foreach (var part in _parts)
        {
            var start = _files.Pointer(part.Tensor);
            var stored = TensorTypes.RowBytes(part.Type, columns);
            for (var row = Math.Max(first, begin); row < Math.Min(first + count, begin + part.Rows); row++)
            {
                var from = start + (part.RowOf(row - begin) * stored);
                var to = target + ((row - first) * bytes);
                if (part.Type == Info.Type && part.Scale == 1)
                {
                    Buffer.MemoryCopy(from, to, bytes, bytes);
                    continue;
                }

                RowDequantizer.Dequantize(part.Type, from, (float*)to, columns);
                for (var c = 0; c < columns; c++)
                    ((float*)to)[c] *= part.Scale;
            }

            begin += part.Rows;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _copy?.Dispose();

    /// <summary>Where a part lies as it is to be; null if it has to be changed, or begins where its elements would be split.</summary>
    private byte* InPlace(TensorPart part)
    {
        if (part.Type != Info.Type || part.Scale != 1 || part.HeadSize > 0)
            return null;
        var start = _files.Pointer(part.Tensor) + (part.First * TensorTypes.RowBytes(part.Type, Info.Columns));
        return (nuint)start % (nuint)TensorTypes.BlockBytes(part.Type) == 0 ? start : null;
    }

    private byte* Copy()
    {
        lock (_gate)
        {
            if (_copy is null)
            {
                var copy = new NativeBuffer(Info.ByteLength);
                CopyRows(0, Info.Rows, copy.Pointer);
                _copy = copy;
            }

            return _copy.Pointer;
        }
    }
}
