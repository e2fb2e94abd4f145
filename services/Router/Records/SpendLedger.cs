using System.Data.Common;
using Slm.Router.Policies;
using Slm.Shared.Storage;

namespace Slm.Router.Records;

/// <summary>
/// What has been spent in each window of time, in the database, so that a limit holds over all requests and all routers at once:
/// an amount is added by the same statement that checks the limit. What a router that died had set aside stays spent.
/// </summary>
internal sealed class SpendLedger(ServiceDatabase database, TimeProvider time)
{
    /// <summary>Sets an amount aside if the limit allows it; null if it does not.</summary>
    public async Task<Reservation?> TryReserveAsync(string scope, double amount, SpendLimit limit, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(amount);
        var length = (long)limit.Window.TotalMilliseconds;
        var window = time.GetUtcNow().ToUnixTimeMilliseconds() / length * length;
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var create = connection.CreateCommand();
        create.CommandText = "INSERT INTO slm_route_spend (scope, window_start, spent) VALUES (@scope, @window, 0) ON CONFLICT (scope, window_start) DO NOTHING";
        create.Add("@scope", scope);
        create.Add("@window", window);
        await create.ExecuteNonQueryAsync(cancellationToken);
        await using var reserve = connection.CreateCommand();
        reserve.CommandText = "UPDATE slm_route_spend SET spent = spent + @amount WHERE scope = @scope AND window_start = @window AND spent + @amount <= @most";
        reserve.Add("@amount", amount);
        reserve.Add("@scope", scope);
        reserve.Add("@window", window);
        reserve.Add("@most", limit.Most);
        return await reserve.ExecuteNonQueryAsync(cancellationToken) == 1 ? new Reservation(amount, window) : null;
    }

    /// <summary>Replaces what was set aside by what it did cost, in the window it was set aside in. It is done even where the request has been cancelled.</summary>
    public async Task SettleAsync(string scope, Reservation reservation, double cost)
    {
        if (reservation.Window is not { } window || cost == reservation.Amount)
            return;
        await using var connection = await database.OpenAsync(CancellationToken.None);
        await using var settle = connection.CreateCommand();
        settle.CommandText = "UPDATE slm_route_spend SET spent = spent + @change WHERE scope = @scope AND window_start = @window";
        settle.Add("@change", cost - reservation.Amount);
        settle.Add("@scope", scope);
        settle.Add("@window", window);
        await settle.ExecuteNonQueryAsync(CancellationToken.None);
    }

    /// <summary>What is spent or set aside in the present window.</summary>
    public async Task<double> SpentAsync(string scope, SpendLimit limit, CancellationToken cancellationToken)
    {
        var length = (long)limit.Window.TotalMilliseconds;
        await using var connection = await database.OpenAsync(cancellationToken);
        await using DbCommand read = connection.CreateCommand();
        read.CommandText = "SELECT spent FROM slm_route_spend WHERE scope = @scope AND window_start = @window";
        read.Add("@scope", scope);
        read.Add("@window", time.GetUtcNow().ToUnixTimeMilliseconds() / length * length);
        return await read.ExecuteScalarAsync(cancellationToken) is double spent ? spent : 0;
    }
}

/// <summary>An amount that was set aside.</summary>
/// <param name="Amount">How much.</param>
/// <param name="Window">Start of the window it counts to, in milliseconds since 1970; null where no limit is kept in the database.</param>
internal sealed record Reservation(double Amount, long? Window);
