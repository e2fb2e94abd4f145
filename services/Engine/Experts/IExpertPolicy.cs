namespace Slm.Engine.Experts;

/// <summary>
/// Says which experts are worth their memory. One instance belongs to one cache (or one simulation), which calls it from one
/// thread at a time and evicts the expert that is worth least.
/// </summary>
internal interface IExpertPolicy
{
    /// <summary>Name in reports.</summary>
    string Name { get; }

    /// <summary>A step has come to a layer. Called once per layer and step, before <see cref="Used"/>.</summary>
    /// <param name="layer">Index in the cache.</param>
    /// <param name="tokens">Tokens of the step.</param>
    void Enter(int layer, int tokens);

    /// <summary>Tokens of the step visit an expert of the layer entered last.</summary>
    /// <param name="layer">Index in the cache.</param>
    /// <param name="expert">Index in the layer.</param>
    /// <param name="visits">Tokens that visit it, at least 1.</param>
    void Used(int layer, int expert, int visits);

    /// <summary>What it is worth to keep an expert; only comparisons between experts at the same time mean something.</summary>
    double Worth(int layer, int expert);
}
