using System.Text;
using Slm.Tokenization.Decoders;

namespace Slm.Tokenization;

/// <summary>
/// Token ids to text as they are generated. What is returned never ends inside a code point: its bytes are held
/// until it is complete, or proven invalid and then U+FFFD. The pieces joined equal decoding all ids at once.
/// Not thread-safe: one per generation.
/// </summary>
public sealed class StreamingTextDecoder
{
    private readonly ITokenizer _tokenizer;
    private readonly bool _skipSpecialTokens;
    private readonly StringBuilder _text = new();
    private readonly DecoderStep? _chain;
    private readonly Utf8Assembler _utf8 = new();

    /// <param name="skipSpecialTokens">Leaves control tokens out of the text.</param>
    /// <param name="continuesText">The ids go on from a prompt: the space of a SentencePiece word at the start is kept.</param>
    public StreamingTextDecoder(ITokenizer tokenizer, bool skipSpecialTokens = false, bool continuesText = false)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _skipSpecialTokens = skipSpecialTokens;
        _chain = (tokenizer as ModelTokenizer)?.CreateDecoder(_text, !continuesText);
    }

    /// <summary>The text that is certain after one more token; may be empty.</summary>
    public string Append(int id)
    {
        if (_skipSpecialTokens && _tokenizer.IsSpecial(id))
            return "";
        if (_chain is null)
            return _utf8.Append(_tokenizer.TokenBytes(id).Span);
        _chain.Push(_tokenizer.Piece(id));
        return Take();
    }

    /// <summary>What was held back; the decoder ends here.</summary>
    public string Flush()
    {
        if (_chain is null)
            return _utf8.Flush();
        _chain.Flush();
        return Take();
    }

    private string Take()
    {
        if (_text.Length == 0)
            return "";
        var text = _text.ToString();
        _text.Clear();
        return text;
    }
}
