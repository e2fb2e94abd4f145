namespace Slm.Tokenization.Templates;

/// <summary>The parser's view of the tokens.</summary>
internal sealed class TokenStream(List<TemplateToken> tokens)
{
    private int _index;

    public TemplateToken Current => tokens[_index];

    public TemplateToken Next => tokens[Math.Min(_index + 1, tokens.Count - 1)];

    public int Line => Current.Line;

    public TemplateToken Take()
    {
        var token = tokens[_index];
        if (_index < tokens.Count - 1) _index++;
        return token;
    }

    public bool SkipOperator(string text)
    {
        if (!Current.IsOperator(text)) return false;
        Take();
        return true;
    }

    public bool SkipName(string text)
    {
        if (!Current.IsName(text)) return false;
        Take();
        return true;
    }

    public void ExpectOperator(string text)
    {
        if (!SkipOperator(text)) throw Fail($"expected '{text}', got {Current.Describe()}");
    }

    public string ExpectName() =>
        Current.Kind == TokenKind.Name ? Take().Text : throw Fail($"expected a name, got {Current.Describe()}");

    public void Expect(TokenKind kind, string what)
    {
        if (Current.Kind != kind) throw Fail($"expected {what}, got {Current.Describe()}");
        Take();
    }

    public TemplateException Fail(string reason) => new(TemplateErrorKind.Syntax, reason, Line);
}
