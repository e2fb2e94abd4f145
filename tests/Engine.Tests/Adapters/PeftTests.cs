using System.Runtime.InteropServices;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Adapters;

/// <summary>Folders of PEFT: the bits of the same adapter in GGUF form, and what is refused.</summary>
public sealed class PeftTests
{
    private const int Rank = 4;
    private const string Q = "base_model.model.model.layers.0.self_attn.q_proj.";

    public static TheoryData<string> Models =>
        ["llama-untied-f32", "llama-tied-f16", "llama-q4_0", "llama-moe-f16", "qwen2-f32", "qwen3-f32", "qwen3moe-f32", "gemma3-f32", "minicpm-f32", "smallthinker-f32", "plm-f32"];

    [Theory]
    [MemberData(nameof(Models))]
    public async Task A_folder_gives_the_bits_of_the_same_adapter_in_gguf(string name)
    {
        using var model = ReferenceModel.Open(name);
        var pairs = LoraFiles.Random(model.Source, LoraFiles.Matrices(model.Source), Rank, seed: 1);
        using var gguf = LoraFiles.Write(model.Config.Architecture, pairs, 8 * Rank);
        using var peft = new PeftFolder(PeftFolder.Config(Rank, 8 * Rank), PeftFolder.Tensors(model, pairs));
        var expected = await Logits(model, gguf.Path);
        Assert.Equal(expected, await Logits(model, peft.Path));
        Assert.Equal(expected, await Logits(model, Path.Combine(peft.Path, "adapter_config.json")));
        Assert.Equal(expected, await Logits(model, Path.Combine(peft.Path, "adapter_model.safetensors")));
    }

    /// <summary>The second pattern fits as well, but comes later.</summary>
    [Fact]
    public async Task Ranks_and_alphas_by_pattern_and_rank_stabilized_scales_are_honoured()
    {
        using var model = ReferenceModel.Open("qwen2-f32");
        var large = LoraFiles.Random(model.Source, ["blk.0.attn_q.weight", "blk.1.attn_q.weight"], 9, seed: 1);
        var small = LoraFiles.Random(model.Source, ["blk.0.ffn_up.weight"], Rank, seed: 2);
        const string Patterns = """, "rank_pattern": {"layers\\.[0-9]+\\.self_attn\\.q_proj": 9}, "alpha_pattern": {"0.self_attn.q_proj": 18, "q_proj": 27}""";
        using var peft = new PeftFolder(PeftFolder.Config(Rank, 8, Patterns), PeftFolder.Tensors(model, [.. large, .. small]));
        // Scales of 2, 3 and 2: in GGUF those of one α and strengths in the numbers.
        using var gguf = LoraFiles.Write("qwen2", [Scaled(large[0], 2f * 9), Scaled(large[1], 3f * 9), Scaled(small[0], 2f * Rank)], 1);
        Assert.Equal(0, Difference(await Logits(model, gguf.Path), await Logits(model, peft.Path)), 1e-4);

        var stable = Patterns.Replace("18", "6", StringComparison.Ordinal).Replace("27", "9", StringComparison.Ordinal);
        var config = PeftFolder.Config(Rank, 4, stable).Replace("\"use_rslora\": false", "\"use_rslora\": true", StringComparison.Ordinal);
        using var root = new PeftFolder(config, PeftFolder.Tensors(model, [.. large, .. small]));
        Assert.Equal(0, Difference(await Logits(model, gguf.Path), await Logits(model, root.Path)), 1e-4);
    }

    [Fact]
    public async Task Experts_without_a_pair_stay_as_they_are()
    {
        using var model = ReferenceModel.Open("qwen3moe-f32");
        var pair = LoraFiles.Random(model.Source, ["blk.0.ffn_up_exps.weight"], Rank, seed: 1)[0];
        Array.Clear(pair.B, 0, pair.Rows * Rank);
        using var gguf = LoraFiles.Write("qwen3moe", [pair], Rank);
        var tensors = new SafetensorsWriter();
        for (var e = 1; e < pair.Experts; e++)
        {
            PeftFolder.Add(tensors, $"base_model.model.model.layers.0.mlp.experts.{e}.up_proj.lora_A.weight", [Rank, pair.Columns], pair.A.AsSpan(e * Rank * pair.Columns, Rank * pair.Columns).ToArray());
            PeftFolder.Add(tensors, $"base_model.model.model.layers.0.mlp.experts.{e}.up_proj.lora_B.weight", [pair.Rows, Rank], pair.B.AsSpan(e * Rank * pair.Rows, Rank * pair.Rows).ToArray());
        }

        using var peft = new PeftFolder(PeftFolder.Config(Rank, Rank), tensors);
        Assert.Equal(await Logits(model, gguf.Path), await Logits(model, peft.Path));
    }

    [Theory]
    [InlineData("F16")]
    [InlineData("BF16")]
    public async Task Half_precision_and_names_with_the_adapters_are_read(string type)
    {
        using var model = ReferenceModel.Open("qwen2-f32");
        var pair = LoraFiles.Random(model.Source, ["blk.0.attn_q.weight"], Rank, seed: 1)[0];
        float Round(float v) => type == "F16" ? (float)(Half)v : BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(v) & 0xFFFF0000);
        byte[] Bytes(float[] values) => type == "F16"
            ? MemoryMarshal.AsBytes<Half>(values.Select(v => (Half)v).ToArray()).ToArray()
            : MemoryMarshal.AsBytes<ushort>(values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)).ToArray()).ToArray();
        var tensors = new SafetensorsWriter().Add(Q + "lora_A.default.weight", type, [Rank, pair.Columns], Bytes(pair.A)).Add(Q + "lora_B.default.weight", type, [pair.Rows, Rank], Bytes(pair.B));
        using var peft = new PeftFolder(PeftFolder.Config(Rank, Rank), tensors);
        using var gguf = LoraFiles.Write("qwen2", [pair with { A = [.. pair.A.Select(Round)], B = [.. pair.B.Select(Round)] }], Rank);
        Assert.Equal(await Logits(model, gguf.Path), await Logits(model, peft.Path));
    }

    [Theory]
    [InlineData("peft_type", "\"peft_type\": \"LORA\"", "\"peft_type\": \"IA3\"", "IA3")]
    [InlineData("use_dora", "\"use_dora\": false", "\"use_dora\": true", "DoRA")]
    [InlineData("modules_to_save", "\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]", "lm_head")]
    [InlineData("bias", "\"bias\": \"none\"", "\"bias\": \"all\"", "'all'")]
    [InlineData("r", "\"r\": 4", "\"r\": 0", "is 0")]
    [InlineData("r", "\"r\": 4", "\"r\": \"4\"", "whole number")]
    [InlineData("lora_alpha", "\"lora_alpha\": 8,", "", "missing")]
    [InlineData("use_rslora", "\"use_rslora\": false", "\"use_rslora\": 1", "true or false")]
    [InlineData("fan_in_fan_out", "\"bias\"", "\"fan_in_fan_out\": true, \"bias\"", "transposed")]
    [InlineData("init_lora_weights", "\"bias\"", "\"init_lora_weights\": \"pissa\", \"bias\"", "base model")]
    [InlineData("layer_replication", "\"bias\"", "\"layer_replication\": [[0, 1]], \"bias\"", "[[0, 1]]")]
    [InlineData("rank_pattern", "\"bias\"", "\"rank_pattern\": {\"q_proj\": 0}, \"bias\"", "from 1 on")]
    [InlineData("rank_pattern", "\"bias\"", "\"rank_pattern\": {\"(?=q)q\": 3}, \"bias\"", "cannot be used")]
    [InlineData("adapter_config.json", "{", "[", "JSON")]
    public void A_configuration_that_asks_for_more_is_refused_by_its_field(string field, string what, string instead, string said)
    {
        using var model = ReferenceModel.Open("qwen2-f32");
        var pairs = LoraFiles.Random(model.Source, ["blk.0.attn_q.weight"], Rank, seed: 1);
        using var peft = new PeftFolder(PeftFolder.Config(Rank, 8).Replace(what, instead, StringComparison.Ordinal), PeftFolder.Tensors(model, pairs));
        var error = Assert.Throws<AdapterFormatException>(() => LoraAdapter.Open(peft.Path, model).Dispose());
        Assert.Equal(field, error.Subject);
        Assert.Contains(said, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("lora_A.weight", "lora_magnitude_vector.weight", "DoRA")]
    [InlineData("lora_B.weight", "base_layer.weight", "merge")]
    [InlineData("q_proj", "rotary", "does not have|do not have")]
    [InlineData("layers.0", "layers.7", "does not have")]
    public void Tensors_that_fit_nothing_are_refused_by_name(string what, string instead, string said)
    {
        using var model = ReferenceModel.Open("qwen2-f32");
        var pairs = LoraFiles.Random(model.Source, ["blk.0.attn_q.weight"], Rank, seed: 1);
        using var peft = new PeftFolder(PeftFolder.Config(Rank, 8), PeftFolder.Tensors(model, pairs, n => n.Replace(what, instead, StringComparison.Ordinal)));
        var error = Assert.Throws<AdapterFormatException>(() => LoraAdapter.Open(peft.Path, model).Dispose());
        Assert.Contains(instead, error.Subject, StringComparison.Ordinal);
        Assert.Matches(said, error.Message);
    }

    [Fact]
    public void A_rank_other_than_the_configurations_is_refused_with_both()
    {
        using var model = ReferenceModel.Open("qwen2-f32");
        var pairs = LoraFiles.Random(model.Source, ["blk.0.attn_q.weight"], 5, seed: 1);
        using var peft = new PeftFolder(PeftFolder.Config(Rank, 8), PeftFolder.Tensors(model, pairs));
        var error = Assert.Throws<AdapterFormatException>(() => LoraAdapter.Open(peft.Path, model).Dispose());
        Assert.Contains("rank 5", error.Message, StringComparison.Ordinal);
        Assert.Contains("gives it 4", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_that_are_missing_or_no_safetensors_are_named()
    {
        using var model = ReferenceModel.Open("qwen2-f32");
        void Refused(PeftFolder folder, string subject)
        {
            using (folder)
                Assert.Equal(subject, Assert.Throws<AdapterFormatException>(() => LoraAdapter.Open(folder.Path, model).Dispose()).Subject);
        }

        Refused(new PeftFolder("", new SafetensorsWriter()), "adapter_config.json");
        Refused(new PeftFolder(PeftFolder.Config(Rank, 8), null), "adapter_model.safetensors");
        Refused(new PeftFolder(PeftFolder.Config(Rank, 8), new SafetensorsWriter()), "adapter_model.safetensors");
        var damaged = new PeftFolder(PeftFolder.Config(Rank, 8), null);
        File.WriteAllBytes(Path.Combine(damaged.Path, "adapter_model.safetensors"), new byte[50]);
        Refused(damaged, "adapter_model.safetensors");
        using var other = ReferenceModel.Open("mamba2-f32");
        using var peft = new PeftFolder(PeftFolder.Config(Rank, 8), new SafetensorsWriter());
        Assert.Contains("Convert it to GGUF", Assert.Throws<AdapterFormatException>(() => LoraAdapter.Open(peft.Path, other).Dispose()).Message, StringComparison.Ordinal);
    }

    private static LoraNumbers Scaled(LoraNumbers pair, float factor) => pair with { B = [.. pair.B.Select(v => v * factor)] };

    private static async Task<float[]> Logits(ModelFile model, string adapter)
    {
        await using var pipeline = await LoraTests.Load(model, adapter);
        var batch = new StepBatch();
        batch.Add([.. Enumerable.Range(3, 40)], 0, [3, 1], 40, stateSlot: 0, adapter: 1);
        return StepRunner.Forward(pipeline, batch).ToArray();
    }

    private static double Difference(float[] expected, float[] actual) => expected.Zip(actual, (a, b) => Math.Abs((double)a - b)).Max();
}
