namespace Slm.Engine.Adapters;

/// <summary>An adapter is malformed, asks for what is not supported, or does not fit the model. The message names the tensor or field, what was found, and what helps.</summary>
public sealed class AdapterFormatException : Exception
{
    /// <summary>An error of an adapter's content.</summary>
    /// <param name="adapter">Its name.</param>
    /// <param name="subject">The tensor or field.</param>
    /// <param name="what">The rest of the message.</param>
    public AdapterFormatException(string adapter, string subject, string what)
        : base($"Adapter '{adapter}': {what}")
    {
        Adapter = adapter;
        Subject = subject;
    }

    /// <summary>An error with its cause.</summary>
    public AdapterFormatException(string adapter, string subject, string what, Exception inner)
        : base($"Adapter '{adapter}': {what}", inner)
    {
        Adapter = adapter;
        Subject = subject;
    }

    /// <summary>Name of the adapter.</summary>
    public string Adapter { get; }

    /// <summary>The tensor or field that is wrong.</summary>
    public string Subject { get; }
}
