namespace Slm.Engine.Scheduling;

/// <summary>How a request shares the model with others. None of it changes what the model answers.</summary>
public sealed record RequestTerms
{
    /// <summary>Most and least urgent <see cref="Priority"/>: ± this.</summary>
    public const int MaxPriority = 100;

    /// <summary>Nothing special.</summary>
    public static RequestTerms Default { get; } = new();

    /// <summary>Who asks. Computed tokens are shared evenly between the clients that want some.</summary>
    public string Client { get; init; } = "";

    /// <summary>Lower numbers go first, before any fairness; they take blocks and places from running requests with higher ones. -100 to 100.</summary>
    public int Priority { get; init; }

    /// <summary>Time from submission after which the request ends with <see cref="DeadlineExceededException"/>, waiting or running; null: none.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Only requests of the same scope share computed prefixes: tenants that must not learn of each other's prompts by timing.</summary>
    public string Scope { get; init; } = "";

    /// <summary>Throws unless every value is in its range.</summary>
    /// <exception cref="Sampling.SamplingOptionException">Names the field as the contract spells it.</exception>
    public void Validate()
    {
        if (Priority is < -MaxPriority or > MaxPriority)
            throw new Sampling.SamplingOptionException("priority", Priority, $"in {-MaxPriority} to {MaxPriority}");
        if (Timeout is { } timeout && timeout <= TimeSpan.Zero)
            throw new Sampling.SamplingOptionException("timeout_ms", timeout.TotalMilliseconds, "above 0");
    }
}
