namespace Slm.Engine.Planning;

/// <summary>Chooses where a model goes.</summary>
public static class Planner
{
    /// <summary>The placement that the wish asks for, with what it leaves open chosen by the cost model.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="fleet">Machines and links.</param>
    /// <param name="wish">What is asked for.</param>
    /// <param name="terms">Memory and load.</param>
    /// <exception cref="PlacementException">There is no such placement; the message says why, and where memory is missing how much and where.</exception>
    public static PlacementPlan Plan(ModelShape shape, Fleet fleet, PlacementWish wish, PlanningTerms terms) =>
        throw new NotSupportedException("The planner is not written yet.");
}
