using Grpc.Core;
using Grpc.Core.Interceptors;
using Slm.V1;

namespace Slm.Gateway.Access;

/// <summary>Counts the tokens of the calls that the gateway makes for a request of the OpenAI API.</summary>
internal sealed class UsageInterceptor(IHttpContextAccessor contexts) : Interceptor
{
    // What is passed on as it came is counted where it leaves, by MessageTaps.
    private UsageMeter? Meter => contexts.HttpContext is { } context && !MessageTaps.Reads(context) ? context.Features.Get<UsageMeter>() : null;

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        var call = continuation(request, context);
        if (Meter is not { } meter || (request is RouteRequest route ? route.Request : request as GenerateRequest) is not { } generation)
            return call;
        // An answer that goes on elsewhere asks again with the same prompt.
        var stream = new MeteredStream(meter, meter.IsNew(generation) || generation.ResumeTokenIds.Count > 0, generation.ResumeTokenIds.Count);
        return new AsyncServerStreamingCall<TResponse>(
            new Reader<TResponse>(call.ResponseStream, stream), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        TRequest request, ClientInterceptorContext<TRequest, TResponse> context, AsyncUnaryCallContinuation<TRequest, TResponse> continuation)
    {
        var call = continuation(request, context);
        return Meter is not { } meter ? call
            : new AsyncUnaryCall<TResponse>(CountAsync(call.ResponseAsync, meter), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);
    }

    private static async Task<TResponse> CountAsync<TResponse>(Task<TResponse> answer, UsageMeter meter)
    {
        var response = await answer;
        if (UsageOf(response) is var (prompt, completion))
            meter.Add(prompt, completion);
        return response;
    }

    /// <summary>What a whole answer reports; null if it is none of a model's.</summary>
    internal static (long Prompt, long Completion)? UsageOf(object? response) => response switch
    {
        GenerateOnceResponse once => (once.Usage?.PromptTokens ?? 0, once.Usage?.CompletionTokens ?? 0),
        RoutedAnswer routed => UsageOf(routed.Answer),
        EmbedResponse embedded => (embedded.PromptTokens, 0),
        ScoreResponse scored => (scored.ContextTokens + scored.Tokens.Count, 0),
        _ => null,
    };

    private sealed class Reader<T>(IAsyncStreamReader<T> inner, MeteredStream stream) : IAsyncStreamReader<T>
    {
        public T Current => inner.Current;

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (!await inner.MoveNext(cancellationToken))
                return false;
            if ((Current is RoutedResponse routed ? routed.Piece : Current as GenerateResponse) is { } piece)
                stream.Take(piece);
            return true;
        }
    }
}
