using System.Text;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary>From the contract's messages to OpenAI's documents.</summary>
internal static class WireMapping
{
    /// <summary>What JSON can carry of a token that has no probability at all.</summary>
    private const float LowestLogProb = -9999f;

    /// <summary>Why a chat answer ended.</summary>
    /// <param name="reason">Why the text did.</param>
    /// <param name="calls">Calls in it.</param>
    public static string Finish(FinishReason reason, int calls) => calls > 0 && reason == FinishReason.Stop ? "tool_calls" : Finish(reason);

    public static string Finish(FinishReason reason) => reason switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        _ => throw new InvalidOperationException($"The inference service ended an answer with the unknown reason {reason}."),
    };

    public static ChatLogProbs Chat(IEnumerable<TokenLogProb> tokens) => new(
        [.. tokens.Select(t => new ChatTokenLogProb(t.Token, Clamp(t.Logprob), Bytes(t.Bytes),
            [.. t.Top.Select(top => new ChatTopLogProb(top.Token, Clamp(top.Logprob), Bytes(top.Bytes)))]))], null);

    /// <summary>Log-probabilities of plain completions.</summary>
    /// <param name="tokens">The tokens in order.</param>
    /// <param name="offset">Code points of the choice's text before the first of them; moved behind the last.</param>
    public static TextLogProbs Text(IReadOnlyCollection<TokenLogProb> tokens, ref int offset)
    {
        var names = new List<string>(tokens.Count);
        var logprobs = new List<float?>(tokens.Count);
        var tops = new List<Dictionary<string, float>?>(tokens.Count);
        var offsets = new List<int>(tokens.Count);
        foreach (var token in tokens)
        {
            names.Add(Name(token.Token, token.Bytes));
            logprobs.Add(token.HasLogprob ? Clamp(token.Logprob) : null);
            tops.Add(token.HasLogprob ? Top(token) : null);
            offsets.Add(offset);
            // A code point counts where its first byte stands.
            foreach (var b in token.Bytes.Span)
                if ((b & 0xC0) != 0x80)
                    offset++;
        }
        return new TextLogProbs(names, logprobs, tops, offsets);
    }

    public static UsageBody Usage(IReadOnlyList<Usage> perChoice, int choicesPerPrompt)
    {
        // The choices of one prompt share it: it is counted once.
        var prompt = perChoice.Where((_, i) => i % choicesPerPrompt == 0).Sum(u => u.PromptTokens);
        var cached = perChoice.Where((_, i) => i % choicesPerPrompt == 0).Sum(u => u.CachedPromptTokens);
        var completion = perChoice.Sum(u => u.CompletionTokens);
        return new UsageBody(prompt, completion, prompt + completion, new PromptDetails(cached), new CompletionDetails(0, 0, 0));
    }

    private static Dictionary<string, float> Top(TokenLogProb token)
    {
        // Different tokens may print alike: the most probable one keeps the name.
        var map = new Dictionary<string, float>(token.Top.Count + 1, StringComparer.Ordinal);
        foreach (var top in token.Top)
            map.TryAdd(Name(top.Token, top.Bytes), Clamp(top.Logprob));
        map.TryAdd(Name(token.Token, token.Bytes), Clamp(token.Logprob));
        return map;
    }

    /// <summary>A token's text, or its bytes in OpenAI's notation where they are no text on their own.</summary>
    private static string Name(string token, Google.Protobuf.ByteString bytes)
    {
        if (!token.Contains('\uFFFD') || Encoding.UTF8.GetByteCount(token) == bytes.Length && Encoding.UTF8.GetBytes(token).AsSpan().SequenceEqual(bytes.Span))
            return token;
        var name = new StringBuilder("bytes:");
        foreach (var b in bytes.Span)
            name.Append("\\x").Append(b.ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
        return name.ToString();
    }

    private static float Clamp(float logprob) => Math.Max(logprob, LowestLogProb);

    private static int[] Bytes(Google.Protobuf.ByteString bytes)
    {
        var values = new int[bytes.Length];
        for (var i = 0; i < values.Length; i++)
            values[i] = bytes[i];
        return values;
    }
}
