using Microsoft.AspNetCore.Http.Features;

namespace Slm.Gateway.Access;

/// <summary>Within its limits a call goes on: requests and tokens of its key, its fair share of the places, the size of its answer.</summary>
internal sealed class LimitsMiddleware(RequestDelegate next, KeyLimits limits, FairGate gate, AccessOptions options)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<Caller>() is not { } caller)
        {
            await next(context);
            return;
        }

        var meter = context.Features.GetRequiredFeature<UsageMeter>();
        using var place = Enter(caller, context.Response.Headers);
        var taps = new List<IResponseTap> { new ResponseLimit(options.MaxResponseBytes, GrpcRefusal.IsGrpc(context.Request)) };
        if (MessageTaps.Of(context, meter) is { } tap)
        {
            // Messages are read on their way.
            context.Request.Headers.Remove("grpc-accept-encoding");
            taps.Add(tap);
        }

        try
        {
            await ResponseTaps.RunAsync(context, taps, next);
        }
        finally
        {
            if (caller.Key is not null)
                limits.Charge(caller.Key, meter.Total);
        }
    }

    private IDisposable? Enter(Caller caller, IHeaderDictionary headers)
    {
        if (caller.Key is not { } key)
            return null;
        var place = caller.Rule.IsWork ? gate.Enter(caller.Name, key.MaxConcurrent) : null;
        try
        {
            limits.Admit(key, caller.Rule);
            return place;
        }
        catch
        {
            place?.Dispose();
            throw;
        }
        finally
        {
            limits.Describe(key, headers);
        }
    }
}
