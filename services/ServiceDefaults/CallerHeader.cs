namespace Slm.ServiceDefaults;

/// <summary>
/// Who calls, as the gateway has found it and passes it on: <c>key:ID</c>, with <c>;priority</c> behind it where the key may ask for a
/// priority below 0. The gateway takes out what a client sends under this name.
/// </summary>
public static class CallerHeader
{
    /// <summary>Name of the header, and metadata entry of gRPC.</summary>
    public const string Name = "x-slm-caller";

    private const string PriorityMark = ";priority";

    /// <summary>The header's value.</summary>
    public static string Of(string caller, bool mayHurry) => mayHurry ? caller + PriorityMark : caller;

    /// <summary>Whom the time counts for: the caller, and within its share the client that it names itself; may be empty.</summary>
    public static string Client(string value, string named)
    {
        ArgumentNullException.ThrowIfNull(value);
        var caller = value.EndsWith(PriorityMark, StringComparison.Ordinal) ? value[..^PriorityMark.Length] : value;
        return string.IsNullOrEmpty(named) ? caller : $"{caller}/{named}";
    }

    /// <summary>True if it may ask for this priority.</summary>
    public static bool Allows(string value, int priority)
    {
        ArgumentNullException.ThrowIfNull(value);
        return priority >= 0 || value.EndsWith(PriorityMark, StringComparison.Ordinal);
    }
}
