using Slm.Tokenization.Text;

namespace Slm.Tokenization.PreTokenizers;

/// <summary>Cuts a text into pieces that the model encodes one by one; may rewrite them.</summary>
internal interface IPreTokenizer
{
    /// <param name="pieces">What earlier steps made of one stretch of text between added tokens.</param>
    /// <param name="isTextStart">Whether the stretch begins the whole text.</param>
    List<TextPiece> Split(List<TextPiece> pieces, bool isTextStart);
}
