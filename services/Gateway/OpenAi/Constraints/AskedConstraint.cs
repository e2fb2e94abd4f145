using Slm.V1;

namespace Slm.Gateway.OpenAi.Constraints;

/// <summary>A language that a request asks its answer to belong to.</summary>
/// <param name="Constraint">The language.</param>
/// <param name="Field">The request field that asks, for errors.</param>
internal sealed record AskedConstraint(Constraint Constraint, string Field);
