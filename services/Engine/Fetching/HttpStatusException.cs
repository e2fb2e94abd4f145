using System.Net;

namespace Slm.Engine.Fetching;

/// <summary>A server refuses.</summary>
internal sealed class HttpStatusException(string message, HttpStatusCode status, TimeSpan? retryAfter) : Exception(message)
{
    /// <summary>Its answer.</summary>
    public HttpStatusCode Status { get; } = status;

    /// <summary>The same request may succeed later.</summary>
    public bool MayPass => Status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)Status >= 500;

    /// <summary>When the server wants to be asked again.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}
