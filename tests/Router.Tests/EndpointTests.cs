using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Dapr.Client;
using Grpc.Core;
using Slm.Router.Cascades;
using Slm.Router.Models;
using Slm.Router.Policies;
using Slm.V1;

namespace Slm.Router.Tests;

public sealed class EndpointTests : IDisposable
{
    private const string Answer = """{"choices":[{"message":{"content":"four"},"finish_reason":"stop","logprobs":{"content":[{"token":"four","logprob":-0.5,"top_logprobs":[{"token":"four","logprob":-0.5}]}]}}],"usage":{"prompt_tokens":7,"completion_tokens":2}}""";

    private readonly RouterHarness _router = new();
    private readonly Server _server = new();

    public void Dispose() => _router.Dispose();

    [Fact]
    public async Task A_chat_is_asked_with_the_key_and_read_with_its_figures()
    {
        using var endpoint = Endpoint(new() { Name = "e", Url = new Uri("http://host/v1"), Key = "secret", LogProbs = true });
        _server.Answers(_ => Json(Answer));
        var request = Chat();
        request.Sampling.Logprobs = true;
        request.Sampling.TopLogprobs = 5;
        request.Sampling.Temperature = 0.5f;
        var answer = await endpoint.AskAsync("big", request, TestContext.Current.CancellationToken);
        Assert.Equal(("four", 7, 2, FinishReason.Stop), (answer.Text, answer.PromptTokens, answer.CompletionTokens, answer.Finish));
        Assert.Equal(-0.5f, Assert.Single(answer.LogProbs).Logprob);
        var (path, key, body) = Assert.Single(_server.Seen);
        Assert.Equal(("http://host/v1/chat/completions", "Bearer secret"), (path, key));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse("""{"model":"big","messages":[{"role":"user","content":"2 + 2?"}],"max_tokens":10,"temperature":0.5,"logprobs":true,"top_logprobs":5}"""), JsonNode.Parse(body)), body);
    }

    [Fact]
    public async Task Overload_is_tried_again_after_the_time_it_names()
    {
        using var endpoint = Endpoint(new() { Name = "e", Url = new Uri("http://host/v1") });
        _server.Answers(
            _ => new HttpResponseMessage(HttpStatusCode.TooManyRequests) { Headers = { RetryAfter = new(TimeSpan.FromSeconds(7)) } },
            _ => new HttpResponseMessage(HttpStatusCode.BadGateway),
            _ => Json(Answer));
        var asked = endpoint.AskAsync("big", Chat(), TestContext.Current.CancellationToken);
        var waited = await AdvanceUntilDoneAsync(asked);
        Assert.Equal("four", (await asked).Text);
        Assert.Equal(3, _server.Seen.Count);
        Assert.True(waited >= TimeSpan.FromSeconds(7), $"waited {waited}");
    }

    [Fact]
    public async Task A_wrong_request_is_not_tried_again()
    {
        using var endpoint = Endpoint(new() { Name = "e", Url = new Uri("http://host/v1") });
        _server.Answers(_ => new HttpResponseMessage(HttpStatusCode.NotFound) { Content = new StringContent("no such model") });
        var error = await Assert.ThrowsAsync<RpcException>(() => endpoint.AskAsync("big", Chat(), TestContext.Current.CancellationToken));
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
        Assert.Contains("no such model", error.Status.Detail, StringComparison.Ordinal);
        Assert.Single(_server.Seen);
    }

    [Fact]
    public async Task An_endpoint_that_keeps_failing_is_left_alone_for_a_while()
    {
        using var endpoint = Endpoint(new() { Name = "e", Url = new Uri("http://host/v1"), Retries = 0, BreakerCalls = 3, BreakerPause = TimeSpan.FromSeconds(10) });
        _server.Answers(_ => new HttpResponseMessage(HttpStatusCode.InternalServerError));
        for (var i = 0; i < 3; i++)
            await Assert.ThrowsAsync<RpcException>(() => endpoint.AskAsync("big", Chat(), TestContext.Current.CancellationToken));
        var error = await Assert.ThrowsAsync<RpcException>(() => endpoint.AskAsync("big", Chat(), TestContext.Current.CancellationToken));
        Assert.Contains("left alone", error.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(3, _server.Seen.Count);
        _router.Time.Advance(TimeSpan.FromSeconds(11));
        _server.Answers(_ => Json(Answer));
        Assert.Equal("four", (await endpoint.AskAsync("big", Chat(), TestContext.Current.CancellationToken)).Text);
    }

    [Fact]
    public async Task A_slow_attempt_gets_a_second_one_beside_it()
    {
        using var endpoint = Endpoint(new() { Name = "e", Url = new Uri("http://host/v1"), HedgeAfter = TimeSpan.FromMilliseconds(200) });
        var slow = new TaskCompletionSource<HttpResponseMessage>();
        _server.AnswersLater(_ => slow.Task, _ => Task.FromResult(Json(Answer)));
        var asked = endpoint.AskAsync("big", Chat(), TestContext.Current.CancellationToken);
        await AdvanceUntilDoneAsync(asked);
        Assert.Equal("four", (await asked).Text);
        Assert.Equal(2, _server.Seen.Count);
    }

    [Fact]
    public async Task An_attempt_that_hangs_ends_with_its_time()
    {
        using var endpoint = Endpoint(new() { Name = "e", Url = new Uri("http://host/v1"), Retries = 0, Timeout = TimeSpan.FromSeconds(3) });
        _server.AnswersLater(_ => new TaskCompletionSource<HttpResponseMessage>().Task);
        var asked = endpoint.AskAsync("big", Chat(), TestContext.Current.CancellationToken);
        await AdvanceUntilDoneAsync(asked);
        Assert.Contains("did not answer within 3 s", (await Assert.ThrowsAsync<RpcException>(() => asked)).Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_spend_limit_holds_under_concurrency_and_frees_what_was_not_used()
    {
        // 6 characters and at most 10 tokens: 16 set aside, 9 used.
        var limit = new SpendLimit(40, TimeSpan.FromHours(1));
        using var endpoint = Endpoint(new() { Name = "e", Url = new Uri("http://host/v1"), Cost = new StageCost(0, 1, 1), Limit = limit });
        var open = new TaskCompletionSource();
        _server.AnswersLater(async _ =>
        {
            await open.Task;
            return Json(Answer);
        });
        var asked = Enumerable.Range(0, 5).Select(_ => endpoint.AskAsync("big", Chat(), TestContext.Current.CancellationToken)).ToArray();
        var refused = asked.Length - 2;
        await foreach (var done in Task.WhenEach(asked))
        {
            if (done.Exception?.InnerException is SpendLimitException && --refused == 0)
                open.SetResult();
        }

        Assert.Equal(2, asked.Count(a => a.IsCompletedSuccessfully));
        Assert.Equal(18, await _router.Ledger.SpentAsync("endpoint:e", limit, TestContext.Current.CancellationToken), 1e-9);
    }

    private EndpointModel Endpoint(EndpointOptions options) => new(options, _router.Ledger, new EndpointKey(options, new Lazy<DaprClient>(() => throw new InvalidOperationException()), _router.Time), _router.Time, _server);

    private static GenerateRequest Chat()
    {
        var request = new GenerateRequest { Messages = new Messages(), Sampling = new SamplingOptions { MaxTokens = 10 } };
        request.Messages.Messages_.Add(new ChatMessage { Role = "user", Content = "2 + 2?" });
        return request;
    }

    private static HttpResponseMessage Json(string text) => new(HttpStatusCode.OK) { Content = new StringContent(text, Encoding.UTF8, "application/json") };

    /// <summary>Moves the clock while nothing else goes on; returns by how much.</summary>
    private async Task<TimeSpan> AdvanceUntilDoneAsync(Task task)
    {
        var step = TimeSpan.FromMilliseconds(100);
        for (var waited = TimeSpan.Zero; ; waited += step)
        {
            for (var turn = 0; turn < 20 && !task.IsCompleted; turn++)
                await Task.Yield();
            if (task.IsCompleted)
                return waited;
            _router.Time.Advance(step);
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Answers requests in turn; the last answer serves all that follow.</summary>
    private sealed class Server : HttpMessageHandler
    {
        private readonly Lock _gate = new();
        private Func<HttpRequestMessage, Task<HttpResponseMessage>>[] _answers = [];
        private int _next;

        public List<(string Path, string? Key, string Body)> Seen { get; } = [];

        public void Answers(params Func<HttpRequestMessage, HttpResponseMessage>[] answers) => AnswersLater([.. answers.Select(a => (Func<HttpRequestMessage, Task<HttpResponseMessage>>)(r => Task.FromResult(a(r))))]);

        public void AnswersLater(params Func<HttpRequestMessage, Task<HttpResponseMessage>>[] answers) => (_answers, _next) = (answers, 0);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var body = await request.Content!.ReadAsStringAsync(cancellationToken);
            Func<HttpRequestMessage, Task<HttpResponseMessage>> answer;
            lock (_gate)
            {
                Seen.Add((request.RequestUri!.ToString(), request.Headers.Authorization?.ToString(), body));
                answer = _answers[Math.Min(_next++, _answers.Length - 1)];
            }

            return await answer(request).WaitAsync(cancellationToken);
        }
    }
}
