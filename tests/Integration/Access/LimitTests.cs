using System.Net;
using System.Text.Json;
using Grpc.Core;
using Slm.V1;

namespace Slm.Integration.Access;

public sealed class LimitTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Requests_beyond_those_of_a_minute_are_told_when_to_come_back()
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var key = (await platform.CreateAsync(r => r.RequestsPerMinute = 2, Cancelled)).Secret;
        using var first = await platform.CompleteAsync(key, Cancelled);
        Assert.Equal((HttpStatusCode.OK, "2", "1"), (first.StatusCode, Header(first, "x-ratelimit-limit-requests"), Header(first, "x-ratelimit-remaining-requests")));
        await platform.Models.ListAsync(new ListModelsRequest(), GuardedPlatform.With(key), cancellationToken: Cancelled);
        using var third = await platform.CompleteAsync(key, Cancelled);
        Assert.Equal((HttpStatusCode.TooManyRequests, "rate_limit_exceeded"), (third.StatusCode, await KeyTests.CodeOf(third)));
        Assert.InRange(third.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 30);
        var error = await KeyTests.RefusedAsync(StatusCode.ResourceExhausted, () => platform.Models.ListAsync(new ListModelsRequest(), GuardedPlatform.With(key), cancellationToken: Cancelled).ResponseAsync);
        Assert.InRange(error.GetRpcStatus()!.GetDetail<Google.Rpc.RetryInfo>()!.RetryDelay.ToTimeSpan().TotalSeconds, 0.001, 30);

        // Others have their own.
        using var other = await platform.CompleteAsync((await platform.CreateAsync(null, Cancelled)).Secret, Cancelled);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    [Theory]
    [InlineData("http")]
    [InlineData("http stream")]
    [InlineData("grpc")]
    [InlineData("json")]
    public async Task Tokens_of_prompt_and_answer_count_however_they_are_asked_for(string way)
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var key = (await platform.CreateAsync(r => r.TokensPerMinute = 20, Cancelled)).Secret;
        switch (way)
        {
            case "grpc":
                using (var call = platform.Inference.Generate(GenerationTests.Greedy(GuardedPlatform.Model, [1, 2, 3], 30), GuardedPlatform.With(key), cancellationToken: Cancelled))
                {
                    while (await call.ResponseStream.MoveNext(Cancelled))
                    {
                    }
                }

                break;
            case "json":
                using (var answer = await platform.PostAsync(
                    $"/v1/inference/{GuardedPlatform.Model}:generate", new { tokenIds = new { ids = new[] { 1, 2, 3 } }, sampling = new { maxTokens = 30, temperature = 0, ignoreEos = true } }, key, Cancelled))
                    Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                break;
            default:
                var body = new { model = GuardedPlatform.Model, prompt = new[] { 1, 2, 3 }, max_tokens = 30, temperature = 0, ignore_eos = true, stream = way == "http stream" };
                using (var answer = await platform.PostAsync("/v1/completions", body, key, Cancelled))
                    await answer.Content.ReadAsStringAsync(Cancelled);
                break;
        }

        // 33 of 20 are used: below zero for 39 s or so.
        var error = await KeyTests.RefusedAsync(StatusCode.ResourceExhausted, () => platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(GuardedPlatform.Model, [1], 1), GuardedPlatform.With(key), cancellationToken: Cancelled).ResponseAsync);
        Assert.Contains("20 tokens a minute", error.Status.Detail, StringComparison.Ordinal);
        using var refused = await platform.CompleteAsync(key, Cancelled);
        Assert.Equal((HttpStatusCode.TooManyRequests, "0"), (refused.StatusCode, Header(refused, "x-ratelimit-remaining-tokens")));
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 45);

        // What costs no tokens goes on.
        await platform.Models.ListAsync(new ListModelsRequest(), GuardedPlatform.With(key), cancellationToken: Cancelled);
    }

    [Fact]
    public async Task Under_overload_a_key_with_many_requests_leaves_room_for_others()
    {
        await using var platform = await GuardedPlatform.StartAsync("--Slm:Access:MaxConcurrent=4");
        var greedy = (await platform.CreateAsync(null, Cancelled)).Secret;
        var modest = (await platform.CreateAsync(null, Cancelled)).Secret;
        using (var one = await platform.BeginEndlessAsync(greedy, Cancelled))
        using (var two = await platform.BeginEndlessAsync(greedy, Cancelled))
        {
            // It has two of four, and two are free.
            using var refused = await platform.CompleteAsync(greedy, Cancelled);
            Assert.Equal((HttpStatusCode.TooManyRequests, "overloaded"), (refused.StatusCode, await KeyTests.CodeOf(refused)));
            Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
            var error = await KeyTests.RefusedAsync(StatusCode.ResourceExhausted, () => platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(GuardedPlatform.Model, [1], 1), GuardedPlatform.With(greedy), cancellationToken: Cancelled).ResponseAsync);
            Assert.NotNull(error.GetRpcStatus()!.GetDetail<Google.Rpc.RetryInfo>());
            using var welcome = await platform.CompleteAsync(modest, Cancelled);
            Assert.Equal(HttpStatusCode.OK, welcome.StatusCode);
            Assert.True(await one.ResponseStream.MoveNext(Cancelled));
            Assert.True(await two.ResponseStream.MoveNext(Cancelled));
        }

        await EventuallyAsync(async () =>
        {
            using var again = await platform.CompleteAsync(greedy, Cancelled);
            return again.StatusCode == HttpStatusCode.OK;
        });
    }

    [Fact]
    public async Task A_key_has_no_more_requests_at_a_time_than_its_own_limit()
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var key = (await platform.CreateAsync(r => r.MaxConcurrent = 1, Cancelled)).Secret;
        using var running = await platform.BeginEndlessAsync(key, Cancelled);
        await KeyTests.RefusedAsync(StatusCode.ResourceExhausted, () => platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(GuardedPlatform.Model, [1], 1), GuardedPlatform.With(key), cancellationToken: Cancelled).ResponseAsync);
        await platform.Tokens.CountAsync(new CountRequest { Model = GuardedPlatform.Model, Text = "a" }, GuardedPlatform.With(key), cancellationToken: Cancelled);
    }

    [Fact]
    public async Task The_audit_log_says_who_did_what_with_which_outcome_and_never_what_was_said()
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var created = await platform.CreateAsync(null, Cancelled);
        var (id, key) = (created.Key.Id, created.Secret);
        const string Secret = "Zanzibar";
        using var chat = await platform.PostAsync(
            "/v1/completions", new { model = GuardedPlatform.Model, prompt = Secret, max_tokens = 5, temperature = 0, n = 2, ignore_eos = true }, key, Cancelled);
        var usage = JsonDocument.Parse(await chat.Content.ReadAsStringAsync(Cancelled)).RootElement.GetProperty("usage");
        var once = await platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(GuardedPlatform.Model, [1, 2, 3, 4], 6), GuardedPlatform.With(key), cancellationToken: Cancelled);
        await KeyTests.RefusedAsync(StatusCode.NotFound, () => platform.Inference.GenerateOnceAsync(GenerationTests.Greedy("nonesuch", [1], 1), GuardedPlatform.With(key), cancellationToken: Cancelled).ResponseAsync);
        await KeyTests.RefusedAsync(StatusCode.PermissionDenied, () => platform.Models.LoadAsync(new LoadModelRequest { Model = Secret }, GuardedPlatform.With(key), cancellationToken: Cancelled).ResponseAsync);
        using (await platform.BeginEndlessAsync(key, Cancelled))
        {
        }

        var entries = await platform.AuditAsync(id, 5, Cancelled);
        (string, string, long, long)[] expected =
        [
            ("POST /v1/completions", "200", usage.GetProperty("prompt_tokens").GetInt64(), usage.GetProperty("completion_tokens").GetInt64()),
            ("/slm.v1.InferenceService/GenerateOnce", "OK", once.Usage.PromptTokens, once.Usage.CompletionTokens),
            ("/slm.v1.InferenceService/GenerateOnce", "NOT_FOUND", 0, 0),
            ("/slm.v1.ModelService/Load", "PERMISSION_DENIED", 0, 0),
        ];
        Assert.Equal(expected, entries.Take(4).Select(e => (e.Action, e.Outcome, e.PromptTokens, e.CompletionTokens)));
        Assert.Equal(10, expected[0].Item4);
        var left = entries[4];
        Assert.Equal("/slm.v1.InferenceService/Generate", left.Action);
        Assert.NotEqual("OK", left.Outcome);
        Assert.True(left.CompletionTokens > 0);
        Assert.All(entries, e => Assert.Equal("127.0.0.1", e.Address));
        Assert.Equal(chat.Headers.GetValues("x-request-id").Single(), entries[0].RequestId);

        // Whoever has no key is nobody, and noted as well.
        await KeyTests.RefusedAsync(StatusCode.Unauthenticated, () => platform.Models.ListAsync(new ListModelsRequest(), GuardedPlatform.With(Secret), cancellationToken: Cancelled).ResponseAsync);
        Assert.Contains(await platform.AuditAsync("", 1, Cancelled), e => (e.Action, e.Outcome) == ("/slm.v1.ModelService/List", "UNAUTHENTICATED"));

        var stored = string.Concat(Directory.EnumerateFiles(platform.Data, "access.db*").Select(Text));
        Assert.Contains("/v1/completions", stored, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, stored, StringComparison.Ordinal);
        Assert.DoesNotContain(key[20..], stored, StringComparison.Ordinal);
    }

    internal static async Task EventuallyAsync(Func<Task<bool>> condition)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (!await condition())
            deadline.Token.ThrowIfCancellationRequested();
    }

    internal static string? Header(HttpResponseMessage answer, string name) => answer.Headers.TryGetValues(name, out var values) ? values.Single() : null;

    private static string Text(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream, System.Text.Encoding.Latin1);
        return reader.ReadToEnd();
    }
}
