using System.Net;
using System.Text;
using Grpc.Core;
using Microsoft.Extensions.Configuration;
using Slm.Router.Models;
using Slm.Router.Tests.Dapr;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Router.Tests;

/// <summary>Keys of endpoints that are kept in a Dapr secret store.</summary>
public sealed class EndpointKeyTests : IAsyncDisposable
{
    private readonly RouterHarness _router = new();
    private readonly Endpoint _server = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync()
    {
        _router.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task A_secret_is_read_once_and_again_when_it_is_refused()
    {
        await using var sidecar = await SidecarStub.StartAsync(Cancelled);
        sidecar.Secrets["vault/cloud"] = new() { ["cloud"] = "first" };
        _server.Accepted = "first";
        using var models = Models(sidecar, "vault/cloud");
        var endpoint = models.All["cloud"];
        for (var i = 0; i < 3; i++)
            Assert.Equal("four", (await endpoint.AskAsync("big", Chat(), Cancelled)).Text);
        Assert.Equal(1, sidecar.Asked);

        // It was changed: one request learns of it.
        sidecar.Secrets["vault/cloud"] = new() { ["cloud"] = "second" };
        _server.Accepted = "second";
        Assert.Equal(StatusCode.FailedPrecondition, (await Assert.ThrowsAsync<RpcException>(() => endpoint.AskAsync("big", Chat(), Cancelled))).StatusCode);
        Assert.Equal("four", (await endpoint.AskAsync("big", Chat(), Cancelled)).Text);
        Assert.Equal(2, sidecar.Asked);

        // And again after a while.
        _router.Time.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal("four", (await endpoint.AskAsync("big", Chat(), Cancelled)).Text);
        Assert.Equal(3, sidecar.Asked);
    }

    [Theory]
    [InlineData("vault/cloud", StatusCode.FailedPrecondition, "no field 'cloud'")]
    [InlineData("vault/missing/key", StatusCode.Unavailable, "failed getting secret with key missing")]
    public async Task What_cannot_be_read_says_why_and_asks_nobody(string secret, StatusCode code, string why)
    {
        await using var sidecar = await SidecarStub.StartAsync(Cancelled);
        sidecar.Secrets["vault/cloud"] = new() { ["key"] = "first" };
        using var models = Models(sidecar, secret);
        var error = await Assert.ThrowsAsync<RpcException>(() => models.All["cloud"].AskAsync("big", Chat(), Cancelled));
        Assert.Equal(code, error.StatusCode);
        Assert.Contains(why, error.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(0, _server.Asked);
        Assert.Equal("four", (await AskAsync(sidecar, "vault/cloud/key")).Text);
    }

    [Theory]
    [InlineData("cloud", "be STORE/SECRET")]
    [InlineData("vault/cloud/key/more", "be STORE/SECRET")]
    [InlineData("vault/cloud", "be left out where Key", "key")]
    public void Settings_that_name_no_secret_are_refused(string secret, string why, string? key = null)
    {
        var error = Assert.Throws<OptionException>(() => Options("http://127.0.0.1:1", secret, key));
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
    }

    private async Task<ModelAnswer> AskAsync(SidecarStub sidecar, string secret)
    {
        _server.Accepted = "first";
        using var models = Models(sidecar, secret);
        return await models.All["cloud"].AskAsync("big", Chat(), Cancelled);
    }

    private EndpointModels Models(SidecarStub sidecar, string secret) => new(Options(sidecar.Address, secret, null), _router.Ledger, _router.Time, _server);

    private static RouterOptions Options(string sidecar, string secret, string? key) => RouterOptions.From(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
    {
        ["Slm:Data"] = Path.GetTempPath(),
        ["Slm:Dapr:GrpcEndpoint"] = sidecar,
        ["Slm:Router:Endpoints:cloud:Url"] = "http://host/v1",
        ["Slm:Router:Endpoints:cloud:KeySecret"] = secret,
        ["Slm:Router:Endpoints:cloud:Key"] = key,
    }).Build());

    private static GenerateRequest Chat()
    {
        var request = new GenerateRequest { Messages = new Messages(), Sampling = new SamplingOptions { MaxTokens = 10 } };
        request.Messages.Messages_.Add(new ChatMessage { Role = "user", Content = "2 + 2?" });
        return request;
    }

    /// <summary>An endpoint that takes one key.</summary>
    private sealed class Endpoint : HttpMessageHandler
    {
        private const string Answer = """{"choices":[{"message":{"content":"four"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}""";

        public string Accepted { get; set; } = "";

        public int Asked { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Asked++;
            return Task.FromResult(request.Headers.Authorization?.ToString() == $"Bearer {Accepted}"
                ? new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(Answer, Encoding.UTF8, "application/json") }
                : new HttpResponseMessage(HttpStatusCode.Unauthorized) { Content = new StringContent("no such key") });
        }
    }
}
