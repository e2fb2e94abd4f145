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
    /// <param name="status">Code, message and details.</param>
    /// <param name="cause">The exception it was made from; stays in this process.</param>
    public StatusException(Google.Rpc.Status status, Exception? cause = null)
        : base(status?.Message, cause) => _status = status.ToByteArray();

    /// <summary>Code, message and details.</summary>
    public Google.Rpc.Status Status => Google.Rpc.Status.Parser.ParseFrom(_status);
}
