namespace Slm.Training.Stories;

/// <summary>
/// Counter-based random numbers: draw k of stream (seed, index) is SplitMix64's finalizer (Steele, Lea, Flood 2014)
/// of key + k * golden ratio, where key mixes seed and index. Any story can be made alone, in any order, on any thread.
/// </summary>
public sealed class StoryRandom
{
    private const ulong Golden = 0x9E3779B97F4A7C15UL;
    private readonly ulong _key;
    private ulong _counter;

    public StoryRandom(ulong seed, long index) =>
        _key = Mix(Mix(seed + Golden) ^ (unchecked((ulong)index) * 0xD1342543DE82EF95UL));

    /// <summary>The next 64 uniform bits.</summary>
    public ulong Next64() => Mix(_key + (++_counter * Golden));

    /// <summary>Uniform in [0, n); the bias of the multiply-shift reduction is below n / 2^64.</summary>
    public int Next(int n) => (int)Math.BigMul(Next64(), (ulong)n, out _);

    /// <summary>True with the given probability.</summary>
    public bool Chance(double probability) => (Next64() >> 11) * (1.0 / (1UL << 53)) < probability;

    /// <summary>One item, uniformly.</summary>
    public T Pick<T>(IReadOnlyList<T> items) => items[Next(items.Count)];

    /// <summary>SplitMix64 finalizer: a bijection of 64-bit words.</summary>
    internal static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
