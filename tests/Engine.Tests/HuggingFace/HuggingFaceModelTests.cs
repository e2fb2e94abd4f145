using System.Text.Json.Nodes;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Quantization;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.HuggingFace;

/// <summary>Hugging Face folders of the reference models: their recorded logits, and what is refused.</summary>
public sealed class HuggingFaceModelTests
{
    /// <summary>Whether a folder holds exactly the numbers of the file; the others round once: 1 + w, ln A, divided multipliers.</summary>
    public static TheoryData<string, int, int, bool> Folders => new()
    {
        { "llama-untied-f32", 1, 8, true },
        { "llama-tied-f16", 3, 8, true },
        { "llama-rope3-bf16", 2, 1, false },
        { "llama-linear-rope-f32", 1, 1, true },
        { "llama-yarn-f32", 1, 8, true },
        { "llama-moe-f16", 3, 8, true },
        { "qwen2-f32", 2, 8, true },
        { "qwen3-f32", 1, 8, true },
        { "qwen3moe-f32", 4, 1, true },
        { "gemma3-f32", 1, 8, false },
        { "minicpm-f32", 1, 8, false },
        { "plm-f32", 1, 8, true },
        { "smallthinker-f32", 2, 8, true },
        { "smallthinker-softmax-f16", 1, 8, true },
        { "mamba2-f32", 1, 8, false },
        { "mamba2-f16", 1, 8, false },
        { "falcon-h1-f32", 2, 8, false },
        { "falcon-h1-norm-f16", 1, 8, false },
        { "t5-f32", 1, 8, true },
    };

    /// <summary>The tolerance is the reference's own, 1e-3 of logits whose standard deviation is about 2.5; most differ by 2e-5.</summary>
    [Theory]
    [MemberData(nameof(Folders))]
    public async Task Logits_of_a_folder_are_the_recorded_ones(string model, int shards, int alignment, bool exact)
    {
        var reference = ReferenceModel.Read(model);
        using var folder = new ReferenceFolder(model);
        using var file = ModelFile.Open(folder.Write(shards, alignment));
        await using var pipeline = StepRunner.Load(file);
        var vocab = file.Config.VocabSize;
        var logits = StepRunner.Logits(pipeline, reference.Tokens, [3, 1], int.MaxValue, encoder: reference.Encoder);
        Assert.Equal(reference.Tokens.Length * vocab, logits.Length);
        var worst = 0f;
        for (var p = 0; p < reference.Positions.Length; p++)
        {
            foreach (var (id, logit) in reference.Positions[p])
                worst = MathF.Max(worst, MathF.Abs(logits[(p * vocab) + id] - logit));
        }

        for (var i = 0; i < vocab; i++)
            worst = MathF.Max(worst, MathF.Abs(logits[logits.Length - vocab + i] - reference.Last[i]));
        TestContext.Current.TestOutputHelper?.WriteLine($"{model}: max abs {worst:g3} of {reference.MaxAbs}");
        Assert.InRange(worst, 0, reference.MaxAbs);
        using var gguf = ReferenceModel.Open(model);
        Assert.Equal(gguf.ParameterCount, file.ParameterCount);
        if (!exact)
            return;
        await using var other = StepRunner.Load(gguf);
        Assert.Equal(StepRunner.Logits(other, reference.Tokens, [3, 1], int.MaxValue, encoder: reference.Encoder), logits);
    }

    [Theory]
    [InlineData("llama-moe-f16", 3)]
    [InlineData("llama-untied-f32", 1)]
    public async Task A_folder_is_quantized_as_its_file_is(string model, int shards)
    {
        using var folder = new ReferenceFolder(model);
        using var original = ModelSource.Open(ReferenceModels.Path(model));
        using var source = ModelSource.Open(folder.Write(shards));
        using var expected = Quantize(original);
        using var actual = Quantize(source);
        using var a = ModelFile.Open(expected.Path);
        using var b = ModelFile.Open(actual.Path);
        await using var one = StepRunner.Load(a);
        await using var two = StepRunner.Load(b);
        Assert.Equal("Q8_0", b.QuantizationName);
        var tokens = ReferenceModel.Read(model).Tokens;
        Assert.Equal(StepRunner.Logits(one, tokens, [3, 1], 7), StepRunner.Logits(two, tokens, [3, 1], 7));
    }

    [Fact]
    public unsafe void Tensors_that_do_not_change_are_used_where_they_lie_and_others_are_copied_alike()
    {
        using var folder = new ReferenceFolder("llama-moe-f16");
        using var source = ModelSource.Open(folder.Write(2));
        using var gguf = GgufFile.Open(ReferenceModels.Path("llama-moe-f16"));
        using var set = SafetensorsSet.Open(folder.Folder);
        foreach (var expected in gguf.Tensors)
        {
            Assert.True(source.TryGetTensor(expected.Name, out var tensor), expected.Name);
            Assert.Equal(expected.Shape, tensor.Shape);
            Assert.Equal(expected.Type, tensor.Type);
            Assert.True(gguf.Bytes(expected).SequenceEqual(source.Bytes(tensor)), expected.Name);
            Assert.True((nint)source.Pointer(tensor) == (nint)source.Pointer(tensor), "A tensor moved.");

            // In bands that do not end where its parts do.
            var rows = new byte[tensor.ByteLength];
            var row = tensor.ByteLength / tensor.Rows;
            fixed (byte* target = rows)
            {
                for (var first = 0L; first < tensor.Rows; first += 37)
                    source.CopyRows(tensor, first, (int)Math.Min(37, tensor.Rows - first), target + (first * row));
            }

            Assert.True(gguf.Bytes(expected).SequenceEqual(rows), expected.Name);
            for (var m = 0; m < (tensor.Shape.Count == 3 ? tensor.Shape[2] : 0); m++)
                Assert.True(new ReadOnlySpan<byte>(source.Matrix(tensor, m), 64).SequenceEqual(gguf.Bytes(expected).Slice((int)(m * tensor.ByteLength / tensor.Shape[2]), 64)));
        }
    }

    [Fact]
    public void The_hash_is_of_all_files_and_the_name_that_of_the_folder()
    {
        using var folder = new ReferenceFolder("qwen3-f32");
        string Hash(int shards)
        {
            using var file = ModelFile.Open(folder.Write(shards));
            Assert.Equal(Path.GetFileName(folder.Folder), file.Name);
            Assert.True(file.Source.FileBytes > file.Source.Tensors.Sum(t => t.ByteLength));
            return file.Sha256;
        }

        var first = Hash(1);
        Assert.Equal(first, Hash(1));
        folder.Config["rope_theta"] = 5.0;
        Assert.NotEqual(first, Hash(1));
        folder.Config["rope_theta"] = 1000000.0;
        Assert.Equal(first, Hash(1));
        Assert.NotEqual(first, Hash(2));
        Assert.Equal(64, first.Length);
    }

    public static TheoryData<string, string, string?, string> Wrong => new()
    {
        { "llama-untied-f32", "model_type", "\"rwkv\"", "the model_type 'rwkv' is not supported. Supported: bert, falcon_h1, gemma3" },
        { "llama-untied-f32", "model_type", null, "'model_type' is missing. Supported: bert" },
        { "llama-untied-f32", "quantization_config", """{"quant_method":"gptq","bits":4}""", "quantized ('quantization_config', method 'gptq')" },
        { "llama-untied-f32", "num_hidden_layers", null, "'num_hidden_layers' is missing" },
        { "llama-untied-f32", "num_hidden_layers", "4", "the tensor 'model.layers.3.input_layernorm.weight' is missing" },
        { "llama-untied-f32", "num_hidden_layers", "2", "does not use, so it would be computed wrongly: model.layers.2." },
        { "llama-untied-f32", "num_hidden_layers", "-1", "'num_hidden_layers' is -1; an integer from 0" },
        { "llama-untied-f32", "num_hidden_layers", "1e30", "'num_hidden_layers' is 1e30; an integer" },
        { "llama-untied-f32", "num_attention_heads", "0", "an integer from 1" },
        { "llama-untied-f32", "num_attention_heads", "\"4\"", "an integer from 1" },
        { "llama-untied-f32", "num_attention_heads", "7", "no multiple of the 7" },
        { "llama-untied-f32", "hidden_act", "\"gelu\"", "'hidden_act' is 'gelu'" },
        { "llama-untied-f32", "hidden_size", "128", "token_embd.weight" },
        { "llama-untied-f32", "rms_norm_eps", "true", "a number is expected" },
        { "llama-untied-f32", "tie_word_embeddings", "1", "true or false" },
        { "llama-untied-f32", "rope_scaling", """{"rope_type":"longrope","factor":4}""", "'longrope' is not supported" },
        { "llama-untied-f32", "rope_scaling", """{"rope_type":"llama3","factor":8}""", "'low_freq_factor' is missing" },
        { "llama-untied-f32", "rope_scaling", """{"rope_type":"llama3","factor":0,"low_freq_factor":4,"high_freq_factor":1,"original_max_position_embeddings":64}""", "0 < low < high" },
        { "llama-untied-f32", "rope_scaling", "[]", "an object is expected" },
        { "qwen2-f32", "max_window_layers", "1", "windows in some" },
        { "qwen3moe-f32", "num_experts", "9", "experts.8.gate_proj.weight' is missing" },
        { "qwen3moe-f32", "num_experts_per_tok", "9", "must be between 1 and 8" },
        { "gemma3-f32", "query_pre_attn_scalar", "99", "'query_pre_attn_scalar' is 99, but only 16" },
        { "gemma3-f32", "rope_local_base_freq", "5", "but only 10000" },
        { "gemma3-f32", "final_logit_softcapping", "-30", "must be between" },
        { "gemma3-f32", "layer_types", """["full_attention"]""", "not the usual" },
        { "smallthinker-f32", "rope_layout", "[1,1,1,1,1,1]", "not the usual" },
        { "mamba2-f32", "time_step_limit", "[0.0, 1.0]", "only 0 to infinity" },
        { "mamba2-f32", "num_heads", "7", "ssm_conv1d|conv1d.weight" },
        { "falcon-h1-norm-f16", "mamba_norm_before_gate", "true", "after the gate" },
        { "falcon-h1-f32", "ssm_multipliers", "[1, 2]", "5 are expected" },
        { "falcon-h1-f32", "mamba_n_groups", "2", "rows are expected" },
        { "plm-f32", "q_lora_rank", "64", "latent queries" },
        { "t5-f32", "feed_forward_proj", "\"gated-silu\"", "Supported: relu, gated-gelu" },
        { "t5-f32", "relative_attention_max_distance", "256", "but only 128" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_configuration_that_cannot_be_right_is_refused_for_its_reason(string model, string field, string? value, string reason)
    {
        using var folder = new ReferenceFolder(model);
        folder.Config.Remove(field);
        if (value is not null)
            folder.Config[field] = JsonNode.Parse(value);
        var error = Assert.Throws<ModelFormatException>(() => ModelFile.Open(folder.Write()).Dispose());
        Assert.True(reason.Split('|').Any(r => error.Message.Contains(r, StringComparison.Ordinal)), error.Message);
    }

    [Fact]
    public void Infinity_as_Python_writes_it_is_read()
    {
        using var folder = new ReferenceFolder("mamba2-f32");
        folder.Config["note"] = "\"Infinity\" and NaN in a \\ text stay";
        folder.Write();
        var path = Path.Combine(folder.Folder, "config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("{", "{\"time_step_limit\": [0.0, Infinity], \"time_step_floor\": NaN,", StringComparison.Ordinal));
        using var file = ModelFile.Open(folder.Folder);
        Assert.Equal("mamba2", file.Config.Architecture);
    }

    [Fact]
    public void Missing_surplus_and_malformed_tensors_are_named()
    {
        static string Refuse(Action<ReferenceFolder> change)
        {
            using var folder = new ReferenceFolder("llama-untied-f32");
            change(folder);
            return Assert.Throws<ModelFormatException>(() => ModelFile.Open(folder.Write()).Dispose()).Message;
        }

        const string Query = "model.layers.1.self_attn.q_proj.weight";
        Assert.Contains($"'{Query}' is missing", Refuse(f => f.Remove(Query)), StringComparison.Ordinal);
        Assert.Contains("computed wrongly: model.layers.1.self_attn.q_proj.bias2.", Refuse(f => f.AddTensor("model.layers.1.self_attn.q_proj.bias2", "F32", [1], new byte[4])), StringComparison.Ordinal);
        Assert.Contains($"'{Query}' has elements of type I32", Refuse(f => Replace(f, "I32", [64, 64], 64 * 64 * 4)), StringComparison.Ordinal);
        Assert.Contains($"'{Query}' has the shape [4096]; 2 dimensions", Refuse(f => Replace(f, "F32", [4096], 4096 * 4)), StringComparison.Ordinal);
        Assert.Contains($"'{Query}' has the shape [63, 64]; a multiple of 16 rows", Refuse(f => Replace(f, "F32", [63, 64], 63 * 64 * 4)), StringComparison.Ordinal);
        Assert.Contains($"'{Query}' has the shape [0, 64]", Refuse(f => Replace(f, "F32", [0, 64], 0)), StringComparison.Ordinal);

        static void Replace(ReferenceFolder folder, string type, long[] shape, int bytes)
        {
            folder.Remove(Query);
            folder.AddTensor(Query, type, shape, new byte[bytes]);
        }
    }

    [Fact]
    public void A_folder_that_lacks_a_file_says_which()
    {
        using var folder = new ReferenceFolder("llama-untied-f32");
        folder.Write(2);
        var shard = Path.Combine(folder.Folder, "model-00002-of-00002.safetensors");
        File.Delete(shard);
        Assert.Contains("'model-00002-of-00002.safetensors', which is missing", Assert.Throws<ModelFormatException>(() => ModelFile.Open(folder.Folder).Dispose()).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(folder.Folder, "model.safetensors.index.json"));
        Assert.Contains("neither model.safetensors", Assert.Throws<ModelFormatException>(() => ModelFile.Open(folder.Folder).Dispose()).Message, StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder.Folder, "config.json"), "[1");
        Assert.Contains("config.json is not valid JSON", Assert.Throws<ModelFormatException>(() => ModelFile.Open(folder.Folder).Dispose()).Message, StringComparison.Ordinal);
        File.Delete(Path.Combine(folder.Folder, "config.json"));
        Assert.Contains("config.json is missing", Assert.Throws<ModelFormatException>(() => ModelFile.Open(folder.Folder).Dispose()).Message, StringComparison.Ordinal);
    }

    private static TemporaryFile Quantize(ModelSource source)
    {
        var target = new TemporaryFile();
        var options = new QuantizationOptions { Recipe = QuantizationRecipe.All.Single(r => r.Name == "Q8_0"), Threads = 1 };
        ModelQuantizer.Quantize(source, target.Path, options, null, TestContext.Current.CancellationToken);
        return target;
    }
}
