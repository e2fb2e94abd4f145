using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Slm.Contracts.Grains;

namespace Slm.ServiceDefaults.Errors;

/// <summary>
/// The one place where exceptions become <c>google.rpc.Status</c>. Services add their own kinds with <see cref="Add{T}"/>
/// (through <c>services.Configure&lt;ErrorMap&gt;</c>); the kind nearest to the thrown one wins.
/// </summary>
public sealed class ErrorMap
{
    /// <summary>Domain of <see cref="ErrorInfo"/>.</summary>
    public const string Domain = "slm";

    private readonly Dictionary<System.Type, Func<Exception, Status>> _kinds = [];

    /// <summary>The kinds all services know.</summary>
    public ErrorMap()
    {
        Add<StatusException>(e => e.Status);
        Add<Grpc.Core.RpcException>(FromRpc);
        Add<FieldException>(e => Make(Code.InvalidArgument, e.Message, Field(e.Field, e.Message), Info("INVALID_FIELD")));
        Add<OptionException>(e => Make(Code.FailedPrecondition, e.Message, Info("INVALID_SETTING", ("setting", e.Setting))));
        Add<OperationCanceledException>(_ => Make(Code.Cancelled, "The call was cancelled."));
        Add<TimeoutException>(_ => Make(Code.DeadlineExceeded, "A part of the platform did not answer in time."));
    }

    /// <summary>Adds or replaces a kind.</summary>
    public void Add<T>(Func<T, Status> map)
        where T : Exception => _kinds[typeof(T)] = e => map((T)e);

    /// <summary>The status of an exception; INTERNAL without inner details for a kind nobody added.</summary>
    public Status ToStatus(Exception error)
    {
        ArgumentNullException.ThrowIfNull(error);
        for (var type = error.GetType(); type is not null; type = type.BaseType)
            if (_kinds.TryGetValue(type, out var map))
                return map(error);
        return Make(Code.Internal, "The request failed inside the server; its log has the details.");
    }

    /// <summary>True if <see cref="ToStatus"/> says more than INTERNAL.</summary>
    public bool Knows(Exception error) => ToStatus(error).Code != (int)Code.Internal;

    /// <summary>A status with details.</summary>
    public static Status Make(Code code, string message, params IMessage[] details)
    {
        ArgumentNullException.ThrowIfNull(details);
        var status = new Status { Code = (int)code, Message = message };
        foreach (var detail in details)
            status.Details.Add(Any.Pack(detail));
        return status;
    }

    /// <summary>Names the request field at fault.</summary>
    public static BadRequest Field(string field, string description) =>
        new() { FieldViolations = { new BadRequest.Types.FieldViolation { Field = field, Description = description } } };

    /// <summary>A machine-readable reason with figures.</summary>
    public static ErrorInfo Info(string reason, params (string Key, string Value)[] figures)
    {
        ArgumentNullException.ThrowIfNull(figures);
        var info = new ErrorInfo { Reason = reason, Domain = Domain };
        foreach (var (key, value) in figures)
            info.Metadata[key] = value;
        return info;
    }

    /// <summary>When to try again.</summary>
    public static RetryInfo Retry(TimeSpan delay) => new() { RetryDelay = Duration.FromTimeSpan(delay) };

    private static Status FromRpc(Grpc.Core.RpcException error) =>
        Grpc.Core.RpcExceptionExtensions.GetRpcStatus(error) ?? Make((Code)error.StatusCode, error.Status.Detail);
}

/// <summary>A field of a request is missing or wrong.</summary>
/// <param name="field">Path of the field in the request message, such as <c>sampling.top_p</c>.</param>
/// <param name="message">What is wrong and what is allowed.</param>
public sealed class FieldException(string field, string message) : Exception(message)
{
    /// <summary>Path of the field in the request message.</summary>
    public string Field { get; } = field;
}
