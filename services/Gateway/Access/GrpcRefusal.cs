using Google.Protobuf;
using Google.Rpc;
using Slm.Gateway.OpenAi;
using Slm.ServiceDefaults.Errors;
using HttpRequest = Microsoft.AspNetCore.Http.HttpRequest;

namespace Slm.Gateway.Access;

/// <summary>Answers a gRPC call that was not let in: HTTP 200 with the status in the headers (gRPC's "Trailers-Only").</summary>
internal static class GrpcRefusal
{
    /// <summary>True for a gRPC call.</summary>
    public static bool IsGrpc(HttpRequest request) => request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Writes the answer.</summary>
    public static void Write(HttpContext context, OpenAiException refusal)
    {
        var status = Status(refusal);
        var headers = context.Response.Headers;
        context.Response.ContentType = "application/grpc";
        headers["grpc-status"] = status.Code.ToString(System.Globalization.CultureInfo.InvariantCulture);
        headers["grpc-message"] = Uri.EscapeDataString(status.Message);
        headers["grpc-status-details-bin"] = Convert.ToBase64String(status.ToByteArray()).TrimEnd('=');
    }

    /// <summary>Name of the gRPC status that a refusal has.</summary>
    public static Code CodeOf(OpenAiException refusal) => refusal.Status switch
    {
        StatusCodes.Status400BadRequest => Code.InvalidArgument,
        StatusCodes.Status401Unauthorized => Code.Unauthenticated,
        StatusCodes.Status403Forbidden => Code.PermissionDenied,
        StatusCodes.Status413PayloadTooLarge or StatusCodes.Status429TooManyRequests => Code.ResourceExhausted,
        StatusCodes.Status503ServiceUnavailable => Code.Unavailable,
        _ => Code.Internal,
    };

    private static Status Status(OpenAiException refusal)
    {
        var info = ErrorMap.Info((refusal.Code ?? refusal.Type).ToUpperInvariant());
        return refusal.RetryAfter is { } wait
            ? ErrorMap.Make(CodeOf(refusal), refusal.Message, info, ErrorMap.Retry(wait))
            : ErrorMap.Make(CodeOf(refusal), refusal.Message, info);
    }
}
