using System.Collections.Concurrent;
using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Slm.V1;

namespace Slm.Integration.Access;

public sealed class DoorTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_request_or_an_answer_that_is_too_large_is_refused_with_the_setting_that_says_so()
    {
        await using var platform = await GuardedPlatform.StartAsync("--Slm:MaxRequestBytes=4096", "--Slm:Access:MaxResponseBytes=3000");
        var key = (await platform.CreateAsync(null, Cancelled)).Secret;
        using var large = await platform.PostAsync("/v1/completions", new { model = GuardedPlatform.Model, prompt = new string('x', 5000) }, key, Cancelled);
        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, "request_too_large"), (large.StatusCode, await KeyTests.CodeOf(large)));
        Assert.Contains("Slm:MaxRequestBytes", await large.Content.ReadAsStringAsync(Cancelled), StringComparison.Ordinal);
        using var chunked = await platform.PostAsync(
            "/v1/completions", new { model = GuardedPlatform.Model, prompt = new string('x', 5000) }, key, Cancelled, m => m.Headers.TransferEncodingChunked = true);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, chunked.StatusCode);

        var wordy = new { model = GuardedPlatform.Model, prompt = new[] { 1, 2, 3 }, max_tokens = 100, temperature = 0, logprobs = 5, ignore_eos = true };
        using var answer = await platform.PostAsync("/v1/completions", wordy, key, Cancelled);
        Assert.Equal((HttpStatusCode.InternalServerError, "response_too_large"), (answer.StatusCode, await KeyTests.CodeOf(answer)));
        var request = GenerationTests.Greedy(GuardedPlatform.Model, [1, 2, 3], 100);
        (request.Sampling.Logprobs, request.Sampling.TopLogprobs) = (true, 5);
        var error = await KeyTests.RefusedAsync(StatusCode.ResourceExhausted, () => platform.Inference.GenerateOnceAsync(request, GuardedPlatform.With(key), cancellationToken: Cancelled).ResponseAsync);
        Assert.Contains("Slm:Access:MaxResponseBytes", error.Status.Detail, StringComparison.Ordinal);
        using var small = await platform.CompleteAsync(key, Cancelled);
        Assert.Equal(HttpStatusCode.OK, small.StatusCode);
    }

    [Fact]
    public async Task Pages_of_other_sites_may_call_only_where_a_setting_names_them()
    {
        await using (var closed = await GuardedPlatform.StartAsync("--Slm:Access:Keys=off"))
        {
            using var same = await closed.CompleteAsync(null, Cancelled, change: m => m.Headers.Add("Origin", closed.Http));
            Assert.Equal(HttpStatusCode.OK, same.StatusCode);
            Assert.False(same.Headers.Contains("Access-Control-Allow-Origin"));
            using var foreign = await closed.CompleteAsync(null, Cancelled, change: m => m.Headers.Add("Origin", "https://elsewhere.example"));
            Assert.Equal((HttpStatusCode.Forbidden, "origin_not_allowed"), (foreign.StatusCode, await KeyTests.CodeOf(foreign)));
            using var rebound = await closed.CompleteAsync(null, Cancelled, change: m => m.Headers.Host = "elsewhere.example");
            Assert.Equal((HttpStatusCode.Forbidden, "host_not_allowed"), (rebound.StatusCode, await KeyTests.CodeOf(rebound)));
        }

        await using var open = await GuardedPlatform.StartAsync("--Slm:Access:Keys=off", "--Slm:Access:CorsOrigins=https://page.example");
        using var preflight = new HttpRequestMessage(HttpMethod.Options, "/v1/completions");
        preflight.Headers.Add("Origin", "https://page.example");
        preflight.Headers.Add("Access-Control-Request-Method", "POST");
        preflight.Headers.Add("Access-Control-Request-Headers", "authorization,content-type");
        using var granted = await open.Web.SendAsync(preflight, Cancelled);
        Assert.Equal("https://page.example", LimitTests.Header(granted, "Access-Control-Allow-Origin"));
        using var answered = await open.CompleteAsync(null, Cancelled, change: m => m.Headers.Add("Origin", "https://page.example"));
        Assert.Equal((HttpStatusCode.OK, "https://page.example"), (answered.StatusCode, LimitTests.Header(answered, "Access-Control-Allow-Origin")));
        using var other = await open.CompleteAsync(null, Cancelled, change: m => m.Headers.Add("Origin", "https://elsewhere.example"));
        Assert.False(other.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Without_keys_only_this_machine_may_make_them()
    {
        await using var platform = await GuardedPlatform.StartAsync("--Slm:Access:Keys=off");
        using var proxied = await platform.PostAsync("/v1/keys", new { name = "x", scopes = new[] { "admin" } }, null, Cancelled, m => m.Headers.Add("X-Forwarded-For", "192.0.2.1"));
        Assert.Equal(HttpStatusCode.Forbidden, proxied.StatusCode);
        using var local = await platform.PostAsync("/v1/keys", new { name = "x", scopes = new[] { "admin" } }, null, Cancelled);
        Assert.Equal(HttpStatusCode.OK, local.StatusCode);
    }

    [Theory]
    [InlineData("off", true)]
    [InlineData("auto", false)]
    public async Task A_server_that_anybody_can_use_says_so_when_it_starts(string rule, bool says)
    {
        var log = new WarningLog();
        await using var platform = new GuardedPlatform(
            [$"--Slm:Access:Keys={rule}", $"--Slm:Http=http://*:{Ports.Free()}"], builder => builder.Services.AddSingleton<ILoggerProvider>(log));
        await platform.InitializeAsync();
        Assert.Equal(says, log.Warnings.Any(w => w.Contains("can be called by anybody", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Stopping_lets_running_answers_end_and_takes_no_new_ones()
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var key = (await platform.CreateAsync(null, Cancelled)).Secret;
        Task stopping;
        using (var running = await platform.BeginEndlessAsync(key, Cancelled))
        {
            Assert.Equal(HttpStatusCode.OK, (await platform.Web.GetAsync("/health", Cancelled)).StatusCode);
            stopping = platform.StopAsync(Cancelled);
            await LimitTests.EventuallyAsync(async () => (await platform.Web.GetAsync("/health", Cancelled)).StatusCode == HttpStatusCode.ServiceUnavailable);
            using var refused = await platform.CompleteAsync(key, Cancelled);
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "shutting_down"), (refused.StatusCode, await KeyTests.CodeOf(refused)));
            Assert.NotNull(refused.Headers.RetryAfter);
            var error = await KeyTests.RefusedAsync(StatusCode.Unavailable, () => platform.Models.ListAsync(new ListModelsRequest(), GuardedPlatform.With(key), cancellationToken: Cancelled).ResponseAsync);
            Assert.NotNull(error.GetRpcStatus()!.GetDetail<Google.Rpc.RetryInfo>());
            Assert.True(await running.ResponseStream.MoveNext(Cancelled));
            Assert.False(stopping.IsCompleted);
        }

        await stopping;
    }

    [Fact]
    public async Task An_answer_that_runs_when_the_server_is_stopped_comes_whole()
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var key = (await platform.CreateAsync(null, Cancelled)).Secret;
        using var call = platform.Inference.Generate(GenerationTests.Greedy(ReferenceModel.Tall, [1, 2, 3], 300), GuardedPlatform.With(key), cancellationToken: Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        var stopping = platform.StopAsync(Cancelled);
        var tokens = call.ResponseStream.Current.TokenIds.Count;
        while (await call.ResponseStream.MoveNext(Cancelled))
            tokens += call.ResponseStream.Current.TokenIds.Count;
        Assert.Equal(300, tokens);
        await stopping;
    }

    [Fact]
    public async Task What_takes_longer_than_the_deadline_is_cut_off_visibly()
    {
        await using var platform = await GuardedPlatform.StartAsync("--Slm:Access:DrainSeconds=0");
        var key = (await platform.CreateAsync(null, Cancelled)).Secret;
        using var call = await platform.BeginEndlessAsync(key, Cancelled);
        var stopping = platform.StopAsync(Cancelled);
        await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext(Cancelled))
            {
            }
        });
        await stopping;
    }

    private sealed class WarningLog : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _warnings = new();

        public IEnumerable<string> Warnings => _warnings;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel == LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                _warnings.Enqueue(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }
}
