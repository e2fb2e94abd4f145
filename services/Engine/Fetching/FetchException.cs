namespace Slm.Engine.Fetching;

/// <summary>A source does not give what it should. The message names source, file and place, what was found, and what was expected.</summary>
public sealed class FetchException : IOException
{
    /// <summary>An error of a source.</summary>
    public FetchException(string message)
        : base(message)
    {
    }

    /// <summary>An error with its cause.</summary>
    public FetchException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
