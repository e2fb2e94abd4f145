namespace Slm.Gateway.Access;

/// <summary>
/// So much a minute, refilled steadily, at most a minute's worth saved (a token bucket). What a request costs may be known only
/// afterwards: then the balance goes below zero and later requests wait until it is above again, which
/// System.Threading.RateLimiting's limiters do not do.
/// </summary>
internal sealed class Budget(long perMinute, TimeProvider time)
{
    /// <summary>Far below one, and above what refilling in small steps loses by rounding.</summary>
    private const double Rounding = 1e-6;

    private readonly Lock _lock = new();
    private double _balance = perMinute;
    private long _at = time.GetTimestamp();

    /// <summary>How much a minute.</summary>
    public long PerMinute => perMinute;

    /// <summary>Takes <paramref name="cost"/> if there is as much, or anything at all for a cost of 0.</summary>
    /// <returns>Null, or how long until it would succeed.</returns>
    public TimeSpan? TryTake(long cost)
    {
        lock (_lock)
        {
            Refill();
            if (_balance + Rounding < Math.Max(cost, 2 * Rounding))
                return TimeSpan.FromMinutes((Math.Max(cost, 1) - _balance) / perMinute);
            _balance -= cost;
            return null;
        }
    }

    /// <summary>Takes what was used, whether or not there is as much.</summary>
    public void Charge(long cost)
    {
        lock (_lock)
        {
            Refill();
            _balance -= cost;
        }
    }

    /// <summary>What is left, and how long until all of it is there again.</summary>
    public (long Left, TimeSpan Full) State()
    {
        lock (_lock)
        {
            Refill();
            return ((long)Math.Max(0, _balance), TimeSpan.FromMinutes((perMinute - _balance) / perMinute));
        }
    }

    private void Refill()
    {
        var now = time.GetTimestamp();
        _balance = Math.Min(perMinute, _balance + (time.GetElapsedTime(_at, now).TotalMinutes * perMinute));
        _at = now;
    }
}
