using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Slm.Engine.Fetching;

/// <summary>What a file's content is: its length and hashes, of all of it and of each chunk.</summary>
public sealed class FileManifest
{
    /// <summary>Bytes of a SHA-256.</summary>
    internal const int HashBytes = 32;

    private readonly byte[] _chunks;

    /// <summary>Describes a file.</summary>
    /// <param name="name">Its name, in a folder relative to that and with '/'.</param>
    /// <param name="length">Its bytes, at least 1.</param>
    /// <param name="chunkBytes">Bytes of every chunk but the last, which may be shorter.</param>
    /// <param name="sha256">SHA-256 of all of it, in lower-case hexadecimal.</param>
    /// <param name="chunks">SHA-256 of each chunk, one after the other.</param>
    internal FileManifest(string name, long length, int chunkBytes, string sha256, byte[] chunks)
    {
        Name = name;
        Length = length;
        ChunkBytes = chunkBytes;
        Sha256 = sha256;
        _chunks = chunks;
        Root = Convert.ToHexStringLower(HashRoot());
    }

    /// <summary>Name of the file, in a folder relative to that and with '/'. Not part of the content.</summary>
    public string Name { get; }

    /// <summary>Bytes of the file.</summary>
    public long Length { get; }

    /// <summary>Bytes of every chunk but the last, which may be shorter.</summary>
    public int ChunkBytes { get; }

    /// <summary>SHA-256 of all of the file, in lower-case hexadecimal: what publishers state and <c>system_fingerprint</c> is made of.</summary>
    public string Sha256 { get; }

    /// <summary>
    /// SHA-256 over chunk size, length, <see cref="Sha256"/> and the hashes of the chunks, in lower-case hexadecimal: it vouches for
    /// all of them, so that a part of a file can be checked alone.
    /// </summary>
    public string Root { get; }

    /// <summary>Number of chunks.</summary>
    public int ChunkCount => _chunks.Length / HashBytes;

    /// <summary>SHA-256 of a chunk.</summary>
    public ReadOnlySpan<byte> HashOf(int chunk) => _chunks.AsSpan(chunk * HashBytes, HashBytes);

    /// <summary>The same content under another name.</summary>
    internal FileManifest Named(string name) => new(name, Length, ChunkBytes, Sha256, _chunks);

    /// <summary>Chunks of a file of this length.</summary>
    internal static int ChunksOf(long length, int chunkBytes) => checked((int)((length + chunkBytes - 1) / chunkBytes));

    private byte[] HashRoot()
    {
        var head = new byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(head, ChunkBytes);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(8), Length);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("slm-file-1\n"u8);
        hash.AppendData(head);
        hash.AppendData(Convert.FromHexString(Sha256));
        hash.AppendData(_chunks);
        return hash.GetHashAndReset();
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {Root}";
}
