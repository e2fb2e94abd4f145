using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Slm.Engine.Kernels.Panels;

/// <summary>Eight rows on any processor.</summary>
internal readonly unsafe struct WidePortable : IWide<Vector256<byte>>
{
    public static int Rows => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Load(byte* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<byte> value, float* target) => value.AsSingle().Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Broadcast(void* source) => Vector256.Create(*(int*)source).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Fill(byte value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Fill16(short value) => Vector256.Create(value).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> FillFloat(float value) => Vector256.Create(value).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> And(Vector256<byte> a, Vector256<byte> b) => a & b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Or(Vector256<byte> a, Vector256<byte> b) => a | b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> ShiftLeft(Vector256<byte> a, [ConstantExpected] byte count) => (a.AsUInt16() << count).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> ShiftRight(Vector256<byte> a, [ConstantExpected] byte count) => (a.AsUInt16() >>> count).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> MultiplyBytes(Vector256<byte> unsigned, Vector256<byte> signed)
    {
        var low = Vector256.Create((short)0xff);
        var even = (unsigned.AsInt16() & low) * ((signed.AsInt16() << 8) >> 8);
        return (even + ((unsigned.AsUInt16() >>> 8).AsInt16() * (signed.AsInt16() >> 8))).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Magnitude(Vector256<byte> a) => Vector256.Abs(a.AsSByte()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> WithSign(Vector256<byte> a, Vector256<byte> sign) => Vector256.ConditionalSelect(Vector256.LessThan(sign.AsSByte(), Vector256<sbyte>.Zero), -a.AsSByte(), a.AsSByte()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> MultiplyShorts(Vector256<byte> a, Vector256<byte> b) =>
        ((((a.AsInt32() << 16) >> 16) * ((b.AsInt32() << 16) >> 16)) + ((a.AsInt32() >> 16) * (b.AsInt32() >> 16))).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Add16(Vector256<byte> a, Vector256<byte> b) => (a.AsInt16() + b.AsInt16()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Subtract16(Vector256<byte> a, Vector256<byte> b) => (a.AsInt16() - b.AsInt16()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Add32(Vector256<byte> a, Vector256<byte> b) => (a.AsInt32() + b.AsInt32()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> ToFloat(Vector256<byte> a) => Vector256.ConvertToSingle(a.AsInt32()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Multiply(Vector256<byte> a, Vector256<byte> b) => (a.AsSingle() * b.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> MultiplyAdd(Vector256<byte> a, Vector256<byte> b, Vector256<byte> c) =>
        Vector256.FusedMultiplyAdd(a.AsSingle(), b.AsSingle(), c.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> AddFloat(Vector256<byte> a, Vector256<byte> b) => (a.AsSingle() + b.AsSingle()).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Halves(byte* source)
    {
        var bits = (WidenSigned(Vector128.Load((short*)source)) << 13) & Vector256.Create(unchecked((int)0x8fffe000));
        return (bits.AsSingle() * Vector256.Create(HalfScale.Value)).AsByte();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Bytes(byte* source) => Vector256.ConvertToSingle(Widen(Vector128.CreateScalar(*(ulong*)source).AsByte())).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> SignedPairs(byte* source) => WidenSigned(Vector128.Load((sbyte*)source)).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> LowerTwice(Vector256<byte> a) =>
        ((a.AsUInt32() << 16) | (a.AsUInt32() & Vector256.Create(0xffffu))).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> UpperTwice(Vector256<byte> a) =>
        ((a.AsUInt32() >>> 16) | (a.AsUInt32() & Vector256.Create(0xffff0000u))).AsByte();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Lookup(byte* table, Vector256<byte> index)
    {
        var entries = Vector128.Load(table);
        return Vector256.Create(Vector128.Shuffle(entries, index.GetLower()), Vector128.Shuffle(entries, index.GetUpper()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Widen(Vector128<byte> bytes)
    {
        var shorts = Vector128.WidenLower(bytes);
        return Vector256.Create(Vector128.WidenLower(shorts), Vector128.WidenUpper(shorts)).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> WidenSigned(Vector128<short> shorts) => Vector256.Create(Vector128.WidenLower(shorts), Vector128.WidenUpper(shorts));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<short> WidenSigned(Vector128<sbyte> bytes) => Vector256.Create(Vector128.WidenLower(bytes), Vector128.WidenUpper(bytes));
}
