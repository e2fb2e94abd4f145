using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Formats;

/// <summary>Damaged and hostile files: each loads or is refused with a message, within the memory its size allows.</summary>
public sealed class HostileFileTests
{
    /// <summary>
    /// Strings cost two bytes a character and a string object for each eight-byte length; boxed values and lists come on top.
    /// </summary>
    private const int AllocationPerByte = 16;

    private const int AllocationFloor = 256 * 1024;

    [Theory]
    [InlineData("llama-q4_0")]
    [InlineData("qwen3-f32")]
    [InlineData("llama-rope3-bf16")]
    public void A_file_cut_anywhere_is_refused(string name)
    {
        var bytes = File.ReadAllBytes(ReferenceModels.Path(name));
        var random = new Random(1);
        var lengths = Enumerable.Range(0, 60).Concat(Enumerable.Range(0, 100).Select(_ => random.Next(bytes.Length - 1)));
        foreach (var length in lengths)
            Assert.False(Survives(bytes.AsSpan(0, length)), $"cut to {length} bytes");
    }

    [Theory]
    [InlineData("llama-q4_0", 2)]
    [InlineData("llama-untied-f32", 3)]
    [InlineData("qwen2-f32", 4)]
    [InlineData("llama-yarn-f32", 5)]
    public void Flipped_bits_in_the_head_never_do_more_than_refuse(string name, int seed)
    {
        var original = File.ReadAllBytes(ReferenceModels.Path(name));
        var random = new Random(seed);
        var head = HeadBytes(name);
        for (var i = 0; i < 250; i++)
        {
            var bytes = (byte[])original.Clone();
            for (var flips = random.Next(1, 6); flips > 0; flips--)
                bytes[random.Next(head)] ^= (byte)(1 << random.Next(8));
            Survives(bytes);
        }
    }

    [Theory]
    [InlineData("llama-q4_0", 6)]
    [InlineData("qwen3-f32", 7)]
    public void Huge_numbers_over_the_head_never_do_more_than_refuse(string name, int seed)
    {
        ulong[] values = [0, 1, uint.MaxValue, int.MaxValue, 1UL << 63, ulong.MaxValue, ulong.MaxValue - 7, 1UL << 40, 0x7FFF_FFFF_FFFF_FFFF];
        var original = File.ReadAllBytes(ReferenceModels.Path(name));
        var random = new Random(seed);
        var head = HeadBytes(name);
        for (var i = 0; i < 200; i++)
        {
            var bytes = (byte[])original.Clone();
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(random.Next(head - 8)), values[random.Next(values.Length)]);
            Survives(bytes);
        }
    }

    public static IEnumerable<TheoryDataRow<string, byte[], string>> Hostile =>
    [
        new("not GGUF", Encoding.ASCII.GetBytes("this is a text file and no model"), "not a GGUF file"),
        new("empty", [], "too few"),
        new("big-endian magic", Image(0, 0, magic: "FUGG"), "big-endian"),
        new("big-endian version", Image(0, 0, version: 3 << 24), "big-endian"),
        new("version 1", Image(0, 0, version: 1), "version is 1"),
        new("version 99", Image(0, 0, version: 99), "version is 99"),
        new("all the tensors there are", Image(ulong.MaxValue, 0), "number of tensors"),
        new("all the metadata there is", Image(0, ulong.MaxValue), "number of metadata entries"),
        new("endless key", Image(0, 1, U64(ulong.MaxValue), new byte[32]), "metadata key 0"),
        new("empty key", Image(0, 1, U64(0), U32(4), new byte[32]), "metadata key 0"),
        new("endless string", Image(0, 1, Text("k"), U32(8), U64(1UL << 62), new byte[32]), "'k'|k is"),
        new("endless array", Image(0, 1, Text("k"), U32(9), U32(6), U64(1UL << 61), new byte[32]), "'k'"),
        new("array of arrays", Image(0, 1, Text("k"), U32(9), U32(9), U64(3), new byte[64]), "array of arrays"),
        new("unknown value type", Image(0, 1, Text("k"), U32(77), new byte[32]), "type 77"),
        new("unknown element type", Image(0, 1, Text("k"), U32(9), U32(77), U64(1), new byte[32]), "type 77"),
        new("bool of 2", Image(0, 1, Text("k"), U32(7), [2], new byte[32]), "bool"),
        new("key that is no UTF-8", Image(0, 1, U64(2), [0xC3, 0x28], U32(4), new byte[32]), "UTF-8"),
        new("key twice", Image(0, 2, Text("k"), U32(4), U32(1), Text("k"), U32(4), U32(1), new byte[32]), "occurs twice"),
        new("alignment of 3", Image(0, 1, Text("general.alignment"), U32(4), U32(3), new byte[32]), "general.alignment"),
        new("alignment of 0", Image(0, 1, Text("general.alignment"), U32(4), U32(0), new byte[32]), "general.alignment"),
        new("alignment as text", Image(0, 1, Text("general.alignment"), U32(8), Text("32"), new byte[32]), "general.alignment"),
        new("no dimension", Image(1, 0, Text("t"), U32(0), U32(0), U64(0), new byte[64]), "0 dimensions"),
        new("five dimensions", Image(1, 0, Text("t"), U32(5), new byte[64]), "5 dimensions"),
        new("dimension of zero", Image(1, 0, Tensor("t", 0, 0, 0), new byte[64]), "dimension 0"),
        new("overflowing shape", Image(1, 0, Text("t"), U32(4), U64(1UL << 32), U64(1UL << 32), U64(1UL << 32), U64(1UL << 32), U32(0), U64(0), new byte[64]), "dimension"),
        new("unknown type", Image(1, 0, Tensor("t", 8, 500, 0), new byte[64]), "type 500"),
        new("removed type", Image(1, 0, Tensor("t", 8, 4, 0), new byte[64]), "no longer"),
        new("offset inside the file, end outside", Image(1, 0, Tensor("t", 32, 0, 64), new byte[160]), "truncated"),
        new("same offset twice", Image(2, 0, Tensor("a", 8, 0, 0), Tensor("b", 8, 0, 0), new byte[160]), "overlaps"),
        new("too many metadata entries", Image(0, 70_000, new byte[1 << 20]), "at most 65536"),
        new("too many tensors", Image(300_000, 0, new byte[300_000 * 33]), "at most 262144"),
        new("array in the middle of nowhere", Image(0, 1, Text("k"), U32(9), U32(8), U64(4), U64(1), [65], U64(1000), new byte[32]), "'k'"),
        new("rows off the block", Image(1, 0, Tensor("t", 33, 8, 0), new byte[128]), "multiple of 32"),
        new("tensor beyond the end", Image(1, 0, Tensor("t", 8, 0, 1 << 20), new byte[64]), "outside the file"),
        new("offset that overflows", Image(1, 0, Tensor("t", 8, 0, ulong.MaxValue - 31), new byte[64]), "outside the file"),
        new("offset off the alignment", Image(1, 0, Tensor("t", 8, 0, 4), new byte[64]), "alignment"),
        new("overlap", Image(2, 0, Tensor("a", 16, 0, 0), Tensor("b", 8, 0, 32), new byte[160]), "overlaps"),
        new("tensor twice", Image(2, 0, Tensor("t", 8, 0, 0), Tensor("t", 8, 0, 32), new byte[160]), "occurs twice"),
    ];

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_hostile_header_is_refused_for_its_reason(string what, byte[] bytes, string reason)
    {
        using var file = new TemporaryFile(bytes);
        var error = Assert.Throws<ModelFormatException>(() => GgufFile.Open(file.Path).Dispose());
        Assert.True(reason.Split('|').Any(error.Message.Contains), $"{what}: {error.Message}");
    }

    [Fact]
    public void A_huge_file_with_a_hostile_head_costs_little_memory()
    {
        // Sparse: 3 GiB that take no room on the disk. The head claims an array of as many empty strings as would fit.
        var head = Image(0, 1, Text("k"), U32(9), U32(8), U64((3UL << 30) / 8 - 100));
        using var file = new TemporaryFile(head);
        using (var stream = new FileStream(file.Path, FileMode.Open, FileAccess.Write))
            stream.SetLength(3L << 30);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.Throws<ModelFormatException>(() => GgufFile.Open(file.Path).Dispose());
        Assert.Contains("'k'", error.Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, AllocationFloor);
    }

    [Theory]
    [InlineData("llama-q4_0", 8)]
    [InlineData("qwen3-f32", 9)]
    [InlineData("llama-yarn-f32", 10)]
    public async Task A_model_of_mixed_up_parts_is_refused_or_runs(string name, int seed)
    {
        // Every tensor and key stays well-formed but no longer fits the others: what the reader accepts, a stage must check.
        using var original = GgufFile.Open(ReferenceModels.Path(name));
        var random = new Random(seed);
        int refused = 0, ran = 0;
        for (var i = 0; i < 60; i++)
        {
            using var file = new TemporaryFile();
            MixedUp(original, random).Write(file.Path);
            try
            {
                using var model = ModelFile.Open(file.Path);
                await using var pipeline = StepRunner.Load(model, threads: 1);
                var logits = StepRunner.Logits(pipeline, [1, 2, 3], [0], 3);
                Assert.Equal(3 * model.Config.VocabSize, logits.Length);
                ran++;
            }
            catch (ModelFormatException error)
            {
                Assert.NotEmpty(error.Message);
                refused++;
            }
        }
        Assert.True(refused > 5 && ran > 5, $"{refused} were refused and {ran} ran: the test no longer tests both");
    }

    /// <summary>The same file with one key or tensor changed.</summary>
    private static GgufWriter MixedUp(GgufFile file, Random random)
    {
        object[] values = [0u, 1u, 2u, 3u, 16u, 64u, 128u, uint.MaxValue, -1, 1UL << 40, 0f, 1f, float.NaN, 1e-5f, 1e6f, "yarn", true, new[] { 1u, 2u }];
        var keys = file.Metadata.Keys.Where(k => k.StartsWith((string)file.Metadata["general.architecture"], StringComparison.Ordinal)).ToArray();
        var changeKey = random.Next(2) == 0;
        var key = changeKey ? keys[random.Next(keys.Length)] : null;
        var victim = changeKey ? null : file.Tensors[random.Next(file.Tensors.Count)];
        var change = random.Next(5);
        var writer = new GgufWriter();
        foreach (var pair in file.Metadata)
        {
            if (pair.Key != key)
                writer.Add(pair.Key, pair.Value);
            else if (change > 0)
                writer.Add(key, values[random.Next(values.Length)]);
        }
        foreach (var tensor in file.Tensors)
        {
            var data = file.Bytes(tensor).ToArray();
            var (type, shape) = (tensor.Type, tensor.Shape.ToArray());
            if (tensor == victim)
            {
                switch (change)
                {
                    case 0:
                        continue;
                    case 1:
                        shape = [.. shape, 1];
                        break;
                    case 2:
                        (type, shape) = (TensorType.I8, [data.Length]);
                        break;
                    case 3:
                        Array.Reverse(shape);
                        (type, data) = (TensorType.F32, new byte[4 * shape.Aggregate(1L, (a, b) => a * b)]);
                        break;
                    default:
                        (type, data) = (TensorType.F16, new byte[2 * shape.Aggregate(1L, (a, b) => a * b)]);
                        break;
                }
            }
            writer.AddTensor(tensor.Name, type, shape, data);
        }
        return writer;
    }

    [Theory]
    [InlineData("llama.attention.head_count", 0u, "between")]
    [InlineData("llama.attention.head_count", 3u, "multiple")]
    [InlineData("llama.attention.head_count_kv", 3u, "multiple")]
    [InlineData("llama.block_count", 0u, "between")]
    [InlineData("llama.block_count", 4000000000u, "between")]
    [InlineData("llama.embedding_length", 4000000000u, "between")]
    [InlineData("llama.context_length", 0u, "between")]
    [InlineData("llama.rope.dimension_count", 7u, "even")]
    [InlineData("llama.expert_count", 8u, "expert_used_count")]
    [InlineData("llama.vocab_size", 5u, "rows")]
    [InlineData("llama.attention.key_length", 31u, "even")]
    [InlineData("llama.attention.value_length", 8u, "different sizes")]
    [InlineData("llama.feed_forward_length", 0u, "between")]
    [InlineData("llama.rope.scaling.type", 1u, "a string is expected")]
    [InlineData("llama.rope.freq_base", 1u, "a float is expected")]
    public void Absurd_hyper_parameters_name_their_key(string key, uint value, string reason)
    {
        using var original = GgufFile.Open(ReferenceModels.Path("llama-untied-f32"));
        var writer = new GgufWriter();
        foreach (var pair in original.Metadata.Where(p => p.Key != key))
            writer.Add(pair.Key, pair.Value);
        writer.Add(key, value);
        foreach (var tensor in original.Tensors)
            writer.AddTensor(tensor.Name, tensor.Type, tensor.Shape, original.Bytes(tensor).ToArray());
        using var file = new TemporaryFile();
        writer.Write(file.Path);
        var error = Assert.Throws<ModelFormatException>(() => ModelFile.Open(file.Path).Dispose());
        Assert.Contains(reason, error.Message);
        Assert.True(error.Message.Contains(key, StringComparison.Ordinal) || key == "llama.expert_count", error.Message);
    }

    /// <summary>Opens a file: true if it is a model, false if it was refused. Anything else fails the test.</summary>
    private static bool Survives(ReadOnlySpan<byte> bytes)
    {
        using var file = new TemporaryFile(bytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var watch = Stopwatch.StartNew();
        var opened = false;
        try
        {
            using var model = ModelFile.Open(file.Path);
            TouchTensors(model.Source);
            opened = true;
        }
        catch (ModelFormatException error)
        {
            Assert.NotEmpty(error.Message);
        }
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated <= AllocationFloor + (long)AllocationPerByte * bytes.Length, $"{allocated} bytes were allocated for a file of {bytes.Length}");
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), "opening hung");
        return opened;
    }

    /// <summary>Every tensor's first and last byte can be read.</summary>
    private static unsafe void TouchTensors(ModelSource file)
    {
        var sum = 0;
        foreach (var tensor in file.Tensors)
            sum += file.Pointer(tensor)[0] + file.Pointer(tensor)[tensor.ByteLength - 1];
        Assert.True(sum >= 0);
    }

    private static int HeadBytes(string name)
    {
        using var file = GgufFile.Open(ReferenceModels.Path(name));
        return (int)(file.FileBytes - file.Tensors.Max(t => t.Offset + t.ByteLength));
    }

    private static byte[] Image(ulong tensors, ulong entries, params byte[][] parts) => Image(tensors, entries, "GGUF", 3, parts);

    private static byte[] Image(ulong tensors, ulong entries, string magic = "GGUF", uint version = 3, params byte[][] parts) =>
        [.. Encoding.ASCII.GetBytes(magic), .. U32(version), .. U64(tensors), .. U64(entries), .. parts.SelectMany(p => p)];

    private static byte[] U32(uint value) => BitConverter.GetBytes(value);

    private static byte[] U64(ulong value) => BitConverter.GetBytes(value);

    private static byte[] Text(string value) => [.. U64((ulong)value.Length), .. Encoding.ASCII.GetBytes(value)];

    private static byte[] Tensor(string name, ulong columns, uint type, ulong offset) => [.. Text(name), .. U32(1), .. U64(columns), .. U32(type), .. U64(offset)];
}
