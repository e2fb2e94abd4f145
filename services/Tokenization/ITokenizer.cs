namespace Slm.Tokenization;

/// <summary>Text to token ids and back, exactly as the model's own tokenizer does it. Thread-safe.</summary>
public interface ITokenizer
{
    /// <summary>Number of ids: every id is in [0, VocabSize).</summary>
    int VocabSize { get; }

    /// <summary>Ids with a meaning of their own.</summary>
    SpecialTokens Special { get; }

    /// <summary>What services need beside ids: texts of special tokens and chat templates.</summary>
    TokenizerInfo Info => TokenizerInfo.Empty;

    /// <summary>Encodes text. Lone surrogates are read as U+FFFD.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="addSpecialTokens">Adds what the model puts around a prompt (BOS, EOS, [CLS] …).</param>
    /// <param name="parseSpecialTokens">Whether a special token written in the text ("&lt;|im_end|&gt;") becomes its id; otherwise it is ordinary text.</param>
    TokenEncoding Encode(string text, bool addSpecialTokens, bool parseSpecialTokens = false);

    /// <summary>Text of the ids. Bytes that are not UTF-8 become U+FFFD.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An id is outside the vocabulary.</exception>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false);

    /// <summary>Bytes one token contributes in the middle of a text (may be part of a code point).</summary>
    ReadOnlyMemory<byte> TokenBytes(int id);

    /// <summary>The token as the vocabulary spells it ("Ġthe", "▁the", "##ing").</summary>
    string Piece(int id);

    /// <summary>Whether the id is a control token that <c>skipSpecialTokens</c> leaves out.</summary>
    bool IsSpecial(int id);

    /// <summary>The id whose vocabulary spelling is <paramref name="piece"/>.</summary>
    int? TokenToId(string piece);
}
