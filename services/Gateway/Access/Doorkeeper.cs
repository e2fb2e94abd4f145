using System.Net;
using Slm.Gateway.OpenAi;

namespace Slm.Gateway.Access;

/// <summary>Decides whether a call is let in, by its key, or without keys by where it comes from.</summary>
internal sealed class Doorkeeper(KeyRing keys, AccessOptions options)
{
    private const string Scheme = "Bearer ";

    /// <summary>True if calls need a key.</summary>
    /// <exception cref="OpenAiException">503: that cannot be known now.</exception>
    public ValueTask<bool> AsksForKeysAsync(CancellationToken cancellationToken) => KnownAsync(keys.IsRequiredAsync(cancellationToken));

    /// <summary>Who calls, by the key that was sent.</summary>
    /// <exception cref="OpenAiException">401, or 503 where the key cannot be known now.</exception>
    public async ValueTask<Caller> IdentifyAsync(HttpContext context)
    {
        var rule = Scope.Of(context.Request);
        var sent = context.Request.Headers.Authorization.ToString();
        if (!sent.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) || sent.Length == Scheme.Length)
            throw Unknown(context, "This server asks for an API key: send the header 'Authorization: Bearer KEY', over gRPC as metadata. 'slm keys create' makes one.");
        var key = await KnownAsync(keys.FindAsync(sent[Scheme.Length..].Trim(), context.RequestAborted))
            ?? throw Unknown(context, "The API key is not known here, has expired, or was revoked.");
        return new Caller($"key:{key.Id}", key, rule);
    }

    /// <summary>Refuses what the caller's key is not for.</summary>
    /// <exception cref="OpenAiException">403.</exception>
    public static void CheckScope(Caller caller)
    {
        if (caller.Key is { } key && !key.Allows(caller.Rule.Scope))
        {
            throw new OpenAiException(
                StatusCodes.Status403Forbidden, "invalid_request_error",
                $"The API key '{key.Name}' is for {string.Join(", ", key.Scopes)}; this call needs the scope '{caller.Rule.Scope}'.", null, "insufficient_permissions");
        }
    }

    /// <summary>Who calls where no key is asked for: the machine is trusted, but not every web page that its browser shows.</summary>
    /// <exception cref="OpenAiException">403.</exception>
    public Caller AdmitWithoutKey(HttpContext context)
    {
        var rule = Scope.Of(context.Request);
        var (request, connection) = (context.Request, context.Connection);
        var isLocal = connection.RemoteIpAddress is null || IPAddress.IsLoopback(connection.RemoteIpAddress);
        if (rule.IsKeys && (!isLocal || request.Headers.ContainsKey("X-Forwarded-For") || request.Headers.ContainsKey("Forwarded")))
        {
            throw new OpenAiException(
                StatusCodes.Status403Forbidden, "invalid_request_error",
                "Before there is an API key, keys are made on the server's own machine, or with the key of its setting Slm:Access:AdminKey.", null, "insufficient_permissions");
        }

        // A page of a name that its owner lets point at this machine (DNS rebinding).
        if (connection.LocalIpAddress is { } local && IPAddress.IsLoopback(local) && !IsLocalName(request.Host.Host))
        {
            throw new OpenAiException(
                StatusCodes.Status403Forbidden, "invalid_request_error",
                $"The host '{request.Host.Host}' is not this machine. Let the setting Slm:Access:Hosts name it, or use API keys.", null, "host_not_allowed");
        }

        // A page of another site, which could not read the answer but had it computed.
        if (request.Headers.Origin is { Count: > 0 } origin && !IsAllowed(origin.ToString(), request.Host))
        {
            throw new OpenAiException(
                StatusCodes.Status403Forbidden, "invalid_request_error",
                $"Web pages of '{origin}' may not call this server. Let the setting Slm:Access:CorsOrigins name it.", null, "origin_not_allowed");
        }

        return new Caller(connection.RemoteIpAddress?.ToString() ?? "local", null, rule);
    }

    private static async ValueTask<T> KnownAsync<T>(ValueTask<T> answer)
    {
        try
        {
            return await answer;
        }
        catch (AccessUnavailableException error)
        {
            throw new OpenAiException(StatusCodes.Status503ServiceUnavailable, "server_error", error.Message, null, "unavailable", TimeSpan.FromSeconds(2));
        }
    }

    private bool IsLocalName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host.Trim('[', ']'), out _)
        || options.Hosts.Contains(host, StringComparer.OrdinalIgnoreCase);

    private bool IsAllowed(string origin, HostString host) =>
        options.CorsOrigins.Contains("*") || options.CorsOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase)
        || (Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Authority.Equals(host.Value, StringComparison.OrdinalIgnoreCase));

    private static OpenAiException Unknown(HttpContext context, string message)
    {
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return new OpenAiException(StatusCodes.Status401Unauthorized, "invalid_request_error", message, null, "invalid_api_key");
    }
}
