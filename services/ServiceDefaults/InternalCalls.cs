using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Slm.ServiceDefaults;

/// <summary>
/// Calls that a process makes of its own gRPC services: they carry a secret that only this process knows, and need no API key, because
/// the request that led to them had one. A client to the own address adds <see cref="Attach"/>'s handler.
/// </summary>
public sealed class InternalCalls
{
    private const string Header = "x-slm-internal";

    private readonly string _secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>True if the call is one of this process.</summary>
    public bool IsOwn(IHeaderDictionary headers)
    {
        ArgumentNullException.ThrowIfNull(headers);
        return headers.TryGetValue(Header, out var sent) && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(sent.ToString()), Encoding.ASCII.GetBytes(_secret));
    }

    /// <summary>A handler that marks calls as this process's own; only for clients of its own address.</summary>
    public HttpMessageHandler Attach(HttpMessageHandler inner) => new Marker(_secret, inner);

    private sealed class Marker(string secret, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.TryAddWithoutValidation(Header, secret);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
