using Google.Protobuf;

namespace Slm.Contracts.Grains;

/// <summary>
/// A contract message on its way to or from a grain: the same object within a silo, protobuf between silos. Whoever sends
/// it does not change it any more.
/// </summary>
/// <param name="Message">The message.</param>
[Immutable]
public readonly record struct Payload<T>(T Message)
    where T : class, IMessage<T>, new();

/// <summary>What <see cref="Payload{T}"/> is between silos.</summary>
[GenerateSerializer, Alias("slm.payload")]
public struct PayloadBytes<T>
    where T : class, IMessage<T>, new()
{
    /// <summary>The message in protobuf's encoding.</summary>
    [Id(0)]
    public byte[]? Bytes { get; set; }
}

/// <summary>Translates between the two.</summary>
[RegisterConverter]
public sealed class PayloadConverter<T> : IConverter<Payload<T>, PayloadBytes<T>>
    where T : class, IMessage<T>, new()
{
    private static readonly MessageParser<T> Parser = new(() => new T());

    /// <inheritdoc/>
    public Payload<T> ConvertFromSurrogate(in PayloadBytes<T> surrogate) =>
        new(surrogate.Bytes is null ? null! : Parser.ParseFrom(surrogate.Bytes));

    /// <inheritdoc/>
    public PayloadBytes<T> ConvertToSurrogate(in Payload<T> value) => new() { Bytes = value.Message?.ToByteArray() };
}
