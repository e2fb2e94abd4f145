using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Slm.Engine.Kernels;
using Slm.Engine.Models;

namespace Slm.Engine.Execution;

/// <summary>
/// The tile of one head: keys [keySize, 32], values [32, stride], and of integer cells the scales of both, [32] each. Every
/// position is rounded on its own, so what is kept does not depend on how a prompt was cut.
/// </summary>
internal readonly unsafe struct KvTile
{
    private const int Positions = AttentionState.TilePositions;
    private readonly KvType _type;
    private readonly int _keySize, _valueSize;

    public KvTile(AttentionShape shape, KvType type)
    {
        _type = type;
        _keySize = shape.KeySize;
        _valueSize = shape.ValueSize;
        Stride = Lanes.RoundUp(shape.ValueSize);
    }

    /// <summary>Elements from value to value.</summary>
    public int Stride { get; }

    /// <summary>Bytes of a tile.</summary>
    public nint Bytes => ((nint)Positions * (_keySize + Stride) * CellBytes) + (_type == KvType.F32 ? 0 : 2 * Positions * sizeof(float));

    private int CellBytes => _type switch
    {
        KvType.Q16 => sizeof(short),
        KvType.Q8 => sizeof(sbyte),
        _ => sizeof(float),
    };

    /// <summary>Stores a position.</summary>
    public void Store(byte* tile, int position, float* key, float* value)
    {
        switch (_type)
        {
            case KvType.Q16:
                StoreScaled((short*)tile, short.MaxValue, position, key, value);
                break;
            case KvType.Q8:
                StoreScaled((sbyte*)tile, sbyte.MaxValue, position, key, value);
                break;
            default:
                var keys = (float*)tile + position;
                for (var d = 0; d < _keySize; d++)
                    keys[d * Positions] = key[d];
                var values = (float*)tile + ((nint)Positions * _keySize) + (position * (nint)Stride);
                new ReadOnlySpan<float>(value, _valueSize).CopyTo(new Span<float>(values, Stride));
                new Span<float>(values + _valueSize, Stride - _valueSize).Clear();
                break;
        }
    }

    private void StoreScaled<T>(T* tile, int largest, int position, float* key, float* value)
        where T : unmanaged
    {
        var scales = (float*)(tile + ((nint)Positions * (_keySize + Stride))) + position;
        scales[0] = Round(tile + position, Positions, key, _keySize, largest);
        var values = tile + ((nint)Positions * _keySize) + (position * (nint)Stride);
        scales[Positions] = Round(values, 1, value, _valueSize, largest);
        new Span<T>(values + _valueSize, Stride - _valueSize).Clear();
    }

    /// <summary>Rounds elements to multiples of the scale that it returns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Round<T>(T* cells, int step, float* x, int count, int largest)
        where T : unmanaged
    {
        var top = MathF.Abs(TensorPrimitives.MaxMagnitude(new ReadOnlySpan<float>(x, count)));
        var inverse = top > 0 && float.IsFinite(top) ? largest / top : 0;
        var factor = Vector256.Create(inverse);
        var rounded = stackalloc int[Vector256<int>.Count];
        var i = 0;
        for (; i + Vector256<int>.Count <= count; i += Vector256<int>.Count)
        {
            var eight = Vector256.ConvertToInt32(Vector256.Round(Vector256.Load(x + i) * factor));
            if (step == 1)
            {
                var shorts = Vector128.Narrow(eight.GetLower(), eight.GetUpper());
                if (sizeof(T) == sizeof(short))
                    shorts.Store((short*)(cells + i));
                else
                    *(long*)(cells + i) = Vector128.Narrow(shorts, shorts).AsInt64().ToScalar();
                continue;
            }

            eight.Store(rounded);
            for (var j = 0; j < Vector256<int>.Count; j++)
                Put(cells + ((i + j) * (nint)step), rounded[j]);
        }

        for (; i < count; i++)
            Put(cells + (i * (nint)step), (int)MathF.Round(x[i] * inverse));

        // What is not finite stays so: the logits will show it.
        return float.IsFinite(top) ? top / largest : top;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<T>(T* cell, int value)
        where T : unmanaged
    {
        if (sizeof(T) == sizeof(short))
            *(short*)cell = (short)value;
        else
            *(sbyte*)cell = (sbyte)value;
    }
}
