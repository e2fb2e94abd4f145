using Slm.V1;

namespace Slm.Router.Policies;

/// <summary>A policy has faults; all of them are listed.</summary>
internal sealed class PolicyException(string name, IReadOnlyList<PolicyProblem> problems)
    : Exception($"The policy{(name.Length == 0 ? "" : $" '{name}'")} cannot be used: {string.Join(" ", problems.Select(Line))}")
{
    public IReadOnlyList<PolicyProblem> Problems { get; } = problems;

    /// <summary>One problem in words.</summary>
    public static string Line(PolicyProblem problem) => $"line {problem.Line}: {(problem.Field.Length == 0 ? "" : problem.Field + " ")}{problem.Message}";
}
