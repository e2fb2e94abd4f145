using System.Runtime.CompilerServices;
using Grpc.Core;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Gateway;

/// <summary>
/// An answer that goes on when the service that makes it is lost: the rest is asked for again, of the next address if there
/// are several, with what has been received so far.
/// </summary>
/// <param name="clients">The addresses, at least one.</param>
/// <param name="time">Clock of delays and deadlines.</param>
internal sealed class SteadyGeneration(IReadOnlyList<InferenceService.InferenceServiceClient> clients, TimeProvider time)
{
    /// <summary>Attempts in a row that may bring nothing, after the first.</summary>
    private const int MostRetries = 6;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);

    private int _next;

    /// <summary>The pieces of the answer, each once.</summary>
    /// <exception cref="RpcException">What the service answered, if it does not help to ask again, or no more within the request's time.</exception>
    public async IAsyncEnumerable<GenerateResponse> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var answer = new AnswerSoFar(request, time);
        for (var retries = 0; ; retries++)
        {
            var first = Volatile.Read(ref _next);
            using var call = clients[first % clients.Count].Generate(answer.Rest(), cancellationToken: cancellationToken);
            RpcException? lost = null;
            while (true)
            {
                GenerateResponse piece;
                try
                {
                    if (!await call.ResponseStream.MoveNext(cancellationToken))
                    {
                        lost = new RpcException(new Status(StatusCode.Unavailable, "The stream of the answer ended before the answer did."));
                        break;
                    }

                    piece = call.ResponseStream.Current;
                }
                catch (RpcException error) when (IsLoss(error) && !cancellationToken.IsCancellationRequested)
                {
                    lost = error;
                    break;
                }

                if (!answer.Take(piece))
                    continue;
                retries = 0;
                yield return piece;
                if (piece.FinishReason != FinishReason.Unspecified)
                    yield break;
            }

            // Others may have gone on to the next address already.
            Interlocked.CompareExchange(ref _next, (first + 1) % clients.Count, first);
            var delay = Delay(retries, lost);
            if (retries == MostRetries || answer.TimeLeft <= delay)
                throw lost;
            await Task.Delay(delay, time, cancellationToken);
        }
    }

    /// <summary>The service or the way to it is gone, not the request wrong.</summary>
    private static bool IsLoss(RpcException error) =>
        error.StatusCode == StatusCode.Unavailable || (error.StatusCode is StatusCode.Internal or StatusCode.Unknown && error.Status.DebugException is IOException or HttpRequestException);

    /// <summary>Doubles with every attempt; not less than the service asks for.</summary>
    private static TimeSpan Delay(int retries, RpcException error)
    {
        var asked = error.GetRpcStatus()?.GetDetail<Google.Rpc.RetryInfo>()?.RetryDelay?.ToTimeSpan() ?? TimeSpan.Zero;
        var own = TimeSpan.FromTicks(Math.Min(LongestDelay.Ticks, FirstDelay.Ticks << retries));
        return asked > own ? asked : own;
    }
}
