using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Slm.Gateway.Access;

/// <summary>An API key as it is kept: without its secret.</summary>
/// <param name="Id">Second part of the key, not a secret.</param>
/// <param name="Name">For people.</param>
/// <param name="Hash">SHA-256 of the whole key. A key has 256 random bits, so that a slow hash would protect nothing more.</param>
/// <param name="Scopes">What it is for.</param>
/// <param name="Created">When it was made.</param>
internal sealed record ApiKey(string Id, string Name, byte[] Hash, IReadOnlyList<string> Scopes, DateTimeOffset Created)
{
    private const string Prefix = "slm_";
    private const int IdBytes = 9;
    private const int SecretBytes = 32;

    public int? RequestsPerMinute { get; init; }

    /// <summary>Tokens of prompts and answers.</summary>
    public long? TokensPerMinute { get; init; }

    public int? MaxConcurrent { get; init; }

    public DateTimeOffset? Expires { get; init; }

    public DateTimeOffset? Revoked { get; init; }

    /// <summary>A new key: <c>slm_ID_SECRET</c>, both in base64url, of 12 and 43 characters.</summary>
    public static (ApiKey Key, string Secret) Create(string name, IReadOnlyList<string> scopes, DateTimeOffset now)
    {
        // An id with an underscore could not be told from the secret.
        string id;
        do
            id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdBytes));
        while (id.Contains('_', StringComparison.Ordinal));
        var secret = $"{Prefix}{id}_{Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes))}";
        return (new ApiKey(id, name, HashOf(secret), scopes, now), secret);
    }

    /// <summary>SHA-256 of a key as it was sent.</summary>
    public static byte[] HashOf(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    /// <summary>The id in a key as it was sent; null if it cannot be one of ours.</summary>
    public static string? IdOf(string key)
    {
        if (!key.StartsWith(Prefix, StringComparison.Ordinal))
            return null;
        var end = key.IndexOf('_', Prefix.Length);
        return end < 0 ? null : key[Prefix.Length..end];
    }

    /// <summary>True if <paramref name="hash"/> is that of this key; takes the same time however much of it is right.</summary>
    public bool Matches(byte[] hash) => CryptographicOperations.FixedTimeEquals(hash, Hash);

    /// <summary>True if it may do what needs <paramref name="scope"/>.</summary>
    public bool Allows(string scope) => Scopes.Contains(scope, StringComparer.Ordinal) || Scopes.Contains(Scope.Admin, StringComparer.Ordinal);
}
