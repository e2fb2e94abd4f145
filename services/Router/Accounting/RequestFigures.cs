using Slm.V1;

namespace Slm.Router.Accounting;

/// <summary>What accounting knows of a request.</summary>
/// <param name="Cost">Of all attempts.</param>
/// <param name="LatencyMs">From its arrival to its answer.</param>
/// <param name="Fallback">Another stage than the first answered.</param>
/// <param name="Success">It did its task; null: not known.</param>
/// <param name="Checks">Its form; null: the policy asks for none.</param>
/// <param name="Energy">What it used; null: not known.</param>
internal sealed record RequestFigures(double Cost, double LatencyMs, bool Fallback, bool? Success, AnswerChecks? Checks, Energy? Energy)
{
    public static RequestFigures Of(RouteDecision decision) =>
        new(decision.Cost, decision.LatencyMs, decision.Fallback, decision.HasSuccess ? decision.Success : null, decision.Checks, decision.Energy);
}
