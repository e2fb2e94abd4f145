using System.Numerics;

namespace Slm.Statistics;

/// <summary>
/// Reproducible random numbers of a stream: xoshiro256** (Blackman and Vigna 2018), its state filled by SplitMix64 from seed and
/// stream. The same on every platform and in every version, unlike <see cref="Random"/>.
/// </summary>
public sealed class SeededRandom
{
    private ulong _a, _b, _c, _d;

    /// <param name="seed">Of the whole computation.</param>
    /// <param name="stream">Number of the part of it that draws, so that parts can be computed in any order.</param>
    public SeededRandom(ulong seed, ulong stream = 0)
    {
        var state = Mix(seed) ^ (stream * 0xD1342543DE82EF95);
        (_a, _b, _c, _d) = (Next(ref state), Next(ref state), Next(ref state), Next(ref state));

        static ulong Next(ref ulong state) => Mix(state += 0x9E3779B97F4A7C15);
    }

    /// <summary>64 random bits.</summary>
    public ulong NextBits()
    {
        var result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        var shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>A number of 0 to <paramref name="below"/> - 1, each as probable as the others (Lemire 2019).</summary>
    public int NextBelow(int below)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(below);
        while (true)
        {
            var product = Math.BigMul(NextBits(), (ulong)below, out var low);
            if (low >= (ulong)-below % (ulong)below)
                return (int)product;
        }
    }

    /// <summary>In [0, 1), a multiple of 2^-53.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>The finalizer of SplitMix64.</summary>
    public static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
