using System.Data.Common;
using System.Security.Cryptography;

namespace Slm.Gateway.Access;

/// <summary>
/// The keys as this gateway knows them: read again every few seconds, so that what another gateway makes or revokes counts here
/// soon, and at once after a change made here.
/// </summary>
internal sealed partial class KeyRing(KeyStore store, AccessOptions options, TimeProvider time, ILogger<KeyRing> logger) : IDisposable
{
    /// <summary>A revoked key works elsewhere for so long at most.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);

    /// <summary>For a key that is not known: it may be new. Guesses cannot make the database busier than this.</summary>
    private static readonly TimeSpan FreshForUnknown = TimeSpan.FromSeconds(1);

    /// <summary>What was read is used for so long when the database does not answer; then calls are refused.</summary>
    private static readonly TimeSpan Stale = TimeSpan.FromSeconds(60);

    private readonly SemaphoreSlim _reading = new(1);
    private readonly ApiKey? _admin = options.AdminKey is { } secret ? new ApiKey("configured", "Slm:Access:AdminKey", ApiKey.HashOf(secret), [Scope.Admin], DateTimeOffset.UnixEpoch) : null;
    private Snapshot? _snapshot;
    private int _changes;

    private sealed record Snapshot(IReadOnlyDictionary<string, ApiKey> Keys, long Read);

    /// <summary>True if calls need a key.</summary>
    /// <exception cref="AccessUnavailableException">The database does not answer.</exception>
    public async ValueTask<bool> IsRequiredAsync(CancellationToken cancellationToken) => options.Keys switch
    {
        KeyRule.Required => true,
        KeyRule.Off => false,
        _ => _admin is not null || (await KeysAsync(Fresh, cancellationToken)).Count > 0,
    };

    /// <summary>The key that was sent; null if there is none such, or it is expired or revoked.</summary>
    /// <exception cref="AccessUnavailableException">The database does not answer.</exception>
    public async ValueTask<ApiKey?> FindAsync(string sent, CancellationToken cancellationToken)
    {
        var hash = ApiKey.HashOf(sent);
        if (_admin is not null && CryptographicOperations.FixedTimeEquals(hash, _admin.Hash))
            return _admin;
        if (ApiKey.IdOf(sent) is not { } id)
            return null;
        var keys = await KeysAsync(Fresh, cancellationToken);
        if (!keys.ContainsKey(id))
            keys = await KeysAsync(FreshForUnknown, cancellationToken);
        return keys.TryGetValue(id, out var key) && key.Matches(hash) && key.Revoked is null && !(key.Expires <= time.GetUtcNow()) ? key : null;
    }

    /// <summary>Lets the next call read the keys again.</summary>
    public void Forget()
    {
        Interlocked.Increment(ref _changes);
        Volatile.Write(ref _snapshot, null);
    }

    public void Dispose() => _reading.Dispose();

    private async ValueTask<IReadOnlyDictionary<string, ApiKey>> KeysAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _snapshot) is { } known && time.GetElapsedTime(known.Read) < age)
            return known.Keys;
        await _reading.WaitAsync(cancellationToken);
        try
        {
            var before = Volatile.Read(ref _snapshot);
            if (before is not null && time.GetElapsedTime(before.Read) < age)
                return before.Keys;
            var (started, changes) = (time.GetTimestamp(), Volatile.Read(ref _changes));
            try
            {
                var keys = (await store.ListAsync(cancellationToken)).ToDictionary(k => k.Id, StringComparer.Ordinal);
                // What was read before a change is of use to this call only.
                if (changes == Volatile.Read(ref _changes))
                    Volatile.Write(ref _snapshot, new Snapshot(keys, started));
                return keys;
            }
            catch (DbException error)
            {
                LogUnread(logger, error);
                return before is not null && time.GetElapsedTime(before.Read) < Stale ? before.Keys : throw new AccessUnavailableException(error);
            }
        }
        finally
        {
            _reading.Release();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The API keys could not be read")]
    private static partial void LogUnread(ILogger logger, Exception error);
}

/// <summary>Whether a call may be made cannot be known now.</summary>
internal sealed class AccessUnavailableException(Exception cause) : Exception("The database of the API keys does not answer.", cause);
