using System.Runtime.InteropServices;
using Slm.Engine.Adapters;
using Slm.Engine.Formats;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Adapters;

/// <summary>What an adapter file must be, and what is said where it is not.</summary>
public sealed class LoraFormatTests
{
    private const string Model = "llama-untied-f32";
    private const string Tensor = "blk.0.attn_q.weight";

    [Fact]
    public void An_adapter_says_what_it_changes()
    {
        using var model = ReferenceModel.Open(Model);
        using var file = LoraFiles.Write("llama", LoraFiles.Random(model.Source, [Tensor, "output.weight"], 6, seed: 1), 12);
        using var adapter = LoraAdapter.Open(file.Path, model, 0.5f);
        Assert.Equal([Tensor, "output.weight"], adapter.Tensors);
        Assert.Equal((6, 12f, 0.5f), (adapter.Rank, adapter.Alpha, adapter.Strength));
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file.Path))), adapter.Sha256);
        Assert.Equal(Path.GetFileNameWithoutExtension(file.Path), adapter.Name);
        Assert.Equal(6 * (model.Config.HiddenSize + (long)(model.Config.HeadCount * model.Config.HeadSize) + model.Config.HiddenSize + model.Config.VocabSize), adapter.ParameterCount);
        using var stronger = LoraAdapter.Open(file.Path, model);
        Assert.NotEqual(stronger.Identity, adapter.Identity);
    }

    [Fact]
    public void A_model_is_no_adapter()
    {
        using var model = ReferenceModel.Open(Model);
        Refused(model.Source.Path, "general.type", "general.type", "not an adapter");
    }

    [Fact]
    public void A_file_that_is_no_gguf_is_refused()
    {
        using var file = new TemporaryFile(new byte[100]);
        Refused(file.Path, Path.GetFileName(file.Path), "not a GGUF file");
    }

    [Fact]
    public void Another_architecture_is_refused()
    {
        using var file = Write(w => { }, architecture: "qwen2");
        Refused(file.Path, "general.architecture", "\"qwen2\"", "\"llama\" is expected", "trained on");
    }

    [Theory]
    [InlineData(null, "'adapter.type' is missing")]
    [InlineData("control_vector", "\"control_vector\"")]
    public void Another_kind_of_adapter_is_refused(string? type, string said)
    {
        using var file = LoraFiles.Write("llama", [], 1, null, type);
        Refused(file.Path, "adapter.type", said, "Only LoRA");
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Alpha_must_be_a_number(object alpha)
    {
        using var file = LoraFiles.Write("llama", [], null, w => w.Add("adapter.lora.alpha", alpha));
        Refused(file.Path, "adapter.lora.alpha", "finite 32-bit float");
    }

    [Fact]
    public void Activated_adapters_are_refused_by_name()
    {
        using var file = Write(w => w.Add("adapter.alora.invocation_tokens", new uint[] { 1, 2 }));
        Refused(file.Path, "adapter.alora.invocation_tokens", "activated LoRA");
    }

    [Fact]
    public void An_adapter_without_tensors_is_refused()
    {
        using var file = Write(w => { });
        Refused(file.Path, "tensors", "no tensor");
    }

    [Theory]
    [InlineData(".lora_a", ".lora_b")]
    [InlineData(".lora_b", ".lora_a")]
    public void Half_a_pair_is_refused(string there, string missing)
    {
        using var file = Write(w => Add(w, Tensor + there, 64, 4));
        Refused(file.Path, Tensor, Tensor + there, Tensor + missing);
    }

    [Fact]
    public void Whole_weights_are_refused_by_name()
    {
        using var file = Write(w =>
        {
            Pair(w, Tensor, 4);
            Add(w, "blk.0.attn_norm.weight", 64);
        });
        Refused(file.Path, "blk.0.attn_norm.weight", "'blk.0.attn_norm.weight'", "modules_to_save", "merge");
    }

    [Theory]
    [InlineData("blk.99.attn_q.weight", "does not have")]
    [InlineData("blk.0.attn_norm.weight", "only matrices")]
    public void An_unknown_tensor_is_refused(string tensor, string said)
    {
        using var file = Write(w => Pair(w, tensor, 4));
        Refused(file.Path, tensor + ".lora_a", $"'{tensor}'", said);
    }

    [Fact]
    public void Different_ranks_are_refused()
    {
        using var file = Write(w =>
        {
            Add(w, Tensor + ".lora_a", 64, 4);
            Add(w, Tensor + ".lora_b", 8, 64);
        });
        Refused(file.Path, Tensor + ".lora_a", "ranks differ", "[64, 4]", "[8, 64]");
    }

    [Theory]
    [InlineData(32, 64, ".lora_a", "[32, 4]")]
    [InlineData(64, 96, ".lora_b", "[4, 96]")]
    public void Other_shapes_are_refused(int columns, int rows, string half, string shape)
    {
        using var file = Write(w =>
        {
            Add(w, Tensor + ".lora_a", columns, 4);
            Add(w, Tensor + ".lora_b", 4, rows);
        });
        Refused(file.Path, Tensor + half, shape, "would fit", "another model");
    }

    [Fact]
    public void An_unreadable_type_is_refused()
    {
        using var file = Write(w =>
        {
            w.AddTensor(Tensor + ".lora_a", TensorType.I32, [64, 4], new byte[64 * 4 * 4]);
            Add(w, Tensor + ".lora_b", 4, 64);
        });
        Refused(file.Path, Tensor + ".lora_a", "is I32", "Supported: F32");
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public async Task A_value_that_is_no_number_is_refused_when_it_is_loaded(float value)
    {
        using var model = ReferenceModel.Open(Model);
        var pair = LoraFiles.Random(model.Source, [Tensor], 4, seed: 1)[0];
        pair.B[17] = value;
        using var file = LoraFiles.Write("llama", [pair], 4);
        using var adapter = LoraAdapter.Open(file.Path, model);
        await using var pipeline = StepRunner.Load(model);
        var error = await Assert.ThrowsAsync<AdapterFormatException>(async () => await pipeline.LoadAdapterAsync(1, adapter, CancellationToken.None));
        Assert.Contains($"'{Tensor}.lora_b'", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(async () =>
        {
            var batch = new Execution.StepBatch();
            batch.Add([1], 0, [0], 1, adapter: 1);
            await pipeline.ForwardAsync(batch, Execution.StepOutput.Logits, CancellationToken.None);
        });
    }

    [Theory]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.BF16)]
    public async Task Half_precision_is_read_exactly(TensorType type)
    {
        using var model = ReferenceModel.Open(Model);
        var pair = LoraFiles.Random(model.Source, [Tensor], 4, seed: 1)[0];
        byte[] Bytes(float[] values) => type == TensorType.F16
            ? MemoryMarshal.AsBytes<Half>(values.Select(v => (Half)v).ToArray()).ToArray()
            : MemoryMarshal.AsBytes<ushort>(values.Select(v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)).ToArray()).ToArray();
        float[] Rounded(float[] values) => [.. values.Select(v => type == TensorType.F16 ? (float)(Half)v : BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(v) & 0xFFFF0000))];
        using var half = Write(w =>
        {
            w.AddTensor(Tensor + ".lora_a", type, [pair.Columns, 4], Bytes(pair.A));
            w.AddTensor(Tensor + ".lora_b", type, [4, pair.Rows], Bytes(pair.B));
        });
        using var full = LoraFiles.Write("llama", [pair with { A = Rounded(pair.A), B = Rounded(pair.B) }], 4);
        await using var one = await LoraTests.Load(model, half.Path);
        await using var other = await LoraTests.Load(model, full.Path);
        Assert.Equal(Logits(other), Logits(one));
    }

    private static float[] Logits(Execution.LocalPipeline pipeline)
    {
        var batch = new Execution.StepBatch();
        batch.Add([1, 2, 3, 4, 5], 0, [0], 5, adapter: 1);
        return StepRunner.Forward(pipeline, batch).ToArray();
    }

    private static void Refused(string path, string subject, params string[] said)
    {
        using var model = ReferenceModel.Open(Model);
        var error = Assert.Throws<AdapterFormatException>(() => LoraAdapter.Open(path, model).Dispose());
        Assert.StartsWith($"Adapter '{Path.GetFileNameWithoutExtension(path)}': ", error.Message, StringComparison.Ordinal);
        Assert.StartsWith(subject, error.Subject, StringComparison.Ordinal);
        foreach (var part in said)
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    private static TemporaryFile Write(Action<GgufWriter> more, string architecture = "llama") => LoraFiles.Write(architecture, [], 4, more);

    private static void Pair(GgufWriter writer, string tensor, int rank)
    {
        Add(writer, tensor + ".lora_a", 64, rank);
        Add(writer, tensor + ".lora_b", rank, 64);
    }

    private static void Add(GgufWriter writer, string name, params long[] shape) =>
        LoraFiles.Add(writer, name, shape, [.. Enumerable.Range(0, (int)shape.Aggregate(1L, (p, n) => p * n)).Select(i => (i % 7) - 3f)]);
}
