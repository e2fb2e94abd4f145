using System.Runtime.CompilerServices;
using Grpc.Core;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Gateway;

/// <summary>
/// Calls that go on when the service that answers them is lost: they are made again, of the next address if there are several, and of
/// an answer only the rest is asked for.
/// </summary>
/// <param name="clients">The addresses, at least one.</param>
/// <param name="time">Clock of delays and deadlines.</param>
internal sealed class SteadyInference(IReadOnlyList<InferenceService.InferenceServiceClient> clients, TimeProvider time)
{
    /// <summary>Attempts in a row that may bring nothing, after the first.</summary>
    private const int MostRetries = 6;

    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);

    private int _next;

    /// <summary>The pieces of an answer, each once.</summary>
    /// <exception cref="RpcException">What the service answered, if it does not help to ask again, or no more within the request's time.</exception>
    public async IAsyncEnumerable<GenerateResponse> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var answer = new AnswerSoFar(request, time);
        for (var retries = 0; ; retries++)
        {
            var address = Volatile.Read(ref _next);
            using var call = clients[address % clients.Count].Generate(answer.Rest(), cancellationToken: cancellationToken);
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

            await NextAsync(address, retries, lost, answer.TimeLeft, cancellationToken);
        }
    }

    /// <summary>An answer as a whole.</summary>
    /// <inheritdoc cref="GenerateAsync"/>
    public Task<GenerateOnceResponse> GenerateOnceAsync(GenerateRequest request, CancellationToken cancellationToken) =>
        WholeAnswer.OfAsync(GenerateAsync(request, cancellationToken), cancellationToken);

    /// <summary>Scores a continuation.</summary>
    /// <inheritdoc cref="GenerateAsync"/>
    public Task<ScoreResponse> ScoreAsync(ScoreRequest request, CancellationToken cancellationToken) =>
        CallAsync(client => client.ScoreAsync(request, cancellationToken: cancellationToken), request.Scheduling, cancellationToken);

    /// <summary>Vectors of texts.</summary>
    /// <inheritdoc cref="GenerateAsync"/>
    public Task<EmbedResponse> EmbedAsync(EmbedRequest request, CancellationToken cancellationToken) =>
        CallAsync(client => client.EmbedAsync(request, cancellationToken: cancellationToken), request.Scheduling, cancellationToken);

    /// <summary>Checks a constraint.</summary>
    /// <inheritdoc cref="GenerateAsync"/>
    public Task<CheckConstraintResponse> CheckConstraintAsync(CheckConstraintRequest request, CancellationToken cancellationToken) =>
        CallAsync(client => client.CheckConstraintAsync(request, cancellationToken: cancellationToken), null, cancellationToken);

    /// <summary>A call that gives the same whenever it is made, and changes nothing.</summary>
    private async Task<T> CallAsync<T>(Func<InferenceService.InferenceServiceClient, AsyncUnaryCall<T>> call, SchedulingOptions? terms, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        for (var retries = 0; ; retries++)
        {
            var address = Volatile.Read(ref _next);
            try
            {
                return await call(clients[address % clients.Count]);
            }
            catch (RpcException error) when (IsLoss(error) && !cancellationToken.IsCancellationRequested)
            {
                TimeSpan? left = terms is { HasTimeoutMs: true } ? TimeSpan.FromMilliseconds(terms.TimeoutMs) - time.GetElapsedTime(begun) : null;
                await NextAsync(address, retries, error, left, cancellationToken);
            }
        }
    }

    /// <summary>Goes on to the next address after a delay, or fails with what was lost if that does not help any more.</summary>
    private async Task NextAsync(int address, int retries, RpcException lost, TimeSpan? timeLeft, CancellationToken cancellationToken)
    {
        // Others may have gone on to the next address already.
        Interlocked.CompareExchange(ref _next, (address + 1) % clients.Count, address);
        var delay = Delay(retries, lost);
        if (retries == MostRetries || timeLeft <= delay)
            throw lost;
        await Task.Delay(delay, time, cancellationToken);
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
