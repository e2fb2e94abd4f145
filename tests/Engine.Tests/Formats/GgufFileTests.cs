using System.Text;
using CsCheck;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Tests.Stages;

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
        // A mixture is called by the type of most of its weights.
        var stated = name[(name.LastIndexOf('-') + 1)..].ToUpperInvariant();
        Assert.Equal(stated == "Q4_K_M" ? "Q4_K" : stated, model.QuantizationName);
        Assert.Equal(model.ParameterCount, model.Source.Tensors.Sum(t => t.Elements));
        // The last tensor's bytes are the last of the file, up to the padding.
        var last = model.Source.Tensors.MaxBy(t => t.Offset)!;
        unsafe
        {
            var first = model.Source.Tensors.MinBy(t => t.Offset)!;
            var end = model.Source.Pointer(last) + last.ByteLength - model.Source.Pointer(first);
            Assert.InRange(model.Source.FileBytes - end, 1, model.Source.FileBytes / 2);
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
    public void Version_2_reads_like_version_3()
    {
        var bytes = File.ReadAllBytes(ReferenceModels.Path("llama-q4_0"));
        Assert.Equal(3, bytes[4]);
        bytes[4] = 2;
        using var file = new TemporaryFile();
        File.WriteAllBytes(file.Path, bytes);
        using var two = GgufFile.Open(file.Path);
        using var three = GgufFile.Open(ReferenceModels.Path("llama-q4_0"));
        Assert.Equal((2, 3), (two.Version, three.Version));
        Assert.Equal(three.Metadata.Keys, two.Metadata.Keys);
        foreach (var (a, b) in two.Tensors.Zip(three.Tensors))
        {
            Assert.Equal((b.Name, b.Type, b.Offset, b.ShapeText), (a.Name, a.Type, a.Offset, a.ShapeText));
            Assert.True(two.Bytes(a).SequenceEqual(three.Bytes(b)));
        }
    }

    [Theory]
    [InlineData(8u)]
    [InlineData(64u)]
    [InlineData(4096u)]
    public void Tensors_lie_on_the_alignment_the_file_states(uint alignment)
    {
        using var file = new TemporaryFile();
        var writer = new GgufWriter();
        writer.AddTensor("first", TensorType.I8, [3], new byte[] { 1, 2, 3 });
        writer.AddTensor("second", TensorType.I8, [2], stream => stream.Write([4, 5]));
        writer.Add("general.alignment", alignment);
        writer.Write(file.Path);
        using var gguf = GgufFile.Open(file.Path);
        Assert.Equal((int)alignment, gguf.Alignment);
        Assert.Equal([1, 2, 3], gguf.Bytes(gguf.Tensors[0]).ToArray());
        Assert.Equal([4, 5], gguf.Bytes(gguf.Tensors[1]).ToArray());
        Assert.Equal([0L, alignment], gguf.Tensors.Select(t => t.Offset));
    }

    [Fact]
    public void A_tensor_that_writes_too_little_leaves_no_file_and_the_old_one_alone()
    {
        using var file = new TemporaryFile();
        File.WriteAllText(file.Path, "old");
        var writer = new GgufWriter();
        writer.AddTensor("t", TensorType.F32, [4], stream => stream.Write(new byte[15]));
        Assert.Contains("15 bytes", Assert.Throws<InvalidOperationException>(() => writer.Write(file.Path)).Message);
        Assert.Equal("old", File.ReadAllText(file.Path));
        Assert.Empty(Directory.EnumerateFiles(Path.GetDirectoryName(file.Path)!, Path.GetFileName(file.Path) + ".*.tmp"));
    }

    // Bytes of a block by its fields, as ggml's block structures list them: scales, then packed elements.
    [Theory]
    [InlineData(TensorType.F32, 0, 1, 4)]
    [InlineData(TensorType.F16, 1, 1, 2)]
    [InlineData(TensorType.Q4_0, 2, 32, 2 + 32 / 2)]
    [InlineData(TensorType.Q4_1, 3, 32, 2 + 2 + 32 / 2)]
    [InlineData(TensorType.Q5_0, 6, 32, 2 + 32 / 8 + 32 / 2)]
    [InlineData(TensorType.Q5_1, 7, 32, 2 + 2 + 32 / 8 + 32 / 2)]
    [InlineData(TensorType.Q8_0, 8, 32, 2 + 32)]
    [InlineData(TensorType.Q8_1, 9, 32, 2 + 2 + 32)]
    [InlineData(TensorType.Q2_K, 10, 256, 256 / 16 + 256 / 4 + 2 + 2)]
    [InlineData(TensorType.Q3_K, 11, 256, 256 / 8 + 256 / 4 + 12 + 2)]
    [InlineData(TensorType.Q4_K, 12, 256, 2 + 2 + 12 + 256 / 2)]
    [InlineData(TensorType.Q5_K, 13, 256, 2 + 2 + 12 + 256 / 8 + 256 / 2)]
    [InlineData(TensorType.Q6_K, 14, 256, 256 / 2 + 256 / 4 + 256 / 16 + 2)]
    [InlineData(TensorType.Q8_K, 15, 256, 4 + 256 + 256 / 16 * 2)]
    [InlineData(TensorType.IQ2_XXS, 16, 256, 2 + 256 / 4)]
    [InlineData(TensorType.IQ2_XS, 17, 256, 2 + 256 / 4 + 256 / 32)]
    [InlineData(TensorType.IQ3_XXS, 18, 256, 2 + 256 / 4 + 256 / 8)]
    [InlineData(TensorType.IQ1_S, 19, 256, 2 + 256 / 8 + 256 / 16)]
    [InlineData(TensorType.IQ4_NL, 20, 32, 2 + 32 / 2)]
    [InlineData(TensorType.IQ3_S, 21, 256, 2 + 256 / 4 + 256 / 8 + 256 / 32 + 4)]
    [InlineData(TensorType.IQ2_S, 22, 256, 2 + 256 / 4 + 256 / 16)]
    [InlineData(TensorType.IQ4_XS, 23, 256, 2 + 2 + 256 / 64 + 256 / 2)]
    [InlineData(TensorType.I8, 24, 1, 1)]
    [InlineData(TensorType.I16, 25, 1, 2)]
    [InlineData(TensorType.I32, 26, 1, 4)]
    [InlineData(TensorType.I64, 27, 1, 8)]
    [InlineData(TensorType.F64, 28, 1, 8)]
    [InlineData(TensorType.IQ1_M, 29, 256, 256 / 8 + 256 / 16 + 256 / 32)]
    [InlineData(TensorType.BF16, 30, 1, 2)]
    [InlineData(TensorType.TQ1_0, 34, 256, 2 + 4 * 13)]
    [InlineData(TensorType.TQ2_0, 35, 256, 2 + 256 / 4)]
    [InlineData(TensorType.MXFP4, 39, 32, 1 + 32 / 2)]
    [InlineData(TensorType.NVFP4, 40, 64, 4 + 64 / 2)]
    [InlineData(TensorType.Q1_0, 41, 128, 2 + 128 / 8)]
    [InlineData(TensorType.Q2_0, 42, 64, 2 + 64 / 4)]
    public void Every_type_has_its_number_and_block_and_can_be_read(TensorType type, int number, int elements, int bytes)
    {
        Assert.Equal(number, (int)type);
        Assert.Equal((elements, bytes), (TensorTypes.BlockElements(type), TensorTypes.BlockBytes(type)));
        using var file = new TemporaryFile();
        var writer = new GgufWriter();
        writer.AddTensor("t", type, [2 * elements, 3], new byte[6 * bytes]);
        writer.Write(file.Path);
        using var gguf = GgufFile.Open(file.Path);
        Assert.Equal(6 * bytes, gguf.Bytes(gguf.Tensors[0]).Length);
    }

    [Fact]
    public void Every_type_is_tested()
    {
        var tested = GetType().GetMethod(nameof(Every_type_has_its_number_and_block_and_can_be_read))!
            .GetCustomAttributes(typeof(InlineDataAttribute), false).Cast<InlineDataAttribute>().Select(a => (TensorType)a.Data[0]!);
        Assert.Equal(Enum.GetValues<TensorType>().Order(), tested.Order());
    }

    [Theory]
    [InlineData("llama", false)]
    [InlineData("qwen2", true)]
    [InlineData("qwen3", true)]
    public void Each_architecture_pairs_its_rotations_its_own_way(string architecture, bool neoX) =>
        Assert.Equal(neoX, Configure(architecture, []).Rope.NeoX);

    [Fact]
    public void A_scaling_factor_without_type_is_linear_and_zero_is_none()
    {
        Assert.Equal((RopeScaling.Linear, 4f), Scaling(Configure("llama", new() { ["rope.scaling.factor"] = 4f })));
        Assert.Equal((RopeScaling.Linear, 2f), Scaling(Configure("llama", new() { ["rope.scale_linear"] = 2f })));
        Assert.Equal((RopeScaling.None, 1f), Scaling(Configure("llama", new() { ["rope.scaling.type"] = "none", ["rope.scaling.factor"] = 4f })));
        Assert.Equal((RopeScaling.None, 1f), Scaling(Configure("llama", new() { ["rope.scaling.type"] = "linear", ["rope.scaling.factor"] = 0f })));
        static (RopeScaling, float) Scaling(ModelConfig c) => (c.Rope.Scaling, c.Rope.Factor);
    }

    [Fact]
    public void YaRN_has_its_defaults_and_its_keys()
    {
        var plain = Configure("llama", new() { ["rope.scaling.type"] = "yarn", ["rope.scaling.factor"] = 4f }).Rope;
        Assert.Equal((512, 1f, 1f, 32f, 1f), (plain.OriginalContextLength, plain.AttentionFactor, plain.YarnMix, plain.BetaFast, plain.BetaSlow));
        var full = Configure("llama", new()
        {
            ["rope.scaling.type"] = "yarn",
            ["rope.scaling.factor"] = 4f,
            ["rope.scaling.original_context_length"] = 128u,
            ["rope.scaling.attn_factor"] = 0.5f,
            ["rope.scaling.yarn_ext_factor"] = 0.25f,
            ["rope.scaling.yarn_beta_fast"] = 16f,
            ["rope.scaling.yarn_beta_slow"] = 2f,
        }).Rope;
        Assert.Equal((128, 0.5f, 0.25f, 16f, 2f), (full.OriginalContextLength, full.AttentionFactor, full.YarnMix, full.BetaFast, full.BetaSlow));
        Assert.Contains("at least 1 with YaRN", Assert.Throws<ModelFormatException>(() => Configure("llama", new() { ["rope.scaling.type"] = "yarn", ["rope.scaling.factor"] = 0.5f })).Message);
        Assert.Contains("'longrope'", Assert.Throws<ModelFormatException>(() => Configure("llama", new() { ["rope.scaling.type"] = "longrope" })).Message);
    }

    /// <summary>The configuration of a smallest possible model with some more keys.</summary>
    private static ModelConfig Configure(string architecture, Dictionary<string, object> keys)
    {
        using var file = new TemporaryFile();
        var writer = new GgufWriter();
        writer.Add("general.architecture", architecture);
        writer.Add($"{architecture}.context_length", 512u);
        writer.Add($"{architecture}.embedding_length", 64u);
        writer.Add($"{architecture}.block_count", 1u);
        writer.Add($"{architecture}.feed_forward_length", 96u);
        writer.Add($"{architecture}.attention.head_count", 4u);
        writer.Add($"{architecture}.attention.layer_norm_rms_epsilon", 1e-5f);
        foreach (var (key, value) in keys)
            writer.Add($"{architecture}.{key}", value);
        writer.AddTensor("token_embd.weight", TensorType.F32, [64, 10], new byte[64 * 10 * 4]);
        writer.Write(file.Path);
        using var gguf = GgufFile.Open(file.Path);
        return ModelConfig.FromSource(gguf);
    }

    [Fact]
    public void The_writer_refuses_what_the_format_has_no_place_for()
    {
        var writer = new GgufWriter();
        writer.Add("a", 1);
        Assert.Throws<ArgumentException>(() => writer.Add("a", 2));
        Assert.Throws<ArgumentException>(() => writer.Add("b", DateTime.MinValue));
        Assert.Throws<ArgumentException>(() => writer.Add("b", DayOfWeek.Friday));
        Assert.Throws<ArgumentException>(() => writer.Add("b", new string?[] { "x", null }));
        Assert.Throws<ArgumentException>(() => writer.Add("b", new int[2, 2]));
        Assert.Throws<ArgumentException>(() => writer.Add("b", new[] { new[] { 1 } }));
        Assert.Throws<ArgumentException>(() => writer.Add("b", "\uD800"));
        Assert.Throws<ArgumentException>(() => writer.Add(new string('k', 65536), 1));
        Assert.Throws<ArgumentException>(() => writer.Add("general.alignment", 48u));
        Assert.Throws<ArgumentException>(() => writer.AddTensor("t", TensorType.F32, [1L << 62, 1L << 62], new byte[4]));
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

    [Fact]
    public void A_type_without_kernel_is_named_with_the_supported_ones()
    {
        // 256 elements take 144 bytes in NVFP4 as in Q4_0, so only the number changes.
        using var original = GgufFile.Open(ReferenceModels.Path("llama-q4_0"));
        using var file = new TemporaryFile();
        var writer = new GgufWriter();
        foreach (var (key, value) in original.Metadata)
            writer.Add(key, value);
        foreach (var tensor in original.Tensors)
            writer.AddTensor(tensor.Name, tensor.Type == TensorType.Q4_0 ? TensorType.NVFP4 : tensor.Type, tensor.Shape, original.Bytes(tensor).ToArray());
        writer.Write(file.Path);
        using var model = ModelFile.Open(file.Path);
        Assert.Equal("NVFP4", model.QuantizationName);
        var error = Assert.Throws<ModelFormatException>(() => StepRunner.Load(model, threads: 1));
        Assert.Contains("is NVFP4, which is not supported", error.Message);
        Assert.Contains("F32, F16, BF16, Q8_0, Q4_0", error.Message);
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
            Assert.Contains(string.Join(", ", ModelConfig.SupportedArchitectures), error.Message);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
