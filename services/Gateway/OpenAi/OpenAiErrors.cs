using System.Text.Json;
using Grpc.Core;
using Slm.Gateway.OpenAi.Constraints;

namespace Slm.Gateway.OpenAi;

/// <summary>Turns every failure under the OpenAI API into the error document its clients read.</summary>
internal sealed partial class OpenAiErrors(RequestDelegate next, ILogger<OpenAiErrors> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        context.Response.Headers["x-request-id"] = context.TraceIdentifier;
        try
        {
            await next(context);
            if (!context.Response.HasStarted && context.Response.ContentType is null && context.Response.StatusCode is 404 or 405)
                await WriteAsync(context, NoRoute(context));
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client is gone: nobody reads an answer.
        }
        catch (Exception error) when (error is not OperationCanceledException || !context.RequestAborted.IsCancellationRequested)
        {
            await WriteAsync(context, Translate(context, error));
        }
    }

    private OpenAiException Translate(HttpContext context, Exception error)
    {
        switch (error)
        {
            case OpenAiException known:
                return known;
            case RpcException rpc:
                if (rpc.StatusCode is StatusCode.Internal or StatusCode.Unknown or StatusCode.DataLoss)
                    LogFailure(logger, rpc);
                return OpenAiException.From(rpc, field => ConstraintFields.HttpName(context, field));
            case JsonException json:
                return OpenAiException.Invalid("body", $"The request body is not valid JSON (line {json.LineNumber + 1}, byte {json.BytePositionInLine + 1}).", "invalid_json");
            case Access.ResponseTooLargeException large:
                return new OpenAiException(500, "server_error", large.Message, null, "response_too_large");
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                return new OpenAiException(413, "invalid_request_error", "The request is larger than the setting Slm:MaxRequestBytes allows.", null, "request_too_large");
            case BadHttpRequestException bad:
                return new OpenAiException(bad.StatusCode, "invalid_request_error", bad.Message, null, null);
            default:
                LogFailure(logger, error);
                return new OpenAiException(500, "server_error", "The request failed inside the server; its log has the details under this request id.", null, null);
        }
    }

    private static OpenAiException NoRoute(HttpContext context) => context.Response.StatusCode == 405
        ? new(405, "invalid_request_error", $"{context.Request.Method} is not allowed on {context.Request.Path}.", null, "method_not_allowed")
        : new(404, "invalid_request_error", $"There is nothing at {context.Request.Method} {context.Request.Path}.", null, "not_found");

    private static async Task WriteAsync(HttpContext context, OpenAiException error)
    {
        var body = new ErrorBody(new ErrorDetail(error.Message, error.Type, error.Param, error.Code));
        if (context.Response.HasStarted)
        {
            // Half a document must not be taken for a whole one.
            if (context.Response.ContentType?.StartsWith("text/event-stream", StringComparison.Ordinal) != true)
            {
                context.Abort();
                return;
            }

            // A stream is under way: an error event, and no [DONE].
            await new EventStream(context.Response).SendAsync(body, WireContext.Shared.ErrorBody, context.RequestAborted);
            return;
        }
        context.Response.StatusCode = error.Status;
        if (error.RetryAfter is { } wait)
        {
            context.Response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString(System.Globalization.CultureInfo.InvariantCulture);
            context.Response.Headers["retry-after-ms"] = ((long)wait.TotalMilliseconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        await context.Response.WriteAsJsonAsync(body, WireContext.Shared.ErrorBody, cancellationToken: context.RequestAborted);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A request of the OpenAI API failed")]
    private static partial void LogFailure(ILogger logger, Exception error);
}
