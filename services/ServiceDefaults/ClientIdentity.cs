using System.Security.Cryptography;
using System.Text;

namespace Slm.ServiceDefaults;

/// <summary>Whom a request counts for where a model's time is shared between clients. It proves nothing.</summary>
public static class ClientIdentity
{
    /// <summary>The API key (hashed: it is a secret), else the address, and the user that the caller names.</summary>
    /// <param name="authorization">The header or metadata entry <c>authorization</c>.</param>
    /// <param name="address">Address of the caller, without port.</param>
    /// <param name="user">The caller's own user; may be empty.</param>
    public static string Of(string? authorization, string? address, string user)
    {
        var caller = string.IsNullOrEmpty(authorization)
            ? address ?? ""
            : "key:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(authorization)))[..16];
        return string.IsNullOrEmpty(user) ? caller : $"{caller}/{user}";
    }
}
