namespace Slm.Engine.Fetching;

/// <summary>How patient an <see cref="HttpSource"/> is.</summary>
public sealed record HttpSourceOptions
{
    /// <summary>Tries in a row that may fail without a byte arriving.</summary>
    public int Attempts { get; init; } = 6;

    /// <summary>Pause after the first failure; it doubles with each further one.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Longest pause, also where the server asks for more.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Longest time without a byte.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Requests at a time, where the server sends ranges.</summary>
    public int MaxReads { get; init; } = 4;

    /// <summary>Clock of pauses and timeouts.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
