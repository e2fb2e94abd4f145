using Grpc.Core;
using Slm.Router.Accounting;
using Slm.Router.Cascades;
using Slm.Router.Policies;
using Slm.Router.Records;
using Slm.Statistics;
using Slm.V1;

namespace Slm.Router;

/// <summary>Requests of clients: answered by their policy, measured, recorded, and run in the shadow of another policy where one says so.</summary>
internal sealed partial class RequestRouter(
    PolicyStore policies, Cascade cascade, Recorder recorder, RouterEnergy energy, IHostApplicationLifetime lifetime, ILogger<RequestRouter> logger) : IDisposable
{
    /// <summary>Shadows run one after the other: they must not slow what they are in the shadow of. More than so many waiting are left out.</summary>
    private const int MostWaitingShadows = 64;

    private readonly SemaphoreSlim _shadow = new(1);
    private int _shadows;

    public void Dispose() => _shadow.Dispose();

    /// <summary>Which stage a request would begin with.</summary>
    public RouteDecision Plan(RouteRequest request) => cascade.Plan(policies.Get(request.HasPolicy ? request.Policy : null), Of(request));

    /// <summary>Answers a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="live">Gets the pieces of an answer that can leave as it is written; null: the whole is enough.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="RpcException">It cannot be answered.</exception>
    public async Task<RoutedResult> AnswerAsync(RouteRequest request, Func<GenerateResponse, ValueTask>? live, CancellationToken cancellationToken)
    {
        var policy = policies.Get(request.HasPolicy ? request.Policy : null);
        var routed = Of(request);
        var result = await RunAsync(policy, routed, live, cancellationToken);
        if (policy.Shadow is { } shadow && Chosen(routed.Id, shadow.Share))
            _ = ShadowAsync(shadow.Policy, routed);
        return result;
    }

    private static RoutedRequest Of(RouteRequest request)
    {
        var own = request.Request.Clone();
        return new RoutedRequest(Guid.NewGuid().ToString("N"), request.HasTenant ? request.Tenant : own.Scheduling?.Client ?? "", own);
    }

    /// <summary>A share of the requests, by their ids.</summary>
    private static bool Chosen(string id, double share) => new SeededRandom(BitConverter.ToUInt64(Convert.FromHexString(id))).NextDouble() < share;

    private async Task<RoutedResult> RunAsync(RoutePolicy policy, RoutedRequest request, Func<GenerateResponse, ValueTask>? live, CancellationToken cancellationToken)
    {
        var share = energy.Meter?.Begin();
        RouteDecision? decision = null;
        try
        {
            var result = await cascade.RunAsync(policy, request, live, cancellationToken);
            decision = result.Decision;
            return result;
        }
        catch (RouteFailedException error)
        {
            decision = error.Decision;
            RouterMetrics.Failed(policy.Name);
            throw error.Error;
        }
        finally
        {
            var used = share is null ? null : energy.Meter!.End(share);
            if (decision is not null)
            {
                decision.Energy = used;
                RouterMetrics.Answered(decision);
                await recorder.RecordAsync(decision, CancellationToken.None);
            }
        }
    }

    private async Task ShadowAsync(string name, RoutedRequest request)
    {
        if (Interlocked.Increment(ref _shadows) > MostWaitingShadows)
        {
            Interlocked.Decrement(ref _shadows);
            return;
        }

        var stopping = lifetime.ApplicationStopping;
        try
        {
            await _shadow.WaitAsync(stopping);
            try
            {
                var shadow = request with { Id = Guid.NewGuid().ToString("N"), ShadowOf = request.Id };
                // It gives way to what clients wait for.
                shadow.Request.Scheduling ??= new SchedulingOptions();
                shadow.Request.Scheduling.Priority = 100;
                await RunAsync(policies.Get(name), shadow, null, stopping);
            }
            finally
            {
                _shadow.Release();
            }
        }
#pragma warning disable CA1031 // Nobody waits for a shadow.
        catch (Exception error) when (!stopping.IsCancellationRequested)
#pragma warning restore CA1031
        {
            LogShadow(logger, name, error.Message);
        }
        catch (OperationCanceledException)
        {
        }
        finally
        {
            Interlocked.Decrement(ref _shadows);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The shadow policy {Policy} gave no answer: {Problem}")]
    private static partial void LogShadow(ILogger logger, string policy, string problem);
}
