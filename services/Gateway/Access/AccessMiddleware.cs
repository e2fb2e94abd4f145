using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http.Features;
using Slm.Gateway.OpenAi;
using Slm.ServiceDefaults;

namespace Slm.Gateway.Access;

/// <summary>
/// The door: every call from outside, HTTP or gRPC, is known by its key, let in or refused, and noted in the audit log. What is marked
/// <see cref="IAllowAnonymous"/> (health, metrics, the page's files) is open to all, and calls that this process makes of itself pass.
/// </summary>
internal sealed class AccessMiddleware(
    RequestDelegate next, Doorkeeper doorkeeper, GracefulStop stop, AuditLog audit, AccessOptions options, PlatformOptions platform, InternalCalls own, TimeProvider time)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint() is not { } endpoint || endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null || own.IsOwn(context.Request.Headers))
        {
            await next(context);
            return;
        }

        // Only we say who calls.
        context.Request.Headers.Remove(CallerHeader.Name);
        var (came, started, meter) = (time.GetUtcNow(), time.GetTimestamp(), new UsageMeter());
        context.Features.Set(meter);
        Caller? caller = null;
        OpenAiException? refusal = null;
        var (asksForKeys, failed) = (false, true);
        try
        {
            asksForKeys = await doorkeeper.AsksForKeysAsync(context.RequestAborted);
            using var running = stop.Enter(context);
            LimitBody(context);
            caller = asksForKeys ? await doorkeeper.IdentifyAsync(context) : doorkeeper.AdmitWithoutKey(context);
            Doorkeeper.CheckScope(caller);
            context.Features.Set(caller);
            if (caller.Key is { } key)
                context.Request.Headers[CallerHeader.Name] = CallerHeader.Of(caller.Name, key.Allows(Scope.Priority));
            await next(context);
            failed = false;
        }
        catch (OpenAiException error)
        {
            refusal = error;
            if (!GrpcRefusal.IsGrpc(context.Request) || context.Response.HasStarted)
                throw;
            GrpcRefusal.Write(context, error);
        }
        finally
        {
            if (options.Audit ?? asksForKeys)
            {
                await audit.AddAsync(new AuditEntry(
                    came, context.TraceIdentifier, caller?.Key?.Id ?? "", Address(context), Action(context.Request), Outcome(context, refusal, failed),
                    meter.PromptTokens, meter.CompletionTokens, time.GetElapsedTime(started)));
            }
        }
    }

    /// <summary>Bodies of gRPC calls have a limit for each message of their own.</summary>
    private void LimitBody(HttpContext context)
    {
        if (GrpcRefusal.IsGrpc(context.Request))
            return;
        if (context.Request.ContentLength > platform.MaxRequestBytes)
        {
            throw new OpenAiException(
                StatusCodes.Status413PayloadTooLarge, "invalid_request_error",
                $"The request has {context.Request.ContentLength} bytes; the setting Slm:MaxRequestBytes allows {platform.MaxRequestBytes}.", null, "request_too_large");
        }

        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = platform.MaxRequestBytes;
    }

    private static string Address(HttpContext context) => context.Connection.RemoteIpAddress?.ToString() ?? "";

    private static string Action(HttpRequest request) => GrpcRefusal.IsGrpc(request) ? $"{request.Path}" : $"{request.Method} {request.Path}";

    private static string Outcome(HttpContext context, OpenAiException? refusal, bool failed)
    {
        if (GrpcRefusal.IsGrpc(context.Request))
        {
            if (refusal is not null)
                return GrpcCodes.NameOf((int)GrpcRefusal.CodeOf(refusal));
            var trailers = context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers;
            var status = trailers?["grpc-status"] is { Count: > 0 } trailer ? trailer : context.Response.Headers["grpc-status"];
            return int.TryParse(status, System.Globalization.CultureInfo.InvariantCulture, out var code) ? GrpcCodes.NameOf(code) : "ABORTED";
        }

        if (refusal is not null)
            return refusal.Status.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (context.RequestAborted.IsCancellationRequested)
            return "ABORTED";
        // What else failed is translated behind us.
        return failed ? "FAILED" : context.Response.StatusCode.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }
}
