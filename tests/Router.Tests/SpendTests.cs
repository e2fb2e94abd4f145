using Slm.Router.Policies;

namespace Slm.Router.Tests;

public sealed class SpendTests : IDisposable
{
    private readonly RouterHarness _router = new();

    public void Dispose() => _router.Dispose();

    [Fact]
    public async Task A_limit_holds_under_concurrency()
    {
        var token = TestContext.Current.CancellationToken;
        var limit = new SpendLimit(10, TimeSpan.FromHours(1));
        var taken = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => _router.Ledger.TryReserveAsync("x", 1.5, limit, token), token)));
        // Six of 1.5 are 9; a seventh would be 10.5.
        Assert.Equal(6, taken.Count(t => t is not null));
        Assert.Equal(9, await _router.Ledger.SpentAsync("x", limit, token), 1e-9);
        await _router.Ledger.SettleAsync("x", taken.First(t => t is not null)!, 0.5);
        Assert.NotNull(await _router.Ledger.TryReserveAsync("x", 2, limit, token));
        Assert.Null(await _router.Ledger.TryReserveAsync("x", 0.1, limit, token));
        Assert.NotNull(await _router.Ledger.TryReserveAsync("y", 10, limit, token));
    }

    [Fact]
    public async Task A_new_window_begins_with_nothing_spent_and_old_ones_are_settled_where_they_were()
    {
        var token = TestContext.Current.CancellationToken;
        var limit = new SpendLimit(10, TimeSpan.FromMinutes(1));
        var old = await _router.Ledger.TryReserveAsync("x", 10, limit, token);
        Assert.Null(await _router.Ledger.TryReserveAsync("x", 1, limit, token));
        _router.Time.Advance(TimeSpan.FromMinutes(1));
        Assert.NotNull(await _router.Ledger.TryReserveAsync("x", 8, limit, token));
        await _router.Ledger.SettleAsync("x", old!, 0);
        Assert.Equal(8, await _router.Ledger.SpentAsync("x", limit, token));
    }

    [Fact]
    public async Task Requests_of_a_policy_share_its_budget()
    {
        var policy = RouterHarness.Policy(Policies.TwoStages + "\nbudget: { limit: 40 }\n");
        _router.Models.Add("s", _ => ScriptedModels.Says("no json")).Add("l", _ => ScriptedModels.Says(Policies.GoodCall));
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => _router.RunAsync(policy)));
        // One escalation fits beside eight small requests, 28; two would be 48.
        Assert.Single(results, r => r.Decision.Model == "l");
        Assert.Equal(28, await _router.Ledger.SpentAsync("policy:two", policy.Budget!, TestContext.Current.CancellationToken), 1e-9);
    }
}
