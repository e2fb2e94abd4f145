using Slm.Engine.Planning;

namespace Slm.Engine.Tests.Planning;

/// <summary>Models and machines with round numbers.</summary>
internal static class Shapes
{
    /// <summary>Layers of a million bytes and multiply-adds each, without keys, values or room for activations.</summary>
    public static LayerShape Layer(long bytes = 1_000_000, double multiplyAdds = 1_000_000) =>
        new() { StoredBytes = bytes, DenseBytes = bytes, DenseMultiplyAdds = multiplyAdds };

    public static LayerShape ExpertLayer(long dense, int experts, int used, long expertBytes) => new()
    {
        StoredBytes = dense + (experts * expertBytes),
        DenseBytes = dense,
        DenseMultiplyAdds = dense,
        ExpertCount = experts,
        ExpertsUsed = used,
        ExpertBytes = expertBytes,
        ExpertMultiplyAdds = expertBytes,
    };

    public static ModelShape Model(params LayerShape[] layers) => new()
    {
        Name = "m",
        Layers = layers,
        EmbeddingBytes = 0,
        EmbeddingRowBytes = 0,
        HeadBytes = 0,
        HeadStoredBytes = 0,
        HeadMultiplyAdds = 0,
        HiddenSize = 1000,
        VocabSize = 0,
        ContextLength = 4096,
        ScratchBytesPerToken = 0,
    };

    public static ModelShape Model(int layers) => Model([.. Enumerable.Repeat(Layer(), layers)]);

    /// <summary>A machine on a host of its own that reads a billion bytes a second and multiplies without end.</summary>
    public static MachineSpec Machine(string name, double gigabytes = 1, long free = long.MaxValue / 1024, double multiplyAdds = 1e18, string? host = null) => new()
    {
        Name = name,
        HostId = host ?? name,
        Threads = 1,
        FreeMemoryBytes = free,
        ReadBytesPerSecond = gigabytes * 1e9,
        MultiplyAddsPerSecond = multiplyAdds,
    };

    /// <summary>Machines whose links cost nothing unless a test says otherwise.</summary>
    public static Fleet Fleet(params MachineSpec[] machines) => new(machines)
    {
        DefaultLink = new LinkSpeed(0, double.PositiveInfinity),
        LocalLink = new LinkSpeed(0, double.PositiveInfinity),
        HopSeconds = 0,
    };

    public static PlanningTerms Terms { get; } = new() { ContextTokens = 1, MaxStepTokens = 1 };
}
