using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Slm.ServiceDefaults.Errors;

/// <summary>Ends failed gRPC calls with the status <see cref="ErrorMap"/> gives, and logs those that are our fault.</summary>
internal sealed partial class StatusInterceptor(IOptions<ErrorMap> errors, ILogger<StatusInterceptor> logger) : Interceptor
{
    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception error) when (error is not RpcException)
        {
            throw Translate(error, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception error) when (error is not RpcException)
        {
            throw Translate(error, context);
        }
    }

    private RpcException Translate(Exception error, ServerCallContext context)
    {
        if (context.CancellationToken.IsCancellationRequested)
        {
            return context.Deadline < DateTime.UtcNow
                ? ErrorMap.Make(Google.Rpc.Code.DeadlineExceeded, "The deadline of the call has passed.").ToRpcException()
                : ErrorMap.Make(Google.Rpc.Code.Cancelled, "The caller is gone.").ToRpcException();
        }
        var status = errors.Value.ToStatus(error);
        if (status.Code is (int)Google.Rpc.Code.Internal or (int)Google.Rpc.Code.Unknown)
            LogFailure(logger, error, context.Method);
        return status.ToRpcException();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} failed")]
    private static partial void LogFailure(ILogger logger, Exception error, string method);
}
