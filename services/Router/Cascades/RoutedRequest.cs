using Grpc.Core;
using Slm.V1;

namespace Slm.Router.Cascades;

/// <summary>A request to be routed.</summary>
/// <param name="Id">Of its decision.</param>
/// <param name="Tenant">Whom it is for; may be empty.</param>
/// <param name="Request">What is asked.</param>
/// <param name="ShadowOf">The decision in whose shadow this runs.</param>
internal sealed record RoutedRequest(string Id, string Tenant, GenerateRequest Request, string? ShadowOf = null);

/// <summary>An answer and how it came about.</summary>
/// <param name="Decision">The decision.</param>
/// <param name="Run">The stage that answered.</param>
/// <param name="Runs">All stages that gave an answer, in order.</param>
/// <param name="Streamed">The answer's pieces have been given out already.</param>
internal sealed record RoutedResult(RouteDecision Decision, StageRun Run, IReadOnlyList<StageRun> Runs, bool Streamed);

/// <summary>A request could not be answered.</summary>
/// <param name="error">What the caller is told.</param>
/// <param name="decision">How far it came, with what it cost.</param>
internal sealed class RouteFailedException(RpcException error, RouteDecision decision) : Exception(error.Status.Detail, error)
{
    public RpcException Error { get; } = error;

    public RouteDecision Decision { get; } = decision;
}
