using System.Globalization;
using System.Text;
using Slm.Engine.Scheduling;
using Slm.Runtime;

namespace Slm.Cli.Output;

/// <summary>A whole answer.</summary>
internal sealed record Answer(IReadOnlyList<int> TokenIds, string Text, FinishKind Finish, TextUsage Usage)
{
    public static async Task<Answer> CollectAsync(IAsyncEnumerable<TextChunk> chunks)
    {
        var text = new StringBuilder();
        var ids = new List<int>();
        TextChunk? last = null;
        await foreach (var chunk in chunks)
        {
            text.Append(chunk.Text);
            ids.AddRange(chunk.TokenIds);
            last = chunk;
        }
        return last is { Finish: { } finish, Usage: { } usage }
            ? new Answer(ids, text.ToString(), finish, usage)
            : throw new CliException("The answer broke off before its end. Try again.");
    }

    /// <summary>Prints the text as it comes; what it cost goes to standard error of a terminal.</summary>
    /// <returns>The text.</returns>
    public static async Task<string> PrintAsync(IAsyncEnumerable<TextChunk> chunks)
    {
        var text = new StringBuilder();
        TextUsage? usage = null;
        try
        {
            await foreach (var chunk in chunks)
            {
                Console.Out.Write(chunk.Text);
                Console.Out.Flush();
                text.Append(chunk.Text);
                usage = chunk.Usage ?? usage;
            }
        }
        finally
        {
            if (text.Length > 0 && text[^1] != '\n')
                Console.Out.WriteLine();
        }
        if (usage is not null && !Console.IsErrorRedirected)
        {
            var speed = usage.DecodeMs > 0 ? (usage.CompletionTokens - 1) * 1000 / usage.DecodeMs : 0;
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"[{usage.PromptTokens} + {usage.CompletionTokens} tokens, first after {usage.QueueMs + usage.PrefillMs:0} ms, then {speed:0.0} tokens/s, seed {usage.Seed}]"));
        }
        return text.ToString();
    }

    public void WriteJson() => JsonOutput.Write(json =>
    {
        json.WriteStartObject();
        json.WriteNumbers("token_ids", TokenIds);
        json.WriteString("text", Text);
        json.WriteString("finish_reason", Finish == FinishKind.Stop ? "stop" : "length");
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", Usage.PromptTokens);
        json.WriteNumber("completion_tokens", Usage.CompletionTokens);
        json.WriteNumber("total_tokens", Usage.PromptTokens + Usage.CompletionTokens);
        json.WriteNumber("cached_prompt_tokens", Usage.CachedPromptTokens);
        json.WriteNumber("drafted_tokens", Usage.DraftedTokens);
        json.WriteNumber("accepted_draft_tokens", Usage.AcceptedTokens);
        json.WriteNumber("seed", Usage.Seed);
        json.WriteNumber("queue_ms", Math.Round(Usage.QueueMs, 3));
        json.WriteNumber("prefill_ms", Math.Round(Usage.PrefillMs, 3));
        json.WriteNumber("decode_ms", Math.Round(Usage.DecodeMs, 3));
        json.WriteString("system_fingerprint", Usage.SystemFingerprint);
        json.WriteEndObject();
        json.WriteEndObject();
    });
}
