using System.Net.Http.Headers;

namespace Slm.Cli.Backends;

/// <summary>Adds the API key of the environment variable SLM_API_KEY to each call; not an option, because other users see command lines.</summary>
internal sealed class KeyHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private static readonly string? Key = Environment.GetEnvironmentVariable("SLM_API_KEY");

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!string.IsNullOrEmpty(Key))
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return base.SendAsync(request, cancellationToken);
    }
}
