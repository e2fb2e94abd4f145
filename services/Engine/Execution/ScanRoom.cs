using Slm.Engine.Models;

namespace Slm.Engine.Execution;

/// <summary>Rows of a step inside Mamba-2 layers; null for models without them.</summary>
internal sealed unsafe class ScanRoom : IDisposable
{
    private readonly NativeArena _arena = new();

    public ScanRoom(SsmConfig config, int maxTokens)
    {
        long tokens = maxTokens;
        var projected = _arena.Reserve<float>(tokens * config.ProjectionSize);
        var convolved = _arena.Reserve<float>(tokens * config.Channels);
        var output = _arena.Reserve<float>(tokens * config.InnerSize);
        var nothing = _arena.Reserve<float>(config.Channels);
        Projected = _arena.Get<float>(projected);
        Convolved = _arena.Get<float>(convolved);
        Output = _arena.Get<float>(output);
        Nothing = _arena.Get<float>(nothing);
        new Span<float>(Nothing, config.Channels).Clear();
    }

    /// <summary>[tokens, z | x | B | C | steps].</summary>
    public float* Projected { get; }

    /// <summary>[tokens, x | B | C] behind the convolution.</summary>
    public float* Convolved { get; }

    /// <summary>[tokens, inner].</summary>
    public float* Output { get; }

    /// <summary>What the convolution sees before a sequence begins: zeros [x | B | C].</summary>
    public float* Nothing { get; }

    public void Dispose() => _arena.Dispose();
}
