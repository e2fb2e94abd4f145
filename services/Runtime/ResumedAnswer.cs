using System.Text;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Runtime;

/// <summary>
/// An answer whose beginning the caller has: it goes through <see cref="AnswerText"/> like the rest, so that what is held
/// back is the same, and is then left out of what is given.
/// </summary>
internal sealed class ResumedAnswer
{
    private int _tokens;
    private int _bytes;

    /// <summary>Takes what the caller has.</summary>
    /// <param name="answer">As at the beginning.</param>
    /// <param name="request">With tokens to resume from.</param>
    /// <param name="isSilentEnd">Tokens that end the answer and are to have no text.</param>
    /// <exception cref="SamplingOptionException">The tokens do not have so much text.</exception>
    public ResumedAnswer(AnswerText answer, TextRequest request, Func<int, bool> isSilentEnd)
    {
        _tokens = request.ResumeTokens.Count;
        _bytes = request.ResumeTextBytes;
        var text = "";
        foreach (var token in request.ResumeTokens)
        {
            Taken++;
            var part = answer.Append(new TokenResult(token, null, []), isSilentEnd(token));
            var rest = Rest(part);
            text += rest.Text;
            StopMatch = part.StopMatch;
            if (StopMatch is not null)
                break;
        }

        // What is held back of these tokens' text may have been given already, since more tokens had followed.
        if (_bytes > answer.HeldBytes)
            throw new SamplingOptionException("resume_text_bytes", request.ResumeTextBytes, "at most the bytes of the text of resume_token_ids");
        Text = text;
    }

    /// <summary>Tokens of the beginning, up to the one that completes a stop string.</summary>
    public int Taken { get; }

    /// <summary>Text of the beginning that the caller does not have.</summary>
    public string Text { get; }

    /// <summary>The stop string that the beginning ends with.</summary>
    public string? StopMatch { get; }

    /// <summary>Of a part of the answer what the caller does not have.</summary>
    public AnswerPart Rest(AnswerPart part)
    {
        if (_tokens == 0 && _bytes == 0)
            return part;
        var tokens = Math.Min(_tokens, part.Tokens.Count);
        _tokens -= tokens;
        var chars = 0;
        foreach (var rune in part.Text.EnumerateRunes())
        {
            if (_bytes == 0)
                break;
            if (_bytes < rune.Utf8SequenceLength)
                throw new SamplingOptionException("resume_text_bytes", _bytes, "at the end of a character");
            _bytes -= rune.Utf8SequenceLength;
            chars += rune.Utf16SequenceLength;
        }

        return part with { Text = part.Text[chars..], Tokens = [.. part.Tokens.Skip(tokens)] };
    }
}
