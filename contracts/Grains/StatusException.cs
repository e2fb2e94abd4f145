using Google.Protobuf;

namespace Slm.Contracts.Grains;

/// <summary>
/// An error in the form clients get it, which is how a failed grain call ends: domain exceptions are turned into it inside
/// the grain, so that nothing of a silo's own types has to travel.
/// </summary>
[GenerateSerializer, Alias("slm.status-exception")]
public sealed class StatusException : Exception
{
    [Id(0)]
    private readonly byte[] _status;

    /// <summary>Wraps a status.</summary>
    /// <param name="status">Code, message and details. There is no inner exception: silos could not read its type.</param>
    public StatusException(Google.Rpc.Status status)
        : base(status?.Message) => _status = status.ToByteArray();

    /// <summary>Code, message and details.</summary>
    public Google.Rpc.Status Status => Google.Rpc.Status.Parser.ParseFrom(_status);
}
