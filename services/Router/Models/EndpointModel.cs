using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using Polly;
using Polly.CircuitBreaker;
using Polly.Hedging;
using Polly.Retry;
using Polly.Timeout;
using Slm.Router.Cascades;
using Slm.Router.Policies;
using Slm.Router.Records;
using Slm.Router.Signals;
using Slm.V1;

namespace Slm.Router.Models;

/// <summary>
/// An OpenAI-compatible server: each attempt within its time; again after 408, 429, 5xx and broken connections, with growing delays
/// and jitter, not before Retry-After; left alone while most calls fail; a second attempt beside a slow first one. Every attempt is
/// set aside against the spend limit before it leaves.
/// </summary>
internal sealed class EndpointModel : IDisposable
{
    private readonly EndpointOptions _options;
    private readonly SpendLedger _ledger;
    private readonly EndpointKey _key;
    private readonly HttpClient _http;
    private readonly ResiliencePipeline<HttpResponseMessage> _pipeline;

    public EndpointModel(EndpointOptions options, SpendLedger ledger, EndpointKey key, TimeProvider time, HttpMessageHandler? handler = null)
    {
        (_options, _ledger, _key) = (options, ledger, key);
        _http = new HttpClient(handler ?? new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = TimeSpan.FromSeconds(10) })
        {
            BaseAddress = new Uri(options.Url.ToString().TrimEnd('/') + "/"),
            // The pipeline's own.
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _pipeline = Pipeline(options, time);
    }

    public void Dispose() => _http.Dispose();

    public async Task<ModelAnswer> AskAsync(string model, GenerateRequest request, CancellationToken cancellationToken)
    {
        var chat = request.PromptCase == GenerateRequest.PromptOneofCase.Messages;
        if (!chat && request.PromptCase != GenerateRequest.PromptOneofCase.Text)
            throw new RpcException(new Status(StatusCode.FailedPrecondition, $"The endpoint '{_options.Name}' reads text and messages; token ids are those of another vocabulary."));
        if (_options.Limit is not null && !request.Sampling.HasMaxTokens)
            throw new RpcException(new Status(StatusCode.FailedPrecondition, $"The endpoint '{_options.Name}' has a spend limit, which needs max_tokens in the stage or the request."));
        var body = Body(model, request, chat).ToJsonString();
        var most = _options.Cost.Of(1, Encoding.UTF8.GetByteCount(RequestFeatures.Text(request)), request.Sampling.HasMaxTokens ? request.Sampling.MaxTokens : 0);
        var reservations = new List<Reservation>();
        HttpResponseMessage response;
        try
        {
            response = await _pipeline.ExecuteAsync(async token =>
            {
                var key = await _key.GetAsync(token);
                var reservation = await ReserveAsync(most, token);
                lock (reservations)
                    reservations.Add(reservation);
                using var message = new HttpRequestMessage(HttpMethod.Post, chat ? "chat/completions" : "completions") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
                if (key is not null)
                    message.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
                var answer = await _http.SendAsync(message, token);
                if (!answer.IsSuccessStatusCode)
                {
                    if (answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
                        _key.Forget();
                    // It says that it did nothing.
                    lock (reservations)
                        reservations.Remove(reservation);
                    await _ledger.SettleAsync(Scope, reservation, 0);
                }
                else
                {
                    await answer.Content.LoadIntoBufferAsync(token);
                }

                return answer;
            }, cancellationToken);
        }
        catch (BrokenCircuitException error)
        {
            throw Unavailable($"has failed too often and is left alone for {error.RetryAfter?.TotalSeconds ?? 0:0} s");
        }
        catch (TimeoutRejectedException)
        {
            throw Unavailable($"did not answer within {_options.Timeout.TotalSeconds:0.###} s");
        }
        catch (HttpRequestException error)
        {
            throw Unavailable($"cannot be reached: {error.Message}");
        }

        using (response)
        {
            if (!response.IsSuccessStatusCode)
                throw await FailureAsync(response, cancellationToken);
            var answer = Read(await response.Content.ReadAsStringAsync(cancellationToken), chat);
            // Other attempts that are still set aside may have been worked on as well.
            Reservation? last;
            lock (reservations)
                last = reservations.LastOrDefault();
            if (last is not null)
                await _ledger.SettleAsync(Scope, last, Math.Min(last.Amount, _options.Cost.Of(1, answer.PromptTokens, answer.CompletionTokens)));
            return answer;
        }
    }

    private string Scope => $"endpoint:{_options.Name}";

    private static ResiliencePipeline<HttpResponseMessage> Pipeline(EndpointOptions options, TimeProvider time)
    {
        var transient = new PredicateBuilder<HttpResponseMessage>().Handle<HttpRequestException>().Handle<TimeoutRejectedException>()
            .HandleResult(r => r.StatusCode is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)r.StatusCode >= 500);
        var builder = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time };
        if (options.HedgeAfter is { } delay)
            builder.AddHedging(new HedgingStrategyOptions<HttpResponseMessage> { Delay = delay, MaxHedgedAttempts = 1, ShouldHandle = transient });
        if (options.Retries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions<HttpResponseMessage>
            {
                ShouldHandle = transient,
                MaxRetryAttempts = options.Retries,
                BackoffType = DelayBackoffType.Exponential,
                Delay = TimeSpan.FromMilliseconds(200),
                MaxDelay = TimeSpan.FromSeconds(10),
                UseJitter = true,
                DelayGenerator = arguments => ValueTask.FromResult(arguments.Outcome.Result?.Headers.RetryAfter?.Delta),
            });
        }

        return builder
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<HttpResponseMessage>
            {
                ShouldHandle = transient,
                FailureRatio = options.BreakerFailureRatio,
                MinimumThroughput = options.BreakerCalls,
                SamplingDuration = TimeSpan.FromSeconds(30),
                BreakDuration = options.BreakerPause,
            })
            .AddTimeout(options.Timeout)
            .Build();
    }

    private async Task<Reservation> ReserveAsync(double most, CancellationToken cancellationToken)
    {
        if (_options.Limit is not { } limit)
            return new Reservation(most, null);
        return await _ledger.TryReserveAsync(Scope, most, limit, cancellationToken)
            ?? throw new SpendLimitException(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"The endpoint '{_options.Name}' could cost {most:0.####}, more than is left of its {limit.Most:0.####} in {limit.Window.TotalSeconds:0} s."));
    }

    private JsonObject Body(string model, GenerateRequest request, bool chat)
    {
        var sampling = request.Sampling;
        var body = new JsonObject { ["model"] = model };
        if (chat)
        {
            body["messages"] = new JsonArray([.. request.Messages.Messages_.Select(m => (JsonNode)new JsonObject { ["role"] = m.Role, ["content"] = m.Content })]);
            if (request.Messages.Tools.Count > 0)
            {
                body["tools"] = new JsonArray([.. request.Messages.Tools.Select(t => (JsonNode)new JsonObject
                {
                    ["type"] = "function",
                    ["function"] = new JsonObject { ["name"] = t.Name, ["description"] = t.Description, ["parameters"] = JsonNode.Parse(t.ParametersJson) },
                })]);
            }
        }
        else
        {
            body["prompt"] = request.Text;
        }

        if (sampling.HasMaxTokens)
            body["max_tokens"] = sampling.MaxTokens;
        if (sampling.HasTemperature)
            body["temperature"] = sampling.Temperature;
        if (sampling.HasTopP)
            body["top_p"] = sampling.TopP;
        if (sampling.HasSeed)
            body["seed"] = (long)(sampling.Seed & long.MaxValue);
        if (sampling.HasPresencePenalty)
            body["presence_penalty"] = sampling.PresencePenalty;
        if (sampling.HasFrequencyPenalty)
            body["frequency_penalty"] = sampling.FrequencyPenalty;
        if (sampling.Stop.Count > 0)
            body["stop"] = new JsonArray([.. sampling.Stop.Select(s => (JsonNode)JsonValue.Create(s)!)]);
        if (_options.LogProbs && sampling.Logprobs)
        {
            if (chat)
                (body["logprobs"], body["top_logprobs"]) = (true, sampling.TopLogprobs);
            else
                body["logprobs"] = Math.Max(1, sampling.TopLogprobs);
        }

        return body;
    }

    private ModelAnswer Read(string text, bool chat)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var root = document.RootElement;
            var choice = root.GetProperty("choices")[0];
            var answer = chat ? choice.GetProperty("message").GetProperty("content").GetString() ?? "" : choice.GetProperty("text").GetString() ?? "";
            var usage = root.TryGetProperty("usage", out var u) && u.ValueKind == JsonValueKind.Object ? u : default;
            return new ModelAnswer(answer, [], chat ? LogProbs(choice) : [],
                Count(usage, "prompt_tokens"), Count(usage, "completion_tokens"),
                choice.TryGetProperty("finish_reason", out var finish) && finish.ValueKind == JsonValueKind.String && finish.GetString() == "length" ? FinishReason.Length : FinishReason.Stop);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException or FormatException)
        {
            throw Unavailable($"answered what is no completion: {error.Message}");
        }
    }

    private static List<TokenLogProb> LogProbs(JsonElement choice)
    {
        var tokens = new List<TokenLogProb>();
        if (!choice.TryGetProperty("logprobs", out var logprobs) || logprobs.ValueKind != JsonValueKind.Object || !logprobs.TryGetProperty("content", out var content) || content.ValueKind != JsonValueKind.Array)
            return tokens;
        foreach (var item in content.EnumerateArray())
        {
            var token = new TokenLogProb { Token = item.GetProperty("token").GetString() ?? "", Logprob = item.GetProperty("logprob").GetSingle() };
            if (item.TryGetProperty("top_logprobs", out var top) && top.ValueKind == JsonValueKind.Array)
                token.Top.AddRange(top.EnumerateArray().Select(t => new TopLogProb { Token = t.GetProperty("token").GetString() ?? "", Logprob = t.GetProperty("logprob").GetSingle() }));
            tokens.Add(token);
        }

        return tokens;
    }

    private static int Count(JsonElement usage, string name) => usage.ValueKind == JsonValueKind.Object && usage.TryGetProperty(name, out var count) && count.TryGetInt32(out var value) ? value : 0;

    private async Task<RpcException> FailureAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        var said = text.Length > 200 ? text[..200] : text;
        var code = response.StatusCode switch
        {
            HttpStatusCode.NotFound => StatusCode.NotFound,
            // Its keys are ours, not the caller's.
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => StatusCode.FailedPrecondition,
            HttpStatusCode.TooManyRequests => StatusCode.ResourceExhausted,
            HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity => StatusCode.FailedPrecondition,
            _ => StatusCode.Unavailable,
        };
        return new RpcException(new Status(code, $"The endpoint '{_options.Name}' answered {(int)response.StatusCode}: {said}"));
    }

    private RpcException Unavailable(string what) => new(new Status(StatusCode.Unavailable, $"The endpoint '{_options.Name}' {what}."));
}
