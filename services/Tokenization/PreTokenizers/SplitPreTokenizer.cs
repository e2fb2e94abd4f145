using Slm.Tokenization.Patterns;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.PreTokenizers;

/// <summary>Cuts at the matches of a pattern.</summary>
internal sealed class SplitPreTokenizer(CodePointRegex pattern, SplitBehavior behavior, bool invert) : IPreTokenizer
{
    public List<TextPiece> Split(List<TextPiece> pieces, bool isTextStart)
    {
        var output = new List<TextPiece>(pieces.Count);
        foreach (var piece in pieces)
            MatchSplitter.Split(piece, pattern.Matches(piece.CodePoints), behavior, invert, output);
        return output;
    }
}

/// <summary>Applies pre-tokenizers one after the other.</summary>
internal sealed class SequencePreTokenizer(IReadOnlyList<IPreTokenizer> steps) : IPreTokenizer
{
    public List<TextPiece> Split(List<TextPiece> pieces, bool isTextStart)
    {
        foreach (var step in steps)
            pieces = step.Split(pieces, isTextStart);
        return pieces;
    }
}
