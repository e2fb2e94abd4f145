using Slm.Tokenization.Text;

namespace Slm.Tokenization.Normalizers;

/// <summary>Rewrites a stretch of text between added tokens, keeping track of the original bytes.</summary>
internal interface ITextNormalizer
{
    /// <returns>A new buffer, or the same one when nothing changes.</returns>
    TextBuffer Normalize(TextBuffer text);
}
