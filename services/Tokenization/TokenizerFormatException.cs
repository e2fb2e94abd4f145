namespace Slm.Tokenization;

/// <summary>A tokenizer description that cannot be used: names the key, the value, and what was expected.</summary>
public sealed class TokenizerFormatException : Exception
{
    public TokenizerFormatException(string message) : base(message) { }

    public TokenizerFormatException(string message, Exception inner) : base(message, inner) { }

    public TokenizerFormatException() { }
}
