using System.Globalization;
using Slm.Gateway.OpenAi;

namespace Slm.Gateway.Access;

/// <summary>
/// Requests at work, shared among callers. A caller may have as many more as there are free places: alone it gets half of them, and
/// n busy callers get 1/(n+1) each, so that one that comes later always finds room and nobody is refused for another's load (the
/// dynamic threshold of Choudhury and Hahne 1998, "Dynamic queue length thresholds for shared-memory packet switches", with α = 1).
/// Within them the engine's scheduler shares the computation.
/// </summary>
internal sealed class FairGate(int capacity, TimeProvider time)
{
    /// <summary>Weight of the newest request in the mean duration.</summary>
    private const double Weight = 0.1;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _running = new(StringComparer.Ordinal);
    private int _total;
    private double _meanSeconds = 1;

    /// <summary>Takes a place, which the result gives back.</summary>
    /// <param name="caller">Whom it counts for.</param>
    /// <param name="most">Most of this caller; null: no limit but the fair one.</param>
    /// <exception cref="OpenAiException">429 with the time to wait.</exception>
    public IDisposable Enter(string caller, int? most)
    {
        lock (_lock)
        {
            var own = _running.GetValueOrDefault(caller);
            if (own >= most)
                throw Refuse(string.Create(CultureInfo.InvariantCulture, $"This key may have {most} requests at work at a time, and has."), own);
            if (own >= capacity - _total && (own > 0 || _total >= capacity))
                throw Refuse("The server is busy, and others have as much right to it.", own);
            _running[caller] = own + 1;
            _total++;
        }

        return new Place(this, caller, time.GetTimestamp());
    }

    /// <summary>One of the caller's own requests has to end first.</summary>
    private OpenAiException Refuse(string message, int own) => new(
        StatusCodes.Status429TooManyRequests, "rate_limit_error", $"{message} Try again later.", null, "overloaded",
        TimeSpan.FromSeconds(Math.Clamp(_meanSeconds / Math.Max(1, own), 1, 60)));

    private void Leave(string caller, long entered)
    {
        lock (_lock)
        {
            _total--;
            if (--_running[caller] == 0)
                _running.Remove(caller);
            _meanSeconds += Weight * (time.GetElapsedTime(entered).TotalSeconds - _meanSeconds);
        }
    }

    private sealed class Place(FairGate gate, string caller, long entered) : IDisposable
    {
        private bool _left;

        public void Dispose()
        {
            if (!Interlocked.Exchange(ref _left, true))
                gate.Leave(caller, entered);
        }
    }
}
