using System.Globalization;
using System.Text.Json;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary>The sampling fields that chat and plain completions share, and their names in the contract.</summary>
internal static class SamplingFields
{
    /// <summary>Most answers one request may ask for, over all prompts.</summary>
    public const int MaxChoices = 128;

    /// <summary>Reads what both APIs have; the caller adds the token limit and log-probabilities.</summary>
    public static SamplingOptions Read(RequestFields fields)
    {
        var options = new SamplingOptions();
        if (fields.Float("temperature") is { } temperature)
            options.Temperature = temperature;
        if (fields.Float("top_p") is { } topP)
            options.TopP = topP;
        if (fields.Int("top_k", -1, int.MaxValue) is { } topK)
            options.TopK = Math.Max(topK, 0);
        if (fields.Float("min_p") is { } minP)
            options.MinP = minP;
        if (fields.Float("repetition_penalty") is { } repetition)
            options.RepetitionPenalty = repetition;
        if (fields.Float("presence_penalty") is { } presence)
            options.PresencePenalty = presence;
        if (fields.Float("frequency_penalty") is { } frequency)
            options.FrequencyPenalty = frequency;
        if (fields.Seed("seed") is { } seed)
            options.Seed = seed;
        if (fields.Bool("ignore_eos") is { } ignoreEos)
            options.IgnoreEos = ignoreEos;
        if (fields.Bool("include_stop_str_in_output") is { } includeStop)
            options.IncludeStopInOutput = includeStop;
        if (fields.Bool("skip_special_tokens") is { } skipSpecial)
            options.SkipSpecialTokens = skipSpecial;
        options.Stop.AddRange(fields.Strings("stop", 16));
        options.StopTokenIds.AddRange(fields.Ints("stop_token_ids"));
        ReadBias(fields, options);
        fields.Refuse("min_tokens", "Remove it, or use 'ignore_eos' with a token limit.", v => v.ValueKind == JsonValueKind.Number && v.GetDouble() == 0);
        fields.Refuse("prompt_logprobs", "Use /v1/completions with 'echo' and 'logprobs'.", v => v.ValueKind is JsonValueKind.False);
        fields.Harmless("metadata", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention",
            "prediction", "cache_prompt", "id_slot", "timings_per_token", "return_token_ids");
        return options;
    }

    /// <summary>The options of answer <paramref name="index"/> of several: with a seed each answer has its own, seed + index.</summary>
    public static SamplingOptions ForChoice(SamplingOptions options, int index)
    {
        if (index == 0)
            return options;
        var copy = options.Clone();
        if (copy.HasSeed)
            copy.Seed = unchecked(copy.Seed + (ulong)index);
        return copy;
    }

    /// <summary>Reads stream options: whether a final chunk carries the usage.</summary>
    public static bool IncludeUsage(RequestFields fields, bool stream)
    {
        if (fields.Get("stream_options") is not { } options)
            return false;
        if (!stream)
            throw OpenAiException.Invalid("stream_options", "'stream_options' is only allowed when 'stream' is true.");
        var inner = new RequestFields(options, "stream_options");
        var include = inner.Bool("include_usage") ?? false;
        inner.Harmless("include_obfuscation", "continuous_usage_stats");
        inner.RefuseUnknown();
        return include;
    }

    /// <summary>The HTTP name of a contract field, as errors name it.</summary>
    public static string? HttpName(string contractField) => contractField switch
    {
        "text" or "token_ids" or "prompt" => "prompt",
        "messages" => "messages",
        _ when contractField.StartsWith("scheduling.", StringComparison.Ordinal) => contractField["scheduling.".Length..],
        _ when contractField.StartsWith("sampling.", StringComparison.Ordinal) => contractField["sampling.".Length..],
        _ => null,
    };

    private static void ReadBias(RequestFields fields, SamplingOptions options)
    {
        if (fields.Get("logit_bias") is not { } bias)
            return;
        if (bias.ValueKind != JsonValueKind.Object)
            throw fields.Wrong("logit_bias", bias, "an object of token ids and biases");
        foreach (var entry in bias.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                throw OpenAiException.Invalid("logit_bias", $"'logit_bias' has the key '{entry.Name}'; keys must be token ids.");
            if (entry.Value.ValueKind != JsonValueKind.Number || !float.IsFinite(entry.Value.GetSingle()))
                throw OpenAiException.Invalid("logit_bias", $"'logit_bias.{entry.Name}' must be a number between -100 and 100.");
            options.LogitBias[id] = entry.Value.GetSingle();
        }
    }
}
