using Slm.Engine.Execution;

namespace Slm.Engine.Blocks;

/// <summary>The experts of one layer, wherever they are.</summary>
internal interface IExperts
{
    /// <summary>Whether they read <see cref="ExpertBatch.Int8"/> beside <see cref="ExpertBatch.Inputs"/>.</summary>
    bool WantInt8 { get; }

    /// <summary>The router has chosen, but something else is computed before <see cref="Forward"/>: a chance to fetch them.</summary>
    void Announce(ExpertBatch batch)
    {
    }

    /// <summary>Fills <see cref="ExpertBatch.Outputs"/> of every visit. The output of a visit does not depend on the others.</summary>
    void Forward(StepContext context, ExpertBatch batch);
}
