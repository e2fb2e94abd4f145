using Slm.Engine.Blocks;
using Slm.Engine.Kernels;

namespace Slm.Engine.Architectures;

/// <summary>Turns hyper-parameters and tensors into an embedding, layers, and a head, each of which a stage may take alone.</summary>
internal interface IArchitecture
{
    /// <summary>Token embedding.</summary>
    Embedding Embedding(ModelWeights weights);

    /// <summary>Function on the gate of routed experts, where a layer has them: a group of experts is built without its layer.</summary>
    GateFunction ExpertGate => GateFunction.Silu;

    /// <summary>Rotary positions that the layers use.</summary>
    RotaryPositions Positions(ModelWeights weights);

    /// <summary>The blocks of one layer, in order.</summary>
    /// <param name="weights">Tensors.</param>
    /// <param name="layer">Index in the model.</param>
    /// <param name="cacheLayer">Index in the stage's cache.</param>
    IReadOnlyList<IBlock> Layer(ModelWeights weights, int layer, int cacheLayer);

    /// <summary>Final norm and projection.</summary>
    OutputHead Head(ModelWeights weights);
}
