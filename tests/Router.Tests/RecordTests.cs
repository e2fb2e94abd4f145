using Slm.Router.Records;
using Slm.V1;

namespace Slm.Router.Tests;

public sealed class RecordTests : IDisposable
{
    private readonly RouterHarness _router = new();

    public void Dispose() => _router.Dispose();

    [Fact]
    public async Task Decisions_are_kept_with_what_was_reported_of_them()
    {
        var token = TestContext.Current.CancellationToken;
        _router.Models.Add("s", _ => ScriptedModels.Says(Policies.GoodCall));
        var decision = (await _router.RunAsync(RouterHarness.Policy(Policies.TwoStages))).Decision;
        var store = new DecisionStore(_router.Database);
        await store.AddAsync(decision, token);
        await store.AddAsync(new RouteDecision(decision) { Id = "d2", Policy = "other", ShadowOf = "d1" }, token);
        Assert.Equal(decision, await store.FindAsync("d1", token));
        Assert.Null(await store.ReportAsync("none", true, token));
        Assert.True((await store.ReportAsync("d1", false, token))!.HasSuccess);
        Assert.Equal(["d1"], (await store.ListAsync(null, shadows: false, 10, token)).Select(d => d.Id));
        Assert.Equal(["d2"], (await store.ListAsync("other", shadows: null, 10, token)).Select(d => d.Id));
        Assert.False((await store.FindAsync("d1", token))!.Success);
        // Neither the prompt nor the answer is kept.
        Assert.DoesNotContain("Convert", decision.ToString(), StringComparison.Ordinal);
    }
}
