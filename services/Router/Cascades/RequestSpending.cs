using System.Globalization;
using Slm.Router.Policies;
using Slm.Router.Records;

namespace Slm.Router.Cascades;

/// <summary>The limits of one request: its own, and that of all requests of its policy.</summary>
internal sealed class RequestSpending(RoutePolicy policy, SpendLedger ledger) : ISpending
{
    private readonly Lock _gate = new();
    private double _spent;

    public async Task<Reservation> ReserveAsync(StagePolicy stage, double most, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (policy.RequestBudget is { } own && _spent + most > own)
                throw new SpendLimitException(string.Create(CultureInfo.InvariantCulture, $"It could cost {most:0.####}, and {Math.Max(0, own - _spent):0.####} of the request's {own:0.####} are left."));
            _spent += most;
        }

        if (policy.Budget is not { } all)
            return new Reservation(most, null);
        if (await ledger.TryReserveAsync(Scope, most, all, cancellationToken) is { } reservation)
            return reservation;
        lock (_gate)
            _spent -= most;
        throw new SpendLimitException(string.Create(CultureInfo.InvariantCulture, $"It could cost {most:0.####}, more than is left of the policy's {all.Most:0.####} in {all.Window.TotalSeconds:0} s."));
    }

    public async Task SettleAsync(Reservation reserved, double cost)
    {
        lock (_gate)
            _spent += cost - reserved.Amount;
        await ledger.SettleAsync(Scope, reserved, cost);
    }

    private string Scope => $"policy:{policy.Name}";
}
