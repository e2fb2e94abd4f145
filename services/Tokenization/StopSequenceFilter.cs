namespace Slm.Tokenization;

/// <summary>
/// Lets generated text through up to the first stop string, holding back only what may be the start of one.
/// Where several match, the one completed first wins, then the one that starts first: the outcome does not depend
/// on how the text was cut into pieces. Not thread-safe.
/// </summary>
public sealed class StopSequenceFilter
{
    private readonly string[] _stops;
    private string _held = "";

    /// <param name="stops">Stop strings; empty ones are refused.</param>
    public StopSequenceFilter(IEnumerable<string> stops)
    {
        ArgumentNullException.ThrowIfNull(stops);
        _stops = [.. stops];
        if (_stops.Any(string.IsNullOrEmpty))
            throw new ArgumentException("a stop string is empty", nameof(stops));
    }

    /// <summary>UTF-8 bytes of what is held back.</summary>
    public int HeldBytes => System.Text.Encoding.UTF8.GetByteCount(_held);

    /// <summary>The stop string that ended the text, once one has.</summary>
    public string? Matched { get; private set; }

    /// <summary>Adds text.</summary>
    /// <returns>The text that may be shown, and the stop string that was found; the stop string itself and what follows are dropped.</returns>
    public (string Text, string? Matched) Append(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (Matched is not null)
            return ("", Matched);
        if (_stops.Length == 0)
            return (text, null);
        var all = _held + text;
        var (first, end) = (-1, int.MaxValue);
        foreach (var stop in _stops)
        {
            var at = all.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (at + stop.Length < end || (at + stop.Length == end && at < first)))
                (first, end, Matched) = (at, at + stop.Length, stop);
        }

        if (first >= 0)
        {
            _held = "";
            return (all[..first], Matched);
        }

        var keep = HoldFrom(all);
        _held = all[keep..];
        return (all[..keep], null);
    }

    /// <summary>What was held back: the text ended without completing a stop string.</summary>
    public string Flush()
    {
        var rest = _held;
        _held = "";
        return rest;
    }

    // The first position from which the text to its end is the start of a stop string.
    private int HoldFrom(string all)
    {
        var longest = _stops.Max(static s => s.Length);
        for (var at = Math.Max(0, all.Length - longest + 1); at < all.Length; at++)
        {
            foreach (var stop in _stops)
            {
                if (stop.AsSpan().StartsWith(all.AsSpan(at), StringComparison.Ordinal))
                    return at;
            }
        }

        return all.Length;
    }
}
