using System.Numerics;
using System.Text.Json;
using Slm.Engine.Formats;

namespace Slm.Engine.Fetching;

/// <summary>Reads a manifest's JSON, which is untrusted: nothing in it may become a path outside a folder, or memory beyond its own size.</summary>
internal static class ManifestReader
{
    public const string Format = "slm-manifest-1";

    /// <summary>Longest document; one of a file of 1 TiB has 20 MiB.</summary>
    public const int MaxBytes = 64 << 20;

    private const int MinChunkBytes = 1 << 12;
    private const int MaxChunkBytes = 1 << 26;
    private const int MaxFiles = 4096;
    private const int MaxNameLength = 255;
    private const long MaxFileBytes = 1L << 46;

    public static ModelManifest Read(JsonElement root, string origin)
    {
        if (root.ValueKind != JsonValueKind.Object || Field(root, "format") is not { ValueKind: JsonValueKind.String } format || !format.ValueEquals(Format))
            throw Error(origin, $"it has no \"format\": \"{Format}\". Write one with 'slm manifest FILE'.");
        if (Field(root, "chunk_bytes") is not { } size || !Number(size, out var chunkBytes) || chunkBytes is < MinChunkBytes or > MaxChunkBytes || !BitOperations.IsPow2(chunkBytes))
            throw Error(origin, $"chunk_bytes must be a power of two in {MinChunkBytes} to {MaxChunkBytes}.");
        var isFolder = Field(root, "folder") is { ValueKind: JsonValueKind.True };
        if (Field(root, "files") is not { ValueKind: JsonValueKind.Array } list || list.GetArrayLength() is 0 or > MaxFiles || (!isFolder && list.GetArrayLength() != 1))
            throw Error(origin, $"files must be a list of {(isFolder ? $"1 to {MaxFiles} files" : "one file")}.");
        var files = list.EnumerateArray().Select(file => ReadFile(file, (int)chunkBytes, origin)).ToList();
        if (files.Select(f => f.Name).Distinct(StringComparer.Ordinal).Count() != files.Count)
            throw Error(origin, "a file is named twice.");
        var manifest = isFolder ? ModelManifest.OfFolder(files) : ModelManifest.OfFile(files[0]);
        var stated = Field(root, "root") is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
        return stated == manifest.Root ? manifest : throw Error(origin, $"its root is '{stated}', but its hashes give {manifest.Root}.");
    }

    private static FileManifest ReadFile(JsonElement file, int chunkBytes, string origin)
    {
        if (file.ValueKind != JsonValueKind.Object || Field(file, "name") is not { ValueKind: JsonValueKind.String } nameField || nameField.GetString() is not { } name || !IsPlain(name))
            throw Error(origin, "a file has no name, or one that is not a plain relative path.");
        if (Field(file, "bytes") is not { } bytes || !Number(bytes, out var length) || length is < 1 or > MaxFileBytes)
            throw Error(origin, $"the bytes of '{name}' must be a number in 1 to {MaxFileBytes}.");
        var count = FileManifest.ChunksOf(length, chunkBytes);
        if (Field(file, "chunks") is not { ValueKind: JsonValueKind.Array } chunks || chunks.GetArrayLength() != count)
            throw Error(origin, $"'{name}' of {length} bytes must have {count} chunks of {chunkBytes} bytes.");
        var hashes = new byte[count * FileManifest.HashBytes];
        var at = 0;
        foreach (var chunk in chunks.EnumerateArray())
            Hash(chunk, origin, name).CopyTo(hashes, FileManifest.HashBytes * at++);
        if (Field(file, "sha256") is not { } whole)
            throw Error(origin, $"'{name}' has no sha256.");
        return new FileManifest(name, length, chunkBytes, Convert.ToHexStringLower(Hash(whole, origin, name)), hashes);
    }

    private static byte[] Hash(JsonElement value, string origin, string name)
    {
        if (value.ValueKind == JsonValueKind.String && value.GetString() is { Length: 2 * FileManifest.HashBytes } text && text.All(char.IsAsciiHexDigitLower))
            return Convert.FromHexString(text);
        throw Error(origin, $"a hash of '{name}' is not {2 * FileManifest.HashBytes} lower-case hexadecimal digits.");
    }

    /// <summary>Names below a folder, without a step out of it, in any file system.</summary>
    private static bool IsPlain(string name) => name.Length <= MaxNameLength && name.Split('/').All(part =>
        part.Length > 0 && part[0] != '.' && part.All(c => c is not ('\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|') && !char.IsControl(c)));

    private static bool Number(JsonElement value, out long number)
    {
        number = 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out number);
    }

    private static JsonElement? Field(JsonElement value, string name) => value.TryGetProperty(name, out var field) ? field : null;

    private static ModelFormatException Error(string origin, string what) => new($"{origin}: the manifest cannot be used: {what}");
}
