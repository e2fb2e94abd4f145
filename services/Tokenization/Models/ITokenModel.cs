using Slm.Tokenization.Text;

namespace Slm.Tokenization.Models;

/// <summary>Turns one piece of text into tokens.</summary>
internal interface ITokenModel
{
    void Tokenize(TextPiece piece, TokenSink sink);
}

/// <summary>Collects tokens with the original bytes they cover.</summary>
internal sealed class TokenSink
{
    public List<int> Ids { get; } = [];

    public List<int> Starts { get; } = [];

    public List<int> Ends { get; } = [];

    public void Add(int id, int start, int end)
    {
        Ids.Add(id);
        Starts.Add(start);
        Ends.Add(end);
    }

    public TokenEncoding ToEncoding() => new([.. Ids], [.. Starts], [.. Ends]);
}
