using System.Buffers.Binary;

namespace Slm.Engine.Kernels.Assembled;

/// <summary>General registers by their numbers.</summary>
internal enum Gpr
{
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
}

/// <summary>The address base + index · scale + displacement.</summary>
/// <param name="Base">Base register.</param>
/// <param name="Index">Index register, or null; never rsp.</param>
/// <param name="Scale">1, 2, 4 or 8.</param>
/// <param name="Displacement">Bytes.</param>
internal readonly record struct Address(Gpr Base, Gpr? Index = null, int Scale = 1, int Displacement = 0)
{
    /// <summary>Some bytes further.</summary>
    public static Address operator +(Address address, int bytes) => address with { Displacement = address.Displacement + bytes };
}

/// <summary>
/// Encodes the few x86-64 instructions that the assembled kernels need: EVEX instructions on 64-byte registers 0 to 31, given
/// by their numbers, and some on general registers. Encodings are those of Intel's manual, volume 2.
/// </summary>
internal sealed class MachineCode
{
    private readonly List<byte> _bytes = [];

    /// <summary>Where the next instruction goes.</summary>
    public int Position => _bytes.Count;

    /// <summary>The code.</summary>
    public byte[] ToArray() => [.. _bytes];

    public void LoadInts(int target, Address from) => Vector(2, 1, 0x6f, target, 0, from, 64);

    public void StoreFloats(Address to, int source) => Vector(0, 1, 0x11, source, 0, to, 64);

    public void Xor(int target, int a, int b) => Vector(1, 1, 0xef, target, a, b);

    public void Xor(int target, int a, Address b) => Vector(1, 1, 0xef, target, a, b, 64);

    public void And(int target, int a, int b) => Vector(1, 1, 0xdb, target, a, b);

    public void Or(int target, int a, int b) => Vector(1, 1, 0xeb, target, a, b);

    public void ShiftWordsRight(int target, int a, int count) => Shift(0x71, 2, target, a, count);

    public void ShiftWordsLeft(int target, int a, int count) => Shift(0x71, 6, target, a, count);

    public void ShiftIntsLeft(int target, int a, int count) => Shift(0x72, 6, target, a, count);

    /// <summary>With copies of the sign.</summary>
    public void ShiftIntsRight(int target, int a, int count) => Shift(0x72, 4, target, a, count);

    /// <summary>Bytes of each 16 of a table that the bytes of an index choose.</summary>
    public void ShuffleBytes(int target, int table, int index) => Vector(1, 2, 0x00, target, table, index);

    /// <summary>Adds to each 32-bit lane four products of unsigned bytes and the signed bytes at an address, the same for all lanes.</summary>
    public void AddProducts(int target, int unsigned, Address signed) => Vector(1, 2, 0x50, target, unsigned, signed, 4, broadcast: true);

    public void BroadcastInt(int target, Address from) => Vector(1, 2, 0x58, target, 0, from, 4);

    public void BroadcastInt(int target, Gpr from) => Vector(1, 2, 0x7c, target, 0, (int)from);

    /// <summary>16 bytes four times.</summary>
    public void BroadcastQuarter(int target, Address from) => Vector(1, 2, 0x5a, target, 0, from, 16);

    /// <summary>16 halves to floats.</summary>
    public void LoadHalves(int target, Address from) => Vector(1, 2, 0x13, target, 0, from, 32);

    /// <summary>16 unsigned bytes to 32-bit integers.</summary>
    public void LoadBytesAsInts(int target, Address from) => Vector(1, 2, 0x31, target, 0, from, 16);

    /// <summary>32 signed bytes to 16-bit integers.</summary>
    public void LoadBytesAsWords(int target, Address from) => Vector(1, 2, 0x20, target, 0, from, 32);

    public void IntsToFloats(int target, int a) => Vector(0, 1, 0x5b, target, 0, a);

    public void MultiplyFloats(int target, int a, int b) => Vector(0, 1, 0x59, target, a, b);

    /// <summary>Times one float.</summary>
    public void MultiplyFloats(int target, int a, Address one) => Vector(0, 1, 0x59, target, a, one, 4, broadcast: true);

    /// <summary>target += a · b with one rounding.</summary>
    public void MultiplyAdd(int target, int a, int b) => Vector(1, 2, 0xb8, target, a, b);

    /// <summary>target += a · one float, with one rounding.</summary>
    public void MultiplyAdd(int target, int a, Address one) => Vector(1, 2, 0xb8, target, a, one, 4, broadcast: true);

    public void AddInts(int target, int a, int b) => Vector(1, 1, 0xfe, target, a, b);

    public void MultiplyInts(int target, int a, int b) => Vector(1, 2, 0x40, target, a, b);

    public void SubtractWords(int target, int a, int b) => Vector(1, 1, 0xf9, target, a, b);

    /// <summary>32-bit sums of the products of neighbouring 16-bit integers.</summary>
    public void MultiplyWords(int target, int a, int b) => Vector(1, 1, 0xf5, target, a, b);

    /// <summary>Has the line of memory at an address brought near; where there is no memory, nothing happens.</summary>
    public void Prefetch(Address from)
    {
        if (Extension(from) is var extension && extension != 0)
            _bytes.Add((byte)(0x40 | extension));
        _bytes.AddRange([0x0f, 0x18]);
        Memory(1, from, 1);
    }

    /// <summary>Ends the use of wide registers.</summary>
    public void ZeroUpper() => _bytes.AddRange([0xc5, 0xf8, 0x77]);

    public void Return() => _bytes.Add(0xc3);

    public void Push(Gpr register) => Short(0x50, register);

    public void Pop(Gpr register) => Short(0x58, register);

    public void Load(Gpr target, Address from) => Wide(0x8b, (int)target, from);

    public void Set(Gpr target, Address address) => Wide(0x8d, (int)target, address);

    public void Set(Gpr target, ulong value)
    {
        _bytes.AddRange([(byte)(0x48 | ((int)target >> 3)), (byte)(0xb8 | ((int)target & 7))]);
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _bytes.AddRange(bytes);
    }

    public void Add(Gpr target, int value)
    {
        _bytes.AddRange([(byte)(0x48 | ((int)target >> 3)), 0x81, (byte)(0xc0 | ((int)target & 7))]);
        Int(value);
    }

    public void Decrement(Gpr target) => _bytes.AddRange([(byte)(0x48 | ((int)target >> 3)), 0xff, (byte)(0xc8 | ((int)target & 7))]);

    /// <summary>Goes to an earlier position unless the last result was 0.</summary>
    public void JumpIfNotZero(int position)
    {
        _bytes.AddRange([0x0f, 0x85]);
        Int(position - Position - 4);
    }

    private void Short(int opcode, Gpr register)
    {
        if (register >= Gpr.R8)
            _bytes.Add(0x41);
        _bytes.Add((byte)(opcode | ((int)register & 7)));
    }

    private void Wide(byte opcode, int register, Address address)
    {
        _bytes.Add((byte)(0x48 | (register >> 3 << 2) | Extension(address)));
        _bytes.Add(opcode);
        Memory(register, address, 1);
    }

    /// <summary>The prefix bits of registers from r8 on in an address.</summary>
    private static int Extension(Address address) => ((int)(address.Index ?? Gpr.Rsp) >> 3 << 1) | ((int)address.Base >> 3);

    private void Shift(byte opcode, int extension, int target, int a, int count)
    {
        Vector(1, 1, opcode, extension, target, a);
        _bytes.Add((byte)count);
    }

    private void Vector(int prefix, int map, byte opcode, int register, int second, int third)
    {
        Evex(prefix, map, register, second, extendIndex: third >> 4, extendBase: third >> 3, broadcast: false);
        _bytes.Add(opcode);
        _bytes.Add((byte)(0xc0 | ((register & 7) << 3) | (third & 7)));
    }

    /// <param name="prefix">0 for none, 1 for 66, 2 for F3.</param>
    /// <param name="map">1 for 0F, 2 for 0F38.</param>
    /// <param name="opcode">The instruction.</param>
    /// <param name="register">Target, or the source of a store.</param>
    /// <param name="second">The other source, 0 where there is none.</param>
    /// <param name="address">Memory.</param>
    /// <param name="unit">Bytes that short displacements count in.</param>
    /// <param name="broadcast">Four bytes go to every lane.</param>
    private void Vector(int prefix, int map, byte opcode, int register, int second, Address address, int unit, bool broadcast = false)
    {
        Evex(prefix, map, register, second, (int)(address.Index ?? Gpr.Rsp) >> 3, (int)address.Base >> 3, broadcast);
        _bytes.Add(opcode);
        Memory(register, address, unit);
    }

    private void Evex(int prefix, int map, int register, int second, int extendIndex, int extendBase, bool broadcast)
    {
        const int Length512 = 2 << 5;
        _bytes.Add(0x62);
        _bytes.Add((byte)((Not(register >> 3) << 7) | (Not(extendIndex) << 6) | (Not(extendBase) << 5) | (Not(register >> 4) << 4) | map));
        _bytes.Add((byte)(((~second & 15) << 3) | 4 | prefix));
        _bytes.Add((byte)(Length512 | (broadcast ? 16 : 0) | (Not(second >> 4) << 3)));
    }

    private static int Not(int bit) => ~bit & 1;

    private void Memory(int register, Address address, int unit)
    {
        const int IndexFollows = 4;
        var (displacement, remainder) = Math.DivRem(address.Displacement, unit);
        var isShort = remainder == 0 && displacement is >= sbyte.MinValue and <= sbyte.MaxValue;
        _bytes.Add((byte)((isShort ? 0x40 : 0x80) | ((register & 7) << 3) | IndexFollows));
        var scale = address.Scale switch { 1 => 0, 2 => 1, 4 => 2, _ => 3 };
        _bytes.Add((byte)((scale << 6) | (((int)(address.Index ?? Gpr.Rsp) & 7) << 3) | ((int)address.Base & 7)));
        if (isShort)
            _bytes.Add((byte)displacement);
        else
            Int(address.Displacement);
    }

    private void Int(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        _bytes.AddRange(bytes);
    }
}
