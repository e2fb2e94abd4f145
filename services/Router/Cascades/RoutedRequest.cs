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
/// <param name="Streamed">The answer's pieces have been given out already.</param>
internal sealed record RoutedResult(RouteDecision Decision, StageRun Run, bool Streamed);
