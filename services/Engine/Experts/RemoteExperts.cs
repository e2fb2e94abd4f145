namespace Slm.Engine.Experts;

/// <summary>Where the experts of a stage are that it does not hold itself.</summary>
/// <param name="Channel">Leads to them; it belongs to whoever made it.</param>
/// <param name="Local">Those that the stage holds. Every expert is here or in exactly one group of the channel.</param>
public sealed record RemoteExperts(IExpertChannel Channel, ExpertSlice Local);
