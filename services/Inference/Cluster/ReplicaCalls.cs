using System.Runtime.CompilerServices;
using Slm.Contracts.Grains;
using Slm.Inference.Engines;
using Slm.ServiceDefaults;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Inference.Cluster;

/// <summary>
/// Requests on their way to a replica of their model. Where the replica is lost or moved under a request, another one goes on with
/// it: a stream continues behind the tokens that have come, with no token lost, repeated or changed.
/// </summary>
internal sealed partial class ReplicaCalls(IGrainFactory grains, ModelGrains models, SiloDirectory silos, InferenceOptions options, TimeProvider time, ILogger<ReplicaCalls> logger)
{
    /// <summary>Losses that one request is taken through.</summary>
    private const int MostLosses = 8;

    /// <summary>Streams an answer.</summary>
    public async IAsyncEnumerable<GenerateResponse> GenerateAsync(GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefixes = PromptPrefixes.Of(request);
        var answer = new AnswerSoFar(request, time);
        var losses = 0;
        while (true)
        {
            var replica = "";
            var isLost = false;
            IAsyncEnumerator<Payload<GenerateResponse>>? stream = null;
            try
            {
                while (true)
                {
                    GenerateResponse piece;
                    try
                    {
                        if (stream is null)
                        {
                            replica = await RouteAsync(request.Model, prefixes, cancellationToken);
                            stream = grains.GetGrain<IReplicaGrain>(replica).GenerateAsync(new(answer.Rest()), cancellationToken).GetAsyncEnumerator(cancellationToken);
                        }

                        if (!await WhileAliveAsync(stream.MoveNextAsync().AsTask(), replica, cancellationToken))
                            yield break;
                        piece = stream.Current.Message;
                    }
                    catch (Exception error) when (IsLoss(error, stream is not null, cancellationToken) && losses < MostLosses)
                    {
                        isLost = true;
                        await LostAsync(request.Model, replica, error, losses++, cancellationToken);
                        break;
                    }

                    if (answer.Take(piece))
                        yield return piece;
                }
            }
            finally
            {
                // What is lost may not answer this either: the stream goes on elsewhere meanwhile.
                var disposed = stream is null ? Task.CompletedTask : DisposeAsync(stream);
                if (!isLost)
                    await disposed;
            }
        }
    }

    /// <summary>A call that is answered as a whole; it is made again where its replica is lost.</summary>
    public async Task<T> CallAsync<T>(string model, Func<IReplicaGrain, Task<T>> call, CancellationToken cancellationToken)
    {
        for (var losses = 0; ; losses++)
        {
            var replica = "";
            try
            {
                replica = await RouteAsync(model, [], cancellationToken);
                return await WhileAliveAsync(call(grains.GetGrain<IReplicaGrain>(replica)), replica, cancellationToken);
            }
            catch (Exception error) when (IsLoss(error, replica.Length > 0, cancellationToken) && losses < MostLosses)
            {
                await LostAsync(model, replica, error, losses, cancellationToken);
            }
        }
    }

    private Task<string> RouteAsync(string model, ulong[] prefixes, CancellationToken cancellationToken) =>
        models.CallAsync(model, grain => grain.RouteAsync(prefixes), cancellationToken);

    /// <summary>Waits for an answer, and asks a replica that is silent whether it lives.</summary>
    private async Task<T> WhileAliveAsync<T>(Task<T> answer, string replica, CancellationToken cancellationToken)
    {
        var silo = SiloKey.SiloOf(replica);
        if (silo == silos.Local)
            return await answer.WaitAsync(cancellationToken);
        while (true)
        {
            try
            {
                return await answer.WaitAsync(options.Pipeline.AskAfter, time, cancellationToken);
            }
            catch (TimeoutException) when (!answer.IsCompleted)
            {
                // A replica that does not even answer this ends the call.
                if (!await silos.AnswerAsync(grains.GetGrain<IReplicaGrain>(replica).PingAsync(), silo, cancellationToken))
                    throw Handover.Error(replica);
            }
        }
    }

    private async Task LostAsync(string model, string replica, Exception error, int losses, CancellationToken cancellationToken)
    {
        LogLost(logger, error, replica, model);
        if (losses > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(50 << Math.Min(losses, 5)), time, cancellationToken);
        if (replica.Length == 0 || StageErrors.Has(error, StageErrors.Moved))
            return;
        try
        {
            await models.CallAsync(model, async grain =>
            {
                await grain.LostAsync(replica);
                return true;
            }, cancellationToken);
        }
        catch (Exception failed) when (failed is not StatusException && !cancellationToken.IsCancellationRequested)
        {
            // The silo of the model's grain was lost as well: the next call finds another one.
            LogLost(logger, failed, replica, model);
        }
        catch (StatusException failed)
        {
            // What could not be placed anew may be placeable later.
            throw new StatusException(ErrorMap.Make(
                Google.Rpc.Code.Unavailable, $"The part of the cluster that computed the answer was lost and cannot be replaced now: {failed.Message}",
                ErrorMap.Retry(TimeSpan.FromSeconds(5)), ErrorMap.Info("CAPACITY_LOST")));
        }
    }

    /// <summary>
    /// True if the one that was called may be gone; an error that it has reported itself is the answer, unless it is that a
    /// replica cannot be found at present.
    /// </summary>
    private static bool IsLoss(Exception error, bool routed, CancellationToken cancellationToken) =>
        !cancellationToken.IsCancellationRequested
        && (error is not StatusException status || StageErrors.Has(error, StageErrors.Moved) || (!routed && status.Status.Code == (int)Google.Rpc.Code.Unavailable));

    private static async Task DisposeAsync(IAsyncEnumerator<Payload<GenerateResponse>> stream)
    {
        try
        {
            // A silo that is gone does not answer; the other end of a lost stream is cleaned up there.
            await stream.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(1));
        }
#pragma warning disable CA1031 // The stream is over in any case.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Replica {Replica} of {Model} was lost under a request")]
    private static partial void LogLost(ILogger logger, Exception error, string replica, string model);
}
