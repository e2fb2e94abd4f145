using System.Buffers.Binary;
using System.Text;

namespace Slm.Training.Native;

/// <summary>
/// Makes one required symbol version of an ELF64 little-endian library optional, by setting VER_FLG_WEAK in the
/// <c>vna_flags</c> of its entry in the section <c>.gnu.version_r</c> (System V ABI, "Symbol Versioning").
/// The dynamic loader then no longer refuses the library where the version is missing.
/// </summary>
internal static class SymbolVersionPatch
{
    private const uint SectionTypeVersionNeeds = 0x6ffffffe; // SHT_GNU_verneed
    private const ushort WeakFlag = 0x2; // VER_FLG_WEAK

    /// <summary>Sets the weak flag of every requirement of <paramref name="version"/> in place.</summary>
    /// <param name="elf">A whole ELF64 little-endian file.</param>
    /// <param name="version">Name of the symbol version, such as <c>GLIBCXX_3.4.32</c>.</param>
    /// <returns>How many requirements were found (0: the library does not ask for the version).</returns>
    /// <exception cref="InvalidDataException">The file is not ELF64 little-endian, or its tables leave the file.</exception>
    public static int MakeWeak(Span<byte> elf, string version)
    {
        if (elf.Length < 64 || elf[0] != 0x7f || elf[1] != 'E' || elf[2] != 'L' || elf[3] != 'F' || elf[4] != 2 || elf[5] != 1)
            throw new InvalidDataException("Not an ELF64 little-endian file.");
        var name = Encoding.ASCII.GetBytes(version);
        try
        {
            return MakeWeak(elf, name);
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or OverflowException)
        {
            throw new InvalidDataException("A table of the ELF file lies outside it.", e);
        }
    }

    private static int MakeWeak(Span<byte> elf, ReadOnlySpan<byte> name)
    {
        var headers = checked((int)U64(elf, 0x28));
        var headerSize = U16(elf, 0x3a);
        var headerCount = U16(elf, 0x3c);
        var found = 0;
        for (var i = 0; i < headerCount; i++)
        {
            var section = elf.Slice(headers + i * headerSize, 64);
            if (U32(section, 4) != SectionTypeVersionNeeds)
                continue;
            var table = elf.Slice(checked((int)U64(section, 0x18)), checked((int)U64(section, 0x20)));
            var stringsHeader = elf.Slice(headers + checked((int)U32(section, 0x28)) * headerSize, 64);
            var strings = elf.Slice(checked((int)U64(stringsHeader, 0x18)), checked((int)U64(stringsHeader, 0x20)));
            found += MakeWeak(table, strings, name);
        }

        return found;
    }

    private static int MakeWeak(Span<byte> table, ReadOnlySpan<byte> strings, ReadOnlySpan<byte> name)
    {
        var found = 0;
        for (var need = 0; ;)
        {
            var auxCount = U16(table[need..], 2);
            var aux = need + checked((int)U32(table[need..], 8));
            for (var a = 0; a < auxCount; a++)
            {
                var entry = table[aux..];
                var at = strings[checked((int)U32(entry, 8))..];
                if (at.Length > name.Length && at.StartsWith(name) && at[name.Length] == 0)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(entry[4..], (ushort)(U16(entry, 4) | WeakFlag));
                    found++;
                }

                aux += checked((int)U32(entry, 12));
            }

            var next = checked((int)U32(table[need..], 12));
            if (next == 0)
                return found;
            need += next;
        }
    }

    private static ushort U16(ReadOnlySpan<byte> data, int at) => BinaryPrimitives.ReadUInt16LittleEndian(data[at..]);

    private static uint U32(ReadOnlySpan<byte> data, int at) => BinaryPrimitives.ReadUInt32LittleEndian(data[at..]);

    private static ulong U64(ReadOnlySpan<byte> data, int at) => BinaryPrimitives.ReadUInt64LittleEndian(data[at..]);
}
