namespace Slm.Tokenization.Unicode;

/// <summary>
/// Decompositions, compositions and combining classes. An own table, because string.Normalize returns its input
/// unchanged for non-ASCII text under InvariantGlobalization, which all our processes use.
/// </summary>
internal sealed class Decompositions
{
    private const int SBase = 0xAC00, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, LCount = 19, VCount = 21, TCount = 28;
    private readonly Dictionary<int, byte> _classes = [];
    private readonly Dictionary<int, int[]> _canonical = [];
    private readonly Dictionary<int, int[]> _compatibility = [];
    private readonly Dictionary<(int, int), int> _compositions = [];

    private Decompositions()
    {
        var raw = new Dictionary<int, (char Kind, int[] Parts)>();
        foreach (var fields in UnicodeData.Read("Decompositions.txt"))
        {
            var c = UnicodeData.Hex(fields[0]);
            var combining = byte.Parse(fields[1], System.Globalization.CultureInfo.InvariantCulture);
            if (combining != 0)
                _classes[c] = combining;
            if (fields[2] != "-")
                raw[c] = (fields[2][0], [.. fields.Skip(3).Select(UnicodeData.Hex)]);
        }

        foreach (var (c, (kind, parts)) in raw)
        {
            if (kind == '=')
                _compositions[(parts[0], parts[1])] = c;
            if (kind != '~')
                _canonical[c] = [.. Expand(c, raw, compatibility: false)];
            _compatibility[c] = [.. Expand(c, raw, compatibility: true)];
        }
    }

    public static Lazy<Decompositions> Instance { get; } = new(static () => new Decompositions());

    private static IEnumerable<int> Expand(int c, Dictionary<int, (char Kind, int[] Parts)> raw, bool compatibility) =>
        raw.TryGetValue(c, out var d) && (compatibility || d.Kind != '~') ? d.Parts.SelectMany(p => Expand(p, raw, compatibility)) : [c];

    public int CombiningClass(int c) => c < 0x300 ? 0 : _classes.GetValueOrDefault(c);

    /// <summary>The full decomposition of a code point, or none when it stays as it is.</summary>
    public ReadOnlySpan<int> Decompose(int c, bool compatibility, Span<int> hangul)
    {
        if (c < 0xA0)
            return default;
        var s = c - SBase;
        if (s is >= 0 and < LCount * VCount * TCount)
        {
            hangul[0] = LBase + (s / (VCount * TCount));
            hangul[1] = VBase + (s % (VCount * TCount) / TCount);
            hangul[2] = TBase + (s % TCount);
            return hangul[..(s % TCount == 0 ? 2 : 3)];
        }

        return (compatibility ? _compatibility : _canonical).GetValueOrDefault(c);
    }

    /// <summary>The code point two others compose to, or -1.</summary>
    public int Compose(int a, int b)
    {
        var (l, v) = (a - LBase, b - VBase);
        if (l is >= 0 and < LCount && v is >= 0 and < VCount)
            return SBase + (((l * VCount) + v) * TCount);
        var (s, t) = (a - SBase, b - TBase);
        if (s is >= 0 and < LCount * VCount * TCount && s % TCount == 0 && t is > 0 and < TCount)
            return a + t;
        return _compositions.TryGetValue((a, b), out var c) ? c : -1;
    }
}
