using System.Globalization;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary>How an HTTP request shares the model with others: fields of the body, and what the connection says.</summary>
internal static class SchedulingFields
{
    /// <summary>Milliseconds after which the request ends with 504, waiting or running.</summary>
    public const string TimeoutHeader = "X-Request-Timeout-Ms";

    /// <summary>Reads <c>priority</c> (lower goes first), <c>cache_salt</c> and the user, by which tokens are shared evenly.</summary>
    public static SchedulingOptions Read(RequestFields fields)
    {
        var options = new SchedulingOptions();
        if (fields.Int("priority", int.MinValue, int.MaxValue) is { } priority)
            options.Priority = priority;
        if (fields.String("cache_salt") is { } salt)
            options.CacheSalt = salt;
        if ((fields.String("safety_identifier") ?? fields.String("user")) is { } user)
            options.Client = user;
        fields.Harmless("user");
        return options;
    }

    /// <summary>Adds the caller and its time limit.</summary>
    public static void Complete(SchedulingOptions options, HttpContext context)
    {
        if (context.Request.Headers[CallerHeader.Name].ToString() is { Length: > 0 } caller)
        {
            if (!CallerHeader.Allows(caller, options.Priority))
                throw OpenAiException.Invalid("priority", $"'priority' is {options.Priority}; below 0 it needs an API key with the scope 'priority'.", "insufficient_permissions");
            options.Client = CallerHeader.Client(caller, options.Client);
        }
        else
        {
            options.Client = ClientIdentity.Of(context.Request.Headers.Authorization, context.Connection.RemoteIpAddress?.ToString(), options.Client);
        }

        if (context.Request.Headers[TimeoutHeader].ToString() is not { Length: > 0 } text)
            return;
        options.TimeoutMs = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var timeout) && timeout > 0
            ? timeout
            : throw OpenAiException.Invalid(TimeoutHeader, $"The header {TimeoutHeader} is '{text}'; it must be a number of milliseconds above 0.");
    }
}
