namespace Slm.Engine.Planning;

/// <summary>A machine as the planner sees it: one silo, with what it has free and how fast it was measured.</summary>
public sealed record MachineSpec
{
    /// <summary>Name in plans and maps: the silo's.</summary>
    public required string Name { get; init; }

    /// <summary>The computer it runs on: silos with the same one share its processors and memory bandwidth.</summary>
    public required string HostId { get; init; }

    /// <summary>Threads that compute.</summary>
    public required int Threads { get; init; }

    /// <summary>Processors of its host: with one for every thread of all its silos, these do not wait for each other. Null: not known, so they do.</summary>
    public int? HostProcessors { get; init; }

    /// <summary>Memory that this silo may still take, in bytes.</summary>
    public required long FreeMemoryBytes { get; init; }

    /// <summary>Memory that all silos of the host may still take together, in bytes; null if each has its own.</summary>
    public long? HostFreeMemoryBytes { get; init; }

    /// <summary>Bytes per second that all threads read from memory, while no other silo of the host computes.</summary>
    public required double ReadBytesPerSecond { get; init; }

    /// <summary>Multiply-adds per second of all threads with the int8 kernels, weights in the cache, while no other silo of the host computes.</summary>
    public required double MultiplyAddsPerSecond { get; init; }

    /// <summary>
    /// Multiply-adds per second of all threads with weights that are floats, and in attention; null for an eighth of
    /// <see cref="MultiplyAddsPerSecond"/>, as processors with dot products of bytes have it.
    /// </summary>
    public double? FloatMultiplyAddsPerSecond { get; init; }

    /// <summary>Seconds from handing a step to the thread that computes until all threads work on it, and back to who waits for it.</summary>
    public double StepSeconds { get; init; }

    /// <summary>
    /// Seconds that a layer takes in every step beyond reading weights and multiplying: joining threads between its parts, norms, gaps in
    /// the stream from memory. Differs between models.
    /// </summary>
    public double LayerSeconds { get; init; }

    /// <summary>Seconds from the end of a step to the beginning of the next, where it coordinates: sampling, scheduling, sending. Differs between models.</summary>
    public double TurnSeconds { get; init; }

    /// <summary>What placements may ask for, such as zone = a.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary><see cref="FloatMultiplyAddsPerSecond"/>, or what is taken for it.</summary>
    public double FloatSpeed => FloatMultiplyAddsPerSecond ?? MultiplyAddsPerSecond / 8;
}
