using System.Collections.Concurrent;
using System.Globalization;
using Slm.Gateway.OpenAi;

namespace Slm.Gateway.Access;

/// <summary>Requests and tokens a minute of each key, counted in this gateway.</summary>
internal sealed class KeyLimits(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, (Budget? Requests, Budget? Tokens)> _budgets = new(StringComparer.Ordinal);

    /// <summary>Counts a request, or refuses it.</summary>
    /// <exception cref="OpenAiException">429 with the time to wait.</exception>
    public void Admit(ApiKey key, CallRule rule)
    {
        var (requests, tokens) = Of(key);
        if (rule.IsWork && tokens?.TryTake(0) is { } untilTokens)
            throw Refuse(key, "tokens", key.TokensPerMinute!.Value, untilTokens);
        if (requests?.TryTake(1) is { } untilRequest)
            throw Refuse(key, "requests", key.RequestsPerMinute!.Value, untilRequest);
    }

    /// <summary>Counts what a request has used.</summary>
    public void Charge(ApiKey key, long tokens) => Of(key).Tokens?.Charge(tokens);

    /// <summary>Says what is left, in the headers OpenAI's clients know.</summary>
    public void Describe(ApiKey key, IHeaderDictionary headers)
    {
        var (requests, tokens) = Of(key);
        Add(requests, "requests");
        Add(tokens, "tokens");

        void Add(Budget? budget, string name)
        {
            if (budget is null)
                return;
            var (left, full) = budget.State();
            headers[$"x-ratelimit-limit-{name}"] = budget.PerMinute.ToString(CultureInfo.InvariantCulture);
            headers[$"x-ratelimit-remaining-{name}"] = left.ToString(CultureInfo.InvariantCulture);
            headers[$"x-ratelimit-reset-{name}"] = string.Create(CultureInfo.InvariantCulture, $"{full.TotalSeconds:0.###}s");
        }
    }

    private (Budget? Requests, Budget? Tokens) Of(ApiKey key) => _budgets.GetOrAdd(key.Id, static (_, o) => (
        o.key.RequestsPerMinute is { } requests ? new Budget(requests, o.time) : null,
        o.key.TokensPerMinute is { } tokens ? new Budget(tokens, o.time) : null), (key, time));

    private static OpenAiException Refuse(ApiKey key, string what, long limit, TimeSpan wait) => new(
        StatusCodes.Status429TooManyRequests, what,
        string.Create(CultureInfo.InvariantCulture, $"The key '{key.Name}' may use {limit} {what} a minute, and has. Try again in {Math.Ceiling(wait.TotalSeconds)} s."),
        null, "rate_limit_exceeded", wait);
}
