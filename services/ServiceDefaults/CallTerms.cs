using Grpc.Core;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.ServiceDefaults;

/// <summary>What a gRPC call says of how its request is to share the model.</summary>
public static class CallTerms
{
    /// <summary>The request's own options, with the caller's identity where it names no client, and no more time than the call has.</summary>
    public static SchedulingOptions Of(SchedulingOptions? own, ServerCallContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var options = own?.Clone() ?? new SchedulingOptions();
        if (context.RequestHeaders.GetValue(CallerHeader.Name) is { } caller)
        {
            if (!CallerHeader.Allows(caller, options.Priority))
                throw new FieldException("scheduling.priority", $"scheduling.priority is {options.Priority}; below 0 it needs an API key with the scope 'priority'.");
            options.Client = CallerHeader.Client(caller, options.Client);
        }
        else if (!options.HasClient)
            options.Client = ClientIdentity.Of(context.RequestHeaders.GetValue("authorization"), Address(context.Peer), "");
        if (context.Deadline < DateTime.MaxValue)
        {
            var left = Math.Max(1, (long)(context.Deadline.ToUniversalTime() - DateTime.UtcNow).TotalMilliseconds);
            options.TimeoutMs = options.HasTimeoutMs ? Math.Min(options.TimeoutMs, left) : left;
        }

        return options;
    }

    /// <summary>A peer is "ipv4:address:port".</summary>
    private static string Address(string peer) => peer.LastIndexOf(':') is var colon && colon > 0 ? peer[..colon] : peer;
}
