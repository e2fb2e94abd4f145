using Slm.Tokenization.Patterns;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.Models;

/// <summary>A token that is found in the text before anything else looks at it.</summary>
/// <param name="Special">A control token: left out by skipSpecialTokens, and found only where the caller allows it.</param>
/// <param name="LeftStrip">Swallows white space before it.</param>
/// <param name="RightStrip">Swallows white space after it.</param>
/// <param name="SingleWord">Found only where no word character touches it.</param>
/// <param name="Normalized">Searched in the normalized text instead of the raw one.</param>
internal sealed record AddedToken(int Id, string Content, bool Special, bool LeftStrip = false, bool RightStrip = false, bool SingleWord = false, bool Normalized = false);

/// <summary>Part of a text: an added token, or text (Id -1).</summary>
internal readonly record struct TextSection(int From, int To, int Id);

/// <summary>Finds added tokens: at each position the longest, from left to right.</summary>
internal sealed class AddedTokenMatcher
{
    private readonly Node _root = new();

    private sealed class Node
    {
        public Dictionary<int, Node> Children { get; } = [];

        public AddedToken? Token { get; set; }
    }

    /// <param name="tokens">The tokens with the code points to look for.</param>
    public AddedTokenMatcher(IEnumerable<(AddedToken Token, int[] CodePoints)> tokens)
    {
        foreach (var (token, codePoints) in tokens)
        {
            if (codePoints.Length == 0)
                continue;
            var node = _root;
            foreach (var c in codePoints)
            {
                if (!node.Children.TryGetValue(c, out var child))
                    node.Children[c] = child = new Node();
                node = child;
            }

            node.Token = token;
        }
    }

    public bool IsEmpty => _root.Children.Count == 0;

    public List<TextSection> Split(ReadOnlySpan<int> text)
    {
        var sections = new List<TextSection>();
        var done = 0;
        for (var at = IsEmpty ? text.Length : 0; at < text.Length;)
        {
            var (token, end) = Longest(text, at);
            if (token is null)
            {
                at++;
                continue;
            }

            var (start, stop) = (at, end);
            at = end;
            if (token.SingleWord && ((start > 0 && CharClass.IsWord(text[start - 1])) || (stop < text.Length && CharClass.IsWord(text[stop]))))
                continue;
            if (token.LeftStrip)
            {
                while (start > done && CharClass.IsWhiteSpace(text[start - 1]))
                    start--;
            }

            if (token.RightStrip)
            {
                while (stop < text.Length && CharClass.IsWhiteSpace(text[stop]))
                    stop++;
            }

            if (start > done)
                sections.Add(new TextSection(done, start, -1));
            sections.Add(new TextSection(Math.Max(start, done), stop, token.Id));
            done = stop;
            at = Math.Max(at, stop);
        }

        if (done < text.Length)
            sections.Add(new TextSection(done, text.Length, -1));
        return sections;
    }

    private (AddedToken? Token, int End) Longest(ReadOnlySpan<int> text, int at)
    {
        var node = _root;
        AddedToken? found = null;
        var end = at;
        for (var i = at; i < text.Length && node.Children.TryGetValue(text[i], out node!); i++)
        {
            if (node.Token is not null)
                (found, end) = (node.Token, i + 1);
        }

        return (found, end);
    }
}
