using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace Slm.Engine.Fetching;

/// <summary>What a server says of a file.</summary>
/// <param name="Url">Its address.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Tag">Its strong entity tag; null if the server gives none.</param>
/// <param name="Modified">When it was last changed; null if the server does not say.</param>
/// <param name="HasRanges">The server sends parts of it.</param>
public sealed record HttpFile(Uri Url, long Length, EntityTagHeaderValue? Tag, DateTimeOffset? Modified, bool HasRanges)
{
    /// <summary>By which it is recognised later; null if another file of this length could not be told from it.</summary>
    public string? Identity => Tag is null && Modified is null ? null
        : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Url}\n{Length}\n{Tag}\n{Modified?.UtcTicks}"))));

    /// <summary>What makes a server send a part only of the same file.</summary>
    internal RangeConditionHeaderValue? Condition => Tag is not null ? new RangeConditionHeaderValue(Tag)
        : Modified is { } modified ? new RangeConditionHeaderValue(modified) : null;
}
