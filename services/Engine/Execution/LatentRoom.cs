using Slm.Engine.Models;

namespace Slm.Engine.Execution;

/// <summary>Rows of a step inside latent attention; null for models without it.</summary>
internal sealed unsafe class LatentRoom : IDisposable
{
    private readonly NativeArena _arena = new();

    public LatentRoom(LatentConfig config, int heads, int maxTokens)
    {
        long tokens = maxTokens;
        var query = _arena.Reserve<float>(tokens * config.QueryRank);
        var latent = _arena.Reserve<float>(tokens * (config.KeyValueRank + config.RotatedSize));
        var queries = _arena.Reserve<float>(tokens * heads * Math.Max(config.PlainSize + config.RotatedSize, config.ValueSize));
        var inputs = _arena.Reserve<float>(tokens * heads * Math.Max(config.PlainSize, config.KeyValueRank));
        var outputs = _arena.Reserve<float>(tokens * heads * Math.Max(config.ValueSize, config.KeyValueRank));
        Query = _arena.Get<float>(query);
        Latent = _arena.Get<float>(latent);
        Queries = _arena.Get<float>(queries);
        HeadInputs = _arena.Get<float>(inputs);
        HeadOutputs = _arena.Get<float>(outputs);
    }

    /// <summary>Latent queries [tokens, query rank].</summary>
    public float* Query { get; }

    /// <summary>[tokens, latent | rotated key part].</summary>
    public float* Latent { get; }

    /// <summary>[tokens, heads, plain | rotated], later the values [tokens, heads, value].</summary>
    public float* Queries { get; }

    /// <summary>Inputs of a product per head, [heads, tokens, …].</summary>
    public float* HeadInputs { get; }

    /// <summary>Its outputs, [heads, tokens, …].</summary>
    public float* HeadOutputs { get; }

    public void Dispose() => _arena.Dispose();
}
