namespace Slm.Tokenization.Tests.Templates;

/// <summary>The moment that golden/generate.py renders at.</summary>
internal sealed class FixedTime : TimeProvider
{
    public static FixedTime Instance { get; } = new();

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => new(2024, 7, 6, 9, 5, 3, TimeSpan.Zero);
}
