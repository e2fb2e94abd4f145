namespace Slm.Contracts.Grains;

/// <summary>
/// Keys of grains that live on one silo and nowhere else: a name, <c>@</c>, and the silo's parsable address, which holds its
/// generation. Such a grain is an address: when its silo is gone, so is the grain, and whoever needs another one makes up another key.
/// </summary>
public static class SiloKey
{
    /// <summary>The key of <paramref name="name"/> on a silo.</summary>
    /// <param name="name">What the grain is.</param>
    /// <param name="silo">Such as "10.0.0.2:11111@412" (<see cref="SiloAddress.ToParsableString"/>).</param>
    public static string At(string name, string silo) => $"{name}@{silo}";

    /// <summary>The silo that a key names.</summary>
    /// <exception cref="FormatException">It names none.</exception>
    public static string SiloOf(string key) => key[(At(key) + 1)..];

    /// <summary>What a key names on its silo.</summary>
    /// <exception cref="FormatException">It names no silo.</exception>
    public static string NameOf(string key) => key[..At(key)];

    private static int At(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        var generation = key.LastIndexOf('@');
        var address = generation > 0 ? key.LastIndexOf('@', generation - 1) : -1;
        return address >= 0 ? address : throw new FormatException($"The key '{key}' names no silo; it must end like \"@10.0.0.2:11111@412\".");
    }
}
