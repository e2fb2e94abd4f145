using Dapr;
using Dapr.Client;
using Grpc.Core;

namespace Slm.Router.Models;

/// <summary>
/// The key of an endpoint: of the settings, or a secret of a Dapr secret store, which is read when it is first needed and again after a
/// while, or when the endpoint refuses it, so that it may be changed under a running platform.
/// </summary>
internal sealed class EndpointKey(EndpointOptions options, Lazy<DaprClient> dapr, TimeProvider time)
{
    private static readonly TimeSpan Lasts = TimeSpan.FromMinutes(5);

    private Task<string>? _read;
    private long _readAt;

    /// <summary>The key; null if the endpoint needs none.</summary>
    /// <exception cref="RpcException">UNAVAILABLE or FAILED_PRECONDITION: the secret cannot be read.</exception>
    public async ValueTask<string?> GetAsync(CancellationToken cancellationToken)
    {
        if (options.Secret is not { } secret)
            return options.Key;
        if (_read is not { } reading || reading.IsFaulted || reading.IsCanceled || time.GetElapsedTime(_readAt) > Lasts)
        {
            // Of several that read it at a time the last one counts; all read the same.
            _readAt = time.GetTimestamp();
            _read = reading = ReadAsync(secret);
        }

        return await reading.WaitAsync(cancellationToken);
    }

    /// <summary>The endpoint refused it: the next request reads it again.</summary>
    public void Forget() => _read = null;

    private async Task<string> ReadAsync(SecretName secret)
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10), time);
            var values = await dapr.Value.GetSecretAsync(secret.Store, secret.Name, cancellationToken: limit.Token);
            return values.TryGetValue(secret.Field, out var value) && value.Length > 0 ? value
                : throw Failure(StatusCode.FailedPrecondition, $"the secret '{secret.Name}' of the Dapr store '{secret.Store}' has no field '{secret.Field}'");
        }
        catch (Exception error) when (error is DaprException or OperationCanceledException)
        {
            throw Failure(StatusCode.Unavailable, $"the secret '{secret.Name}' of the Dapr store '{secret.Store}' cannot be read: {(error.InnerException as RpcException)?.Status.Detail ?? error.Message}");
        }
    }

    private RpcException Failure(StatusCode code, string what) => new(new Status(code, $"The endpoint '{options.Name}' has no key: {what}."));
}

/// <summary>Names a value of a secret store.</summary>
/// <param name="Store">The store, a component of Dapr.</param>
/// <param name="Name">The secret.</param>
/// <param name="Field">The value of it; stores with one value a secret call it as the secret.</param>
internal sealed record SecretName(string Store, string Name, string Field)
{
    /// <summary>Reads <c>STORE/SECRET</c> or <c>STORE/SECRET/FIELD</c>; null if it is neither.</summary>
    public static SecretName? Parse(string text) => text.Split('/') switch
    {
        [{ Length: > 0 } store, { Length: > 0 } name] => new(store, name, name),
        [{ Length: > 0 } store, { Length: > 0 } name, { Length: > 0 } field] => new(store, name, field),
        _ => null,
    };
}
