using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Slm.Engine.Formats;

namespace Slm.Engine.Fetching;

/// <summary>
/// What a model is, wherever a copy of it lies: the hashes of its file, or of the files of its folder. Two copies with one
/// <see cref="Root"/> give the same answers.
/// </summary>
public sealed class ModelManifest
{
    /// <summary>Bytes of a chunk.</summary>
    public const int DefaultChunkBytes = 4 << 20;

    private ModelManifest(IReadOnlyList<FileManifest> files, bool isFolder)
    {
        Files = files;
        IsFolder = isFolder;
        Root = isFolder ? HashRoot() : files[0].Root;
    }

    /// <summary>The file, or the files of the folder in the order of their names.</summary>
    public IReadOnlyList<FileManifest> Files { get; }

    /// <summary>True for a folder as Hugging Face has them.</summary>
    public bool IsFolder { get; }

    /// <summary>
    /// The model's identity, in lower-case hexadecimal: of a file its <see cref="FileManifest.Root"/>, of a folder the SHA-256 over the names
    /// and roots of its files. The name of a single file is not part of it.
    /// </summary>
    public string Root { get; }

    /// <summary>Bytes of all files.</summary>
    public long TotalBytes => Files.Sum(f => f.Length);

    /// <summary>The manifest of a single file.</summary>
    public static ModelManifest OfFile(FileManifest file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return new ModelManifest([file], isFolder: false);
    }

    /// <summary>The manifest of a folder.</summary>
    public static ModelManifest OfFolder(IEnumerable<FileManifest> files) => new([.. files.OrderBy(f => f.Name, StringComparer.Ordinal)], isFolder: true);

    /// <summary>Reads what <see cref="ToJson"/> wrote. It may come from anywhere: everything is checked, and the root is computed anew.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="origin">Where it comes from, for errors.</param>
    /// <exception cref="ModelFormatException">It is malformed, or its hashes do not give its root.</exception>
    public static ModelManifest Parse(ReadOnlyMemory<byte> json, string origin)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return ManifestReader.Read(document.RootElement, origin);
        }
        catch (JsonException error)
        {
            throw new ModelFormatException($"{origin}: the manifest is no JSON document: {error.Message}", error);
        }
    }

    /// <summary>The manifest as a JSON document in UTF-8.</summary>
    public byte[] ToJson()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
            Write(writer);
        return buffer.ToArray();
    }

    /// <summary>Writes the manifest as a JSON object.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        writer.WriteString("format", ManifestReader.Format);
        writer.WriteBoolean("folder", IsFolder);
        writer.WriteString("root", Root);
        writer.WriteNumber("chunk_bytes", Files[0].ChunkBytes);
        writer.WriteStartArray("files");
        foreach (var file in Files)
        {
            writer.WriteStartObject();
            writer.WriteString("name", file.Name);
            writer.WriteNumber("bytes", file.Length);
            writer.WriteString("sha256", file.Sha256);
            writer.WriteStartArray("chunks");
            for (var chunk = 0; chunk < file.ChunkCount; chunk++)
                writer.WriteStringValue(Convert.ToHexStringLower(file.HashOf(chunk)));
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <inheritdoc/>
    public override string ToString() => Root;

    private string HashRoot()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("slm-folder-1\n"u8);
        var length = new byte[4];
        foreach (var file in Files)
        {
            var name = Encoding.UTF8.GetBytes(file.Name);
            BinaryPrimitives.WriteInt32LittleEndian(length, name.Length);
            hash.AppendData(length);
            hash.AppendData(name);
            hash.AppendData(Convert.FromHexString(file.Root));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
