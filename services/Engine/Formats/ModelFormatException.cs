namespace Slm.Engine.Formats;

/// <summary>A model file is malformed, or asks for what is not supported. The message says where, what was found, and what was expected.</summary>
public sealed class ModelFormatException : Exception
{
    /// <summary>An error of a file's content.</summary>
    public ModelFormatException(string message)
        : base(message)
    {
    }

    /// <summary>An error with its cause.</summary>
    public ModelFormatException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
