using Slm.Engine.Fetching;

namespace Slm.Inference.Engines;

/// <summary>What a part of a model needs of its file.</summary>
/// <param name="Model">Name of the model.</param>
/// <param name="Root">Root hash of its manifest, where it is served from.</param>
/// <param name="Selection">Which weights.</param>
/// <param name="Silos">Parsable addresses of silos that have the file, the one it is served from first.</param>
internal sealed record ModelFileNeed(string Model, string Root, WeightSelection Selection, IReadOnlyList<string> Silos);
