using Slm.Engine.Formats;

namespace Slm.Engine.Tests.Formats;

/// <summary>Folders with one safetensors file or several shards.</summary>
public sealed class SafetensorsSetTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("slm-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void One_file_is_read_whole()
    {
        Write("model.safetensors", new SafetensorsWriter().Add("a", "F32", [1], [1, 2, 3, 4]).Add("b", "F32", [1], new byte[4]));
        using var set = SafetensorsSet.Open(_folder);
        Assert.Equal(["a", "b"], set.Names.Order());
        Assert.Single(set.Files);
    }

    [Fact]
    public unsafe void Shards_are_read_by_the_index()
    {
        Write("model-00001-of-00002.safetensors", new SafetensorsWriter().Add("a", "F32", [1], [1, 2, 3, 4]).Add("not in the index", "F32", [1], new byte[4]));
        Write("model-00002-of-00002.safetensors", new SafetensorsWriter().Add("b", "BF16", [2], [5, 6, 7, 8]));
        Index("""{"metadata":{"total_size":8},"weight_map":{"b":"model-00002-of-00002.safetensors","a":"model-00001-of-00002.safetensors"}}""");
        using var set = SafetensorsSet.Open(_folder);
        Assert.Equal(["a", "b"], set.Names.Order());
        Assert.True(set.TryGetTensor("b", out var b));
        Assert.Equal([5, 6, 7, 8], new ReadOnlySpan<byte>(set.Pointer(b), 4).ToArray());
        Assert.EndsWith("model-00002-of-00002.safetensors", set.FileOf(b).Path, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"model-00002-of-00002.safetensors"}}""", "'model-00002-of-00002.safetensors', which is missing")]
    [InlineData("""{"weight_map":{"b":"model-00001-of-00002.safetensors"}}""", "holds the tensor 'b', but it does not")]
    [InlineData("""{"weight_map":{"a":"../model-00001-of-00002.safetensors"}}""", "of the folder is expected")]
    [InlineData("""{"weight_map":{"a":"/tmp/x.safetensors"}}""", "of the folder is expected")]
    [InlineData("""{"weight_map":{"a":"..\\x.safetensors"}}""", "of the folder is expected")]
    [InlineData("""{"weight_map":{"a":"pytorch_model.bin"}}""", "of the folder is expected")]
    [InlineData("""{"weight_map":{"a":3}}""", "of the folder is expected")]
    [InlineData("""{"weight_map":{"a":"model-00001-of-00002.safetensors","a":"model-00001-of-00002.safetensors"}}""", "occurs twice")]
    [InlineData("""{"weight_map":[]}""", "weight_map")]
    [InlineData("""{}""", "weight_map")]
    [InlineData("""[]""", "weight_map")]
    [InlineData("""{"weight_map":""", "not valid JSON")]
    public void An_index_that_is_wrong_is_refused_for_its_reason(string index, string reason)
    {
        Write("model-00001-of-00002.safetensors", new SafetensorsWriter().Add("a", "F32", [1], [1, 2, 3, 4]));
        Index(index);
        Assert.Contains(reason, Assert.Throws<ModelFormatException>(() => SafetensorsSet.Open(_folder).Dispose()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_without_weights_says_what_is_missing() =>
        Assert.Contains("neither model.safetensors nor model.safetensors.index.json", Assert.Throws<ModelFormatException>(() => SafetensorsSet.Open(_folder).Dispose()).Message);

    private void Write(string name, SafetensorsWriter writer) => File.WriteAllBytes(Path.Combine(_folder, name), writer.ToArray());

    private void Index(string text) => File.WriteAllText(Path.Combine(_folder, "model.safetensors.index.json"), text);
}
