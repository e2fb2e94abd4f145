using Slm.Router.Policies;
using Slm.Router.Records;

namespace Slm.Router.Cascades;

/// <summary>Keeps what a request costs within its limits: the most that a call can cost is set aside before it, and what it did cost afterwards.</summary>
internal interface ISpending
{
    /// <summary>Sets an amount aside.</summary>
    /// <exception cref="SpendLimitException">That would exceed a limit.</exception>
    Task<Reservation> ReserveAsync(StagePolicy stage, double most, CancellationToken cancellationToken);

    /// <summary>Replaces what was set aside by the cost.</summary>
    Task SettleAsync(Reservation reserved, double cost);
}

/// <summary>A call would exceed a limit of spending.</summary>
internal sealed class SpendLimitException(string message) : Exception(message);
