using System.Runtime.InteropServices;

namespace Slm.Contracts.Grains;

/// <summary>32-bit floats on their way between stages: the sender's own buffer within a silo, little-endian bytes between silos.</summary>
/// <param name="Values">The numbers.</param>
[Immutable]
public readonly record struct Activations(ReadOnlyMemory<float> Values);

/// <summary>What <see cref="Activations"/> is between silos.</summary>
[GenerateSerializer, Alias("slm.activation-bytes")]
public struct ActivationBytes
{
    /// <summary>Little-endian 32-bit floats.</summary>
    [Id(0)]
    public byte[]? Bytes { get; set; }
}

/// <summary>Translates between the two.</summary>
[RegisterConverter]
public sealed class ActivationsConverter : IConverter<Activations, ActivationBytes>
{
    /// <inheritdoc/>
    public Activations ConvertFromSurrogate(in ActivationBytes surrogate) =>
        new(MemoryMarshal.Cast<byte, float>(surrogate.Bytes).ToArray());

    /// <inheritdoc/>
    public ActivationBytes ConvertToSurrogate(in Activations value) =>
        new() { Bytes = MemoryMarshal.AsBytes(value.Values.Span).ToArray() };
}
