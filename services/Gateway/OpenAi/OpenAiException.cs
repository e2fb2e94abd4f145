using Grpc.Core;

namespace Slm.Gateway.OpenAi;

/// <summary>An error in the shape OpenAI clients read: HTTP status, type, parameter and code.</summary>
internal sealed class OpenAiException(int status, string type, string message, string? param, string? code, TimeSpan? retryAfter = null)
    : Exception(message)
{
    /// <summary>HTTP status.</summary>
    public int Status { get; } = status;

    /// <summary>OpenAI's error type, such as <c>invalid_request_error</c>.</summary>
    public string Type { get; } = type;

    /// <summary>The request field at fault.</summary>
    public string? Param { get; } = param;

    /// <summary>OpenAI's error code, such as <c>model_not_found</c>.</summary>
    public string? Code { get; } = code;

    /// <summary>When to try again.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>A request whose field <paramref name="param"/> is wrong.</summary>
    public static OpenAiException Invalid(string param, string message, string? code = null) =>
        new(StatusCodes.Status400BadRequest, "invalid_request_error", message, param, code);

    /// <summary>A field that changes the answer and that this server does not honour.</summary>
    public static OpenAiException Unsupported(string param, string remedy) =>
        new(StatusCodes.Status400BadRequest, "invalid_request_error",
            $"'{param}' is not supported by this server. {remedy}", param, "unsupported_parameter");

    /// <summary>The HTTP view of a gRPC error, with the details of google.rpc.Status.</summary>
    /// <param name="error">What a service answered.</param>
    /// <param name="fieldNames">Maps the field paths of the contract to those of the HTTP request.</param>
    public static OpenAiException From(RpcException error, Func<string, string?>? fieldNames = null)
    {
        var status = error.GetRpcStatus();
        var violation = status?.GetDetail<Google.Rpc.BadRequest>()?.FieldViolations.FirstOrDefault();
        var info = status?.GetDetail<Google.Rpc.ErrorInfo>();
        var retry = status?.GetDetail<Google.Rpc.RetryInfo>()?.RetryDelay?.ToTimeSpan();
        var message = error.Status.Detail;
        var param = violation is null ? null : fieldNames?.Invoke(violation.Field) ?? violation.Field;
        return error.StatusCode switch
        {
            StatusCode.InvalidArgument or StatusCode.OutOfRange => new(400, "invalid_request_error", message, param, ReasonOf(info)),
            StatusCode.FailedPrecondition => new(400, "invalid_request_error", message, param, ReasonOf(info)),
            StatusCode.NotFound => new(404, "invalid_request_error", message, "model", "model_not_found"),
            StatusCode.Unauthenticated => new(401, "invalid_request_error", message, null, "invalid_api_key"),
            StatusCode.PermissionDenied => new(403, "invalid_request_error", message, null, "permission_denied"),
            // Not a matter of load: it would be too large again.
            StatusCode.ResourceExhausted when info?.Reason == "CONSTRAINT_TOO_LARGE" => new(400, "invalid_request_error", message, param, ReasonOf(info)),
            StatusCode.ResourceExhausted => new(429, "rate_limit_error", message, null, "rate_limit_exceeded", retry ?? TimeSpan.FromSeconds(1)),
            StatusCode.Unimplemented => new(501, "invalid_request_error", message, param, "unsupported"),
            StatusCode.Unavailable => new(503, "server_error", message, null, "unavailable", retry ?? TimeSpan.FromSeconds(1)),
            StatusCode.DeadlineExceeded => new(504, "server_error", message, null, "timeout"),
            _ => new(500, "server_error", message.Length == 0 ? "The request failed inside the server." : message, null, null),
        };
    }

    private static string? ReasonOf(Google.Rpc.ErrorInfo? info) =>
        info?.Reason is { Length: > 0 } reason ? reason.ToLowerInvariant() : null;
}
