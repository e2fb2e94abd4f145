using System.Net;
using System.Text.Json;

namespace Slm.Integration;

/// <summary>Orleans' own page.</summary>
public sealed class DashboardTests(Platform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_is_off_unless_it_is_asked_for()
    {
        using var response = await platform.Web.GetAsync(new Uri("/orleans", UriKind.Relative), Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task It_shows_the_silos_of_the_cluster()
    {
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        await using var first = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:Dashboard", "true"));
        await using var second = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:Dashboard", "true"));
        Assert.Contains("<html", await first.Web.GetStringAsync(new Uri("/orleans/", UriKind.Relative), Cancelled), StringComparison.OrdinalIgnoreCase);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        deadline.CancelAfter(TimeSpan.FromMinutes(1));
        // It counts once a second.
        while (await HostsAsync(second.Web, deadline.Token) != 2)
            await Task.Delay(50, deadline.Token);
        using var trace = await first.Web.GetAsync(new Uri("/orleans/Trace", UriKind.Relative), Cancelled);
        Assert.Equal(HttpStatusCode.Forbidden, trace.StatusCode);
    }

    private static async Task<int> HostsAsync(HttpClient web, CancellationToken cancellationToken)
    {
        using var counters = JsonDocument.Parse(await web.GetStringAsync(new Uri("/orleans/DashboardCounters", UriKind.Relative), cancellationToken));
        return counters.RootElement.GetProperty("hosts").GetArrayLength();
    }
}
