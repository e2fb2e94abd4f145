using System.Text;

namespace Slm.Tokenization.Decoders;

/// <summary>
/// One stage of turning tokens back into text. Stages are stateful and take tokens one at a time: decoding a whole
/// sequence and decoding it as it is generated are the same code, so they cannot differ.
/// </summary>
internal abstract class DecoderStep
{
    /// <summary>The stage that receives what this one lets go.</summary>
    public DecoderStep? Next { get; set; }

    /// <summary>Takes one token (or one piece of text, behind a fuse).</summary>
    public abstract void Push(string piece);

    /// <summary>Lets go everything held back: no more tokens come.</summary>
    public virtual void Flush() => Next?.Flush();

    /// <summary>What the stage makes of a token in the middle of a text.</summary>
    public virtual string Middle(string piece) => piece;
}

/// <summary>Builds a fresh stage for one text; the argument says whether it starts the text (or continues one).</summary>
internal delegate DecoderStep DecoderFactory(bool isTextStart);

/// <summary>The end of a chain: collects text.</summary>
internal sealed class TextSinkStep(StringBuilder text) : DecoderStep
{
    public override void Push(string piece) => text.Append(piece);
}
