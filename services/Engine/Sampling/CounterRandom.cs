namespace Slm.Engine.Sampling;

/// <summary>
/// Random numbers as a pure function of (seed, position): Philox 4x32 with 10 rounds
/// (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).
/// There is no state to carry, so any process can continue or replay a sequence of draws.
/// </summary>
public static class CounterRandom
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;

    /// <summary>A number in [0, 1) with 53 random bits.</summary>
    /// <param name="seed">The key.</param>
    /// <param name="position">The counter: position of the token in its sequence.</param>
    public static double Uniform(ulong seed, long position)
    {
        var (a, b, _, _) = Philox((uint)position, (uint)((ulong)position >> 32), 0, 0, (uint)seed, (uint)(seed >> 32));
        return ((((ulong)b << 32) | a) >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>The block function: four words from a counter of four words and a key of two.</summary>
    internal static (uint A, uint B, uint C, uint D) Philox(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1)
    {
        for (var round = 0; round < 10; round++)
        {
            var p0 = (ulong)Multiplier0 * c0;
            var p1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return (c0, c1, c2, c3);
    }
}
