using System.Text;
using CsCheck;
using Slm.Engine.Formats;
using Slm.Engine.Models;

namespace Slm.Engine.Tests.Formats;

public sealed class GgufFileTests
{
    public static IEnumerable<TheoryDataRow<string>> Names => ReferenceModels.Names.Select(n => new TheoryDataRow<string>(n));

    [Theory]
    [MemberData(nameof(Names))]
    public void A_reference_file_opens_and_its_tensors_end_with_the_file(string name)
    {
        using var model = ModelFile.Open(ReferenceModels.Path(name));
        Assert.Equal(name, model.Name);
        Assert.Contains(model.Config.Architecture, ModelConfig.SupportedArchitectures);
        using var record = System.Text.Json.JsonDocument.Parse(File.ReadAllText(ReferenceModels.Record(name)));
        Assert.Equal(record.RootElement.GetProperty("vocab_size").GetInt32(), model.Config.VocabSize);
        Assert.Equal(record.RootElement.GetProperty("architecture").GetString(), model.Config.Architecture);
        Assert.Equal(name[(name.LastIndexOf('-') + 1)..].ToUpperInvariant(), model.QuantizationName);
        Assert.Equal(model.ParameterCount, model.Gguf.Tensors.Sum(t => t.Elements));
        // The last tensor's bytes are the last of the file, up to the padding.
        var last = model.Gguf.Tensors.MaxBy(t => t.Offset)!;
        unsafe
        {
            var first = model.Gguf.Tensors.MinBy(t => t.Offset)!;
            var end = model.Gguf.Pointer(last) + last.ByteLength - model.Gguf.Pointer(first);
            Assert.InRange(model.Gguf.FileBytes - end, 1, model.Gguf.FileBytes / 2);
        }
    }

    [Fact]
    public void The_hash_is_the_file_s()
    {
        using var model = ModelFile.Open(ReferenceModels.Path("llama-q4_0"));
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(ReferenceModels.Path("llama-q4_0")))), model.Sha256);
    }

    [Fact]
    public void What_the_writer_writes_the_reader_reads()
    {
        var key = Gen.Char['a', 'z'].Array[1, 12].Select(c => new string(c));
        Gen<object> value = Gen.OneOf<object>(
            Gen.Byte.Select(v => (object)v), Gen.SByte.Select(v => (object)v), Gen.UShort.Select(v => (object)v), Gen.Short.Select(v => (object)v), Gen.UInt.Select(v => (object)v),
            Gen.Int.Select(v => (object)v), Gen.ULong.Select(v => (object)v), Gen.Long.Select(v => (object)v), Gen.Float.Select(v => (object)v), Gen.Double.Select(v => (object)v),
            Gen.Bool.Select(v => (object)v), Gen.Char['\u0000', '\uD7FF'].Array[0, 20].Select(c => (object)new string(c)),
            Gen.Int.Array[0, 9].Select(v => (object)v), Gen.Float.Array[0, 9].Select(v => (object)v), Gen.Bool.Array[0, 9].Select(v => (object)v), Gen.Byte.Array[0, 9].Select(v => (object)v),
            Gen.Char['a', 'z'].Array[0, 5].Select(c => new string(c)).Array[0, 9].Select(v => (object)v));
        var tensor = Gen.Select(key, Gen.Int[0, 5].Select(i => ((TensorType[])[TensorType.F32, TensorType.F16, TensorType.BF16, TensorType.Q8_0, TensorType.Q4_0, TensorType.Q6_K])[i]), Gen.Int[1, 3], Gen.Int[1, 5]);
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.gguf");
        try
        {
            Gen.Select(Gen.Dictionary(key, value)[0, 10], tensor.Array[0, 6]).Sample((metadata, tensors) =>
            {
                var writer = new GgufWriter();
                foreach (var (k, v) in metadata)
                    writer.Add(k, v);
                var written = new Dictionary<string, byte[]>();
                foreach (var (name, type, blocks, rows) in tensors)
                {
                    if (written.ContainsKey(name))
                        continue;
                    var data = new byte[TensorTypes.BlockBytes(type) * blocks * rows];
                    new Random(blocks).NextBytes(data);
                    writer.AddTensor(name, type, [(long)TensorTypes.BlockElements(type) * blocks, rows], data);
                    written[name] = data;
                }
                writer.Write(path);
                using var file = GgufFile.Open(path);
                Assert.Equal(3, file.Version);
                Assert.Equal(metadata.Count, file.Metadata.Count);
                foreach (var (k, v) in metadata)
                {
                    Assert.Equal(v.GetType(), file.Metadata[k].GetType());
                    Assert.Equal(v, file.Metadata[k]);
                }
                Assert.Equal(written.Count, file.Tensors.Count);
                foreach (var info in file.Tensors)
                    Assert.True(file.Bytes(info).SequenceEqual(written[info.Name]));
            }, iter: 300, threads: 1);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void The_writer_refuses_what_the_format_has_no_place_for()
    {
        var writer = new GgufWriter();
        writer.Add("a", 1);
        Assert.Throws<ArgumentException>(() => writer.Add("a", 2));
        Assert.Throws<ArgumentException>(() => writer.Add("b", DateTime.MinValue));
        Assert.Throws<ArgumentException>(() => writer.AddTensor("t", TensorType.Q8_0, [31], new byte[34]));
        Assert.Throws<ArgumentException>(() => writer.AddTensor("t", TensorType.F32, [2, 2], new byte[15]));
        writer.AddTensor("t", TensorType.F32, [2, 2], new byte[16]);
        Assert.Throws<ArgumentException>(() => writer.AddTensor("t", TensorType.F32, [2, 2], new byte[16]));
    }

    [Fact]
    public void A_tensor_of_another_file_has_no_bytes_here()
    {
        using var a = GgufFile.Open(ReferenceModels.Path("llama-q4_0"));
        using var b = GgufFile.Open(ReferenceModels.Path("llama-q8_0"));
        Assert.Throws<ArgumentException>(() => a.Bytes(b.Tensors[0]).Length);
    }

    [Fact]
    public void A_required_tensor_of_another_shape_or_type_is_named()
    {
        using var model = ModelFile.Open(ReferenceModels.Path("llama-q4_0"));
        var missing = Assert.Throws<ModelFormatException>(() => model.Require("no.such", [TensorType.F32], 1));
        Assert.Contains("no.such", missing.Message);
        var shape = Assert.Throws<ModelFormatException>(() => model.Require("token_embd.weight", [TensorType.Q4_0], 1, 2));
        Assert.Contains("token_embd.weight", shape.Message);
        var type = Assert.Throws<ModelFormatException>(() => model.Require("token_embd.weight", [TensorType.F64], model.Config.HiddenSize, 384));
        Assert.Contains("F64", type.Message);
    }

    [Theory]
    [InlineData("mamba", "architecture 'mamba' is not supported")]
    [InlineData("", "architecture '' is not supported")]
    public void An_unsupported_architecture_names_itself_and_the_supported_ones(string architecture, string expected)
    {
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.gguf");
        try
        {
            var writer = new GgufWriter();
            writer.Add("general.architecture", architecture);
            writer.Write(path);
            var error = Assert.Throws<ModelFormatException>(() => ModelFile.Open(path));
            Assert.Contains(expected, error.Message);
            Assert.Contains("llama, qwen2, qwen3", error.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
