using System.Text;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Tokenization;

namespace Slm.Runtime;

/// <summary>Adds bytes and text to the engine's token ids.</summary>
internal static class TokenText
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    public static TokenLogProb Describe(this ITokenizer tokenizer, TokenResult token)
    {
        var bytes = tokenizer.TokenBytes(token.TokenId);
        var top = new TopTokenLogProb[token.Top.Count];
        for (var i = 0; i < top.Length; i++)
            top[i] = Describe(tokenizer, token.Top[i]);
        return new TokenLogProb(token.TokenId, bytes, Text(tokenizer, token.TokenId, bytes), token.LogProb, top, token.Forced);
    }

    public static TokenLogProb[] Describe(this ITokenizer tokenizer, IReadOnlyList<TokenResult> tokens)
    {
        var described = new TokenLogProb[tokens.Count];
        for (var i = 0; i < described.Length; i++)
            described[i] = tokenizer.Describe(tokens[i]);
        return described;
    }

    private static TopTokenLogProb Describe(ITokenizer tokenizer, TokenProbability token)
    {
        var bytes = tokenizer.TokenBytes(token.TokenId);
        return new TopTokenLogProb(token.TokenId, bytes, Text(tokenizer, token.TokenId, bytes), token.LogProb);
    }

    private static string Text(ITokenizer tokenizer, int id, ReadOnlyMemory<byte> bytes)
    {
        if (bytes.IsEmpty)
            return tokenizer.Piece(id);
        try
        {
            return Strict.GetString(bytes.Span);
        }
        catch (DecoderFallbackException)
        {
            var text = new StringBuilder("bytes:");
            foreach (var value in bytes.Span)
                text.Append("\\x").Append(Convert.ToHexStringLower([value]));
            return text.ToString();
        }
    }
}
