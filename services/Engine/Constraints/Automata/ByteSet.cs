namespace Slm.Engine.Constraints.Automata;

/// <summary>A set of bytes.</summary>
internal readonly record struct ByteSet(ulong A, ulong B, ulong C, ulong D)
{
    /// <summary>Every byte.</summary>
    public static ByteSet All { get; } = new(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue);

    /// <summary>Some bytes.</summary>
    public static ByteSet Of(ReadOnlySpan<byte> bytes)
    {
        var set = default(ByteSet);
        foreach (var b in bytes)
        {
            var bit = 1UL << (b & 63);
            set = (b >> 6) switch
            {
                0 => set with { A = set.A | bit },
                1 => set with { B = set.B | bit },
                2 => set with { C = set.C | bit },
                _ => set with { D = set.D | bit },
            };
        }

        return set;
    }

    /// <summary>Members of either.</summary>
    public ByteSet Union(ByteSet other) => new(A | other.A, B | other.B, C | other.C, D | other.D);

    /// <summary>Whether a byte is a member.</summary>
    public bool Contains(byte b) => ((b < 128 ? (b < 64 ? A : B) : b < 192 ? C : D) >> (b & 63) & 1) != 0;
}
