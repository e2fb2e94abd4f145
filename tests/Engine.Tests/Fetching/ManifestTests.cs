using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Slm.Engine.Fetching;
using Slm.Engine.Formats;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.HuggingFace;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Fetching;

public sealed class ManifestTests
{
    private const int Chunk = 4096;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(4097)]
    [InlineData(100_000)]
    public void Hashes_are_those_of_the_definition_however_many_threads(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        using var file = new TemporaryFile(bytes);
        var chunks = bytes.Chunk(Chunk).Select(c => SHA256.HashData(c)).ToArray();
        var head = new byte[16];
        BinaryPrimitives.WriteInt64LittleEndian(head, Chunk);
        BinaryPrimitives.WriteInt64LittleEndian(head.AsSpan(8), length);
        var root = SHA256.HashData([.. "slm-file-1\n"u8, .. head, .. SHA256.HashData(bytes), .. chunks.SelectMany(c => c)]);

        foreach (var threads in new[] { 1, 2, 5 })
        {
            var manifest = ManifestBuilder.Compute(file.Path, threads, Chunk, progress: null, Cancelled);
            var only = Assert.Single(manifest.Files);
            Assert.Equal(Convert.ToHexStringLower(root), manifest.Root);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), only.Sha256);
            Assert.Equal(length, only.Length);
            Assert.Equal(chunks, Enumerable.Range(0, only.ChunkCount).Select(c => only.HashOf(c).ToArray()));
        }
    }

    [Fact]
    public void The_root_does_not_depend_on_the_name_and_the_plain_hash_is_the_models()
    {
        using var model = ReferenceModel.Open("llama-q4_0");
        using var other = new TemporaryFile(File.ReadAllBytes(ReferenceModels.Path("llama-q4_0")));
        var manifest = ManifestBuilder.Compute(model.Source.Path, 2, progress: null, Cancelled);
        Assert.Equal(model.Sha256, manifest.Files[0].Sha256);
        Assert.Equal(manifest.Root, ManifestBuilder.Compute(other.Path, 2, progress: null, Cancelled).Root);
    }

    [Fact]
    public void One_bit_changes_the_root()
    {
        var bytes = new byte[3 * Chunk];
        using var file = new TemporaryFile(bytes);
        bytes[2 * Chunk] ^= 1;
        using var changed = new TemporaryFile(bytes);
        Assert.NotEqual(ManifestBuilder.Compute(file.Path, 1, Chunk, null, Cancelled).Root, ManifestBuilder.Compute(changed.Path, 1, Chunk, null, Cancelled).Root);
    }

    [Fact]
    public void A_folder_is_the_names_and_content_of_the_files_that_matter()
    {
        using var folder = new ReferenceFolder("llama-untied-f32");
        folder.Write();
        var manifest = ManifestBuilder.Compute(folder.Folder, 2, progress: null, Cancelled);
        Assert.True(manifest.IsFolder);
        Assert.Equal(["config.json", "model.safetensors"], manifest.Files.Select(f => f.Name).Where(n => n is "config.json" or "model.safetensors"));
        var parts = manifest.Files.OrderBy(f => f.Name, StringComparer.Ordinal).SelectMany(f => (byte[])
            [.. BitConverter.GetBytes(Encoding.UTF8.GetByteCount(f.Name)), .. Encoding.UTF8.GetBytes(f.Name), .. Convert.FromHexString(f.Root)]);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData([.. "slm-folder-1\n"u8, .. parts])), manifest.Root);

        File.WriteAllText(Path.Combine(folder.Folder, "README.md"), "nothing that computes");
        Assert.Equal(manifest.Root, ManifestBuilder.Compute(folder.Folder, 2, progress: null, Cancelled).Root);
        File.AppendAllText(Path.Combine(folder.Folder, "config.json"), " ");
        Assert.NotEqual(manifest.Root, ManifestBuilder.Compute(folder.Folder, 2, progress: null, Cancelled).Root);
    }

    [Fact]
    public void Json_gives_back_what_was_written()
    {
        var manifest = Sample();
        var read = ModelManifest.Parse(manifest.ToJson(), "test");
        Assert.Equal(manifest.Root, read.Root);
        Assert.Equal(manifest.ToJson(), read.ToJson());
    }

    [Theory]
    [InlineData("slm-manifest-1", "slm-manifest-9", "\"format\"")]
    [InlineData("\"chunk_bytes\": 4096", "\"chunk_bytes\": 4097", "power of two")]
    [InlineData("\"chunk_bytes\": 4096", "\"chunk_bytes\": 8192", "must have 2 chunks")]
    [InlineData("\"name\": \"m.gguf\"", "\"name\": \"../m.gguf\"", "plain relative path")]
    [InlineData("\"name\": \"m.gguf\"", "\"name\": \"/m.gguf\"", "plain relative path")]
    [InlineData("\"name\": \"m.gguf\"", "\"name\": \"c:m.gguf\"", "plain relative path")]
    [InlineData("\"bytes\": 10000", "\"bytes\": 9999", "its hashes give")]
    [InlineData("\"bytes\": 10000", "\"bytes\": -1", "must be a number")]
    [InlineData("\"bytes\": 10000", "\"bytes\": 99999999999999999", "must be a number")]
    [InlineData("\"sha256\": \"", "\"sha256\": \"0", "lower-case hexadecimal")]
    [InlineData("\"files\": [", "\"files\": 5, \"other\": [", "list of one file")]
    [InlineData("{", "", "no JSON document")]
    public void A_manifest_that_is_wrong_is_refused_with_the_reason(string from, string to, string reason)
    {
        var text = Encoding.UTF8.GetString(Sample().ToJson());
        var at = text.IndexOf(from, StringComparison.Ordinal);
        Assert.True(at >= 0);
        var changed = text[..at] + to + text[(at + from.Length)..];
        Assert.Contains(reason, Assert.Throws<ModelFormatException>(() => ModelManifest.Parse(Encoding.UTF8.GetBytes(changed), "here")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_manifest_is_computed_once_while_the_file_stays_as_it_is()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllBytesAsync(folder["m.gguf"], new byte[10_000], Cancelled);
        var written = File.GetLastWriteTimeUtc(folder["m.gguf"]);
        var first = await new ManifestStore(folder["kept"], 2).GetAsync(folder["m.gguf"], null, Cancelled);

        // Another store finds it: with size and time as they were it does not look at the content.
        await File.WriteAllBytesAsync(folder["m.gguf"], Enumerable.Repeat((byte)1, 10_000).ToArray(), Cancelled);
        File.SetLastWriteTimeUtc(folder["m.gguf"], written);
        var store = new ManifestStore(folder["kept"], 2);
        Assert.Equal(first.Root, (await store.GetAsync(folder["m.gguf"], null, Cancelled)).Root);

        File.SetLastWriteTimeUtc(folder["m.gguf"], written.AddSeconds(1));
        var second = await store.GetAsync(folder["m.gguf"], null, Cancelled);
        Assert.NotEqual(first.Root, second.Root);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Enumerable.Repeat((byte)1, 10_000).ToArray())), second.Files[0].Sha256);
    }

    [Fact]
    public async Task A_kept_manifest_that_is_damaged_is_computed_anew()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllBytesAsync(folder["m.gguf"], new byte[10_000], Cancelled);
        var first = await new ManifestStore(folder["kept"], 1).GetAsync(folder["m.gguf"], null, Cancelled);
        var kept = Assert.Single(Directory.GetFiles(folder["kept"]));
        await File.WriteAllTextAsync(kept, (await File.ReadAllTextAsync(kept, Cancelled)).Replace(first.Files[0].Sha256, first.Root, StringComparison.Ordinal), Cancelled);
        Assert.Equal(first.Root, (await new ManifestStore(folder["kept"], 1).GetAsync(folder["m.gguf"], null, Cancelled)).Root);
        await Assert.ThrowsAsync<FileNotFoundException>(() => new ManifestStore(folder["kept"], 1).GetAsync(folder["none.gguf"], null, Cancelled));
    }

    [Fact]
    public void Hashing_can_be_cancelled()
    {
        using var file = new TemporaryFile(new byte[50 * Chunk]);
        using var cancel = new CancellationTokenSource();
        var reports = 0;
        Assert.Throws<OperationCanceledException>(() => ManifestBuilder.Compute(file.Path, 3, Chunk, new Immediate(() =>
        {
            if (++reports == 3)
                cancel.Cancel();
        }), cancel.Token));
        Assert.InRange(reports, 3, 49);
    }

    private static ModelManifest Sample()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["m.gguf"], Enumerable.Range(0, 10_000).Select(i => (byte)i).ToArray());
        return ManifestBuilder.Compute(folder["m.gguf"], 1, Chunk, progress: null, CancellationToken.None);
    }

    private sealed class Immediate(Action action) : IProgress<FetchProgress>
    {
        public void Report(FetchProgress value) => action();
    }
}
