using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Grpc.Core;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary>Several answers generated side by side: the choices of one HTTP request.</summary>
internal static class Answers
{
    /// <summary>All answers, whole, in order. The first failure ends the others.</summary>
    public static async Task<GenerateOnceResponse[]> CollectAsync(PlatformClients clients, IReadOnlyList<GenerateRequest> requests, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var calls = requests.Select(request => RoutedModel.IsMeant(request) ? RoutedModel.OnceAsync(clients, request, stop.Token)
            : clients.Answers.GenerateOnceAsync(request, stop.Token)).ToArray();
        try
        {
            return await WhenAllOrFirstFailure(calls);
        }
        catch
        {
            await stop.CancelAsync();
            throw;
        }
    }

    /// <summary>The answers' pieces as they come, each with the index of its answer. Leaving the loop cancels all of them.</summary>
    public static async IAsyncEnumerable<(int Choice, GenerateResponse Piece)> StreamAsync(
        PlatformClients clients, IReadOnlyList<GenerateRequest> requests, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // Bounded: a client that reads slowly slows the generation, not the gateway's memory.
        var pieces = Channel.CreateBounded<(int, GenerateResponse)>(64);
        var pumps = requests.Select((request, choice) => PumpAsync(clients, request, choice, pieces.Writer, stop.Token)).ToArray();
        _ = CompleteAsync(pumps, pieces.Writer);
        try
        {
            await foreach (var piece in pieces.Reader.ReadAllAsync(cancellationToken))
                yield return piece;
        }
        finally
        {
            await stop.CancelAsync();
            foreach (var pump in pumps)
                await pump.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task PumpAsync(PlatformClients clients, GenerateRequest request, int choice, ChannelWriter<(int, GenerateResponse)> writer, CancellationToken cancellationToken)
    {
        var pieces = RoutedModel.IsMeant(request) ? RoutedModel.StreamAsync(clients, request, cancellationToken) : clients.Answers.GenerateAsync(request, cancellationToken);
        await foreach (var piece in pieces)
            await writer.WriteAsync((choice, piece), cancellationToken);
    }

    private static async Task CompleteAsync(Task[] pumps, ChannelWriter<(int, GenerateResponse)> writer)
    {
        Exception? failure = null;
        await foreach (var pump in Task.WhenEach(pumps))
        {
            if (pump.Exception?.InnerException is { } error)
            {
                failure = error;
                break;
            }
        }
        writer.TryComplete(failure);
    }

    private static async Task<T[]> WhenAllOrFirstFailure<T>(Task<T>[] tasks)
    {
        await foreach (var done in Task.WhenEach(tasks))
            if (!done.IsCompletedSuccessfully)
                await done;
        return [.. tasks.Select(t => t.Result)];
    }
}
