using Slm.Engine.Scheduling;
using Slm.Tokenization;

namespace Slm.Runtime;

/// <summary>What became certain: text, the tokens that show in it, and the stop string that ended the answer.</summary>
internal readonly record struct AnswerPart(string Text, IReadOnlyList<TokenResult> Tokens, string? StopMatch);

/// <summary>
/// Turns the tokens of an answer into text that may leave: whole code points, and nothing that may be the start of a stop
/// string. A token leaves as soon as its first character does; a token without text leaves with what surrounds it.
/// </summary>
internal sealed class AnswerText(ITokenizer tokenizer, IReadOnlyList<string> stops, bool skipSpecialTokens, bool includeStop)
{
    private readonly StreamingTextDecoder _decoder = new(tokenizer, skipSpecialTokens, continuesText: true);
    private readonly StopSequenceFilter _filter = new(stops);
    private readonly Queue<(TokenResult Token, long Start)> _held = [];
    private long _decoded;
    private long _released;

    /// <summary>Most bytes of UTF-8 that the text of the tokens so far may have and that did not leave; an unfinished character counts as U+FFFD.</summary>
    public int HeldBytes => _filter.HeldBytes + 3;

    /// <summary>Takes the next token.</summary>
    /// <param name="token">The token.</param>
    /// <param name="silent">It ends the answer and is to have no text.</param>
    public AnswerPart Append(TokenResult token, bool silent)
    {
        _held.Enqueue((token, _decoded));
        if (silent)
            return new AnswerPart("", [], null);
        var text = _decoder.Append(token.TokenId);
        var skipped = skipSpecialTokens && tokenizer.IsSpecial(token.TokenId);
        var partial = text.Length == 0 && !skipped && !tokenizer.TokenBytes(token.TokenId).IsEmpty;
        return Filter(text, partial);
    }

    /// <summary>Everything that was held back, after the last token.</summary>
    public AnswerPart End()
    {
        var last = Filter(_decoder.Flush(), partial: true);
        if (last.StopMatch is not null)
            return last;
        var rest = _filter.Flush();
        _released += rest.Length;
        return new AnswerPart(last.Text + rest, [.. last.Tokens, .. Release(all: true)], null);
    }

    private AnswerPart Filter(string decoded, bool partial)
    {
        _decoded += decoded.Length;
        var (text, match) = decoded.Length == 0 ? ("", null) : _filter.Append(decoded);
        if (match is not null && includeStop)
            text += match;
        _released += text.Length;
        return new AnswerPart(text, Release(all: match is null && !partial && _released == _decoded), match);
    }

    private List<TokenResult> Release(bool all)
    {
        var tokens = new List<TokenResult>();
        while (_held.TryPeek(out var next) && (all || next.Start < _released))
            tokens.Add(_held.Dequeue().Token);
        return tokens;
    }
}
