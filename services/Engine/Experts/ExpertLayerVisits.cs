namespace Slm.Engine.Experts;

/// <summary>How often the experts of a group have been visited in a layer.</summary>
/// <param name="Layer">Index in the model.</param>
/// <param name="Visits">Of each expert of the group, in its order, since it was loaded.</param>
public sealed record ExpertLayerVisits(int Layer, IReadOnlyList<long> Visits);
