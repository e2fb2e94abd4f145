using System.Net;
using Slm.V1;

namespace Slm.Integration.Access;

public sealed class RepeatTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_repeated_request_gets_the_first_answer_and_costs_nothing(bool stream)
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var created = await platform.CreateAsync(null, Cancelled);
        // Without a seed another run would give another answer.
        var body = new { model = GuardedPlatform.Model, prompt = new[] { 1, 2, 3 }, max_tokens = 12, temperature = 1.5, stream };
        using var first = await platform.PostAsync("/v1/completions", body, created.Secret, Cancelled, m => m.Headers.Add("Idempotency-Key", "a"));
        using var second = await platform.PostAsync("/v1/completions", body, created.Secret, Cancelled, m => m.Headers.Add("Idempotency-Key", "a"));
        Assert.Equal(HttpStatusCode.OK, second.StatusCode);
        var answer = await first.Content.ReadAsByteArrayAsync(Cancelled);
        Assert.NotEmpty(answer);
        Assert.Equal(answer, await second.Content.ReadAsByteArrayAsync(Cancelled));
        Assert.Equal(first.Content.Headers.ContentType, second.Content.Headers.ContentType);
        Assert.Equal((null, "true"), (LimitTests.Header(first, "Idempotent-Replayed"), LimitTests.Header(second, "Idempotent-Replayed")));
        var entries = await platform.AuditAsync(created.Key.Id, 2, Cancelled);
        Assert.True(entries[0].CompletionTokens > 0);
        Assert.Equal(0, entries[1].CompletionTokens + entries[1].PromptTokens);

        // Another key, or another caller's, is another request.
        using var other = await platform.PostAsync("/v1/completions", body, created.Secret, Cancelled, m => m.Headers.Add("Idempotency-Key", "b"));
        using var foreign = await platform.PostAsync("/v1/completions", body, GuardedPlatform.AdminKey, Cancelled, m => m.Headers.Add("Idempotency-Key", "a"));
        Assert.All([other, foreign], a => Assert.Null(LimitTests.Header(a, "Idempotent-Replayed")));
        Assert.NotEqual(answer, await other.Content.ReadAsByteArrayAsync(Cancelled));
    }

    [Fact]
    public async Task Another_request_with_the_same_key_is_refused_and_a_failed_one_may_be_tried_again()
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var key = (await platform.CreateAsync(null, Cancelled)).Secret;
        using var first = await platform.CompleteAsync(key, Cancelled, change: m => m.Headers.Add("Idempotency-Key", "a"));
        using var other = await platform.CompleteAsync(key, Cancelled, tokens: 4, change: m => m.Headers.Add("Idempotency-Key", "a"));
        Assert.Equal((HttpStatusCode.UnprocessableEntity, "idempotency_key_reused"), (other.StatusCode, await KeyTests.CodeOf(other)));
        using var endless = await platform.CompleteAsync(key, Cancelled, change: m => m.Headers.Add("Idempotency-Key", new string('x', 256)));
        Assert.Equal(HttpStatusCode.BadRequest, endless.StatusCode);

        var wrong = new { model = "nonesuch", prompt = "x" };
        for (var i = 0; i < 2; i++)
        {
            using var failed = await platform.PostAsync("/v1/completions", wrong, key, Cancelled, m => m.Headers.Add("Idempotency-Key", "c"));
            Assert.Equal((HttpStatusCode.NotFound, null), (failed.StatusCode, LimitTests.Header(failed, "Idempotent-Replayed")));
        }

        using var mended = await platform.CompleteAsync(key, Cancelled, change: m => m.Headers.Add("Idempotency-Key", "c"));
        Assert.Equal(HttpStatusCode.OK, mended.StatusCode);
    }

    [Fact]
    public async Task While_the_first_is_at_work_a_repetition_is_a_conflict()
    {
        const string Body = $$"""{"model":"{{ReferenceModel.Tall}}","prompt":[1,2,3],"max_tokens":30000,"ignore_eos":true,"stream":true}""";
        await using var platform = await GuardedPlatform.StartAsync();
        var key = (await platform.CreateAsync(null, Cancelled)).Secret;
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent(Body),
        };
        request.Headers.Add("Idempotency-Key", "a");
        request.Headers.Add("Authorization", $"Bearer {key}");
        using (await platform.Web.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancelled))
        {
            using var again = await RepeatAsync();
            Assert.Equal((HttpStatusCode.Conflict, "idempotency_conflict"), (again.StatusCode, await KeyTests.CodeOf(again)));
            Assert.NotNull(again.Headers.RetryAfter);
        }

        // Its caller has left: there is no answer to repeat, and the key is free.
        await LimitTests.EventuallyAsync(async () =>
        {
            using var again = await RepeatAsync();
            return again.StatusCode == HttpStatusCode.OK && LimitTests.Header(again, "Idempotent-Replayed") is null;
        });

        async Task<HttpResponseMessage> RepeatAsync()
        {
            using var copy = new HttpRequestMessage(HttpMethod.Post, request.RequestUri) { Content = new StringContent(Body) };
            copy.Headers.Add("Idempotency-Key", "a");
            copy.Headers.Add("Authorization", $"Bearer {key}");
            return await platform.Web.SendAsync(copy, HttpCompletionOption.ResponseHeadersRead, Cancelled);
        }
    }
}
