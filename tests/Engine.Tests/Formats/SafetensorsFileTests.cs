using System.Buffers.Binary;
using System.Text;
using CsCheck;
using Slm.Engine.Formats;

namespace Slm.Engine.Tests.Formats;

/// <summary>Safetensors files: what is read, and that damaged and hostile ones are refused with their reason.</summary>
public sealed class SafetensorsFileTests
{
    private const string Plain = """{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""";

    [Fact]
    public void Tensors_are_found_with_type_shape_and_bytes()
    {
        var writer = new SafetensorsWriter(alignment: 1)
            .Add("a.weight", "F32", [2, 3], [.. Enumerable.Range(0, 24).Select(i => (byte)i)])
            .Add("ids", "I64", [1], new byte[8])
            .Add("b \"quoted\" ü", "BF16", [], [7, 8])
            .Add("none", "F16", [0, 5], [])
            .Add("half", "F16", [1, 1, 2], [1, 2, 3, 4]);
        writer.Metadata["format"] = "pt";
        using var path = new TemporaryFile(writer.ToArray());
        using var file = SafetensorsFile.Open(path.Path);
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(["a.weight", "ids", "b \"quoted\" ü", "none", "half"], file.Tensors.Select(t => t.Name));
        Assert.True(file.TryGetTensor("a.weight", out var a));
        Assert.Equal([2L, 3L], a.Shape);
        Assert.Equal(TensorType.F32, a.FloatType);
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (byte)i), file.Bytes(a).ToArray());
        Assert.True(file.TryGetTensor("b \"quoted\" ü", out var b));
        Assert.Equal((TensorType.BF16, 1), (file.RequireFloats(b), b.Elements));
        Assert.Equal([7, 8], file.Bytes(b).ToArray());
        Assert.True(file.TryGetTensor("none", out var none));
        Assert.Equal((0, 0), (none.Elements, file.Bytes(none).Length));
        Assert.True(file.TryGetTensor("ids", out var ids));
        Assert.Null(ids.FloatType);
        Assert.Contains("I64", Assert.Throws<ModelFormatException>(() => file.RequireFloats(ids)).Message);
        Assert.False(file.TryGetTensor("other", out _));
    }

    public static IEnumerable<TheoryDataRow<string, byte[], string>> Hostile =>
    [
        new("empty file", [], "too few"),
        new("text", Encoding.ASCII.GetBytes("this is a text file and no model"), "at most 100000000"),
        new("length of all bits", [255, 255, 255, 255, 255, 255, 255, 255, .. "{}"u8], "at most 100000000"),
        new("header longer than the file", [200, 0, 0, 0, 0, 0, 0, 0, .. "{}"u8], "truncated"),
        new("no JSON", Image("not json"), "not valid JSON"),
        new("no header", Image(""), "not valid JSON"),
        new("an array", Image("[]"), "an object"),
        new("unfinished", Image(Plain[..^1]), "not valid JSON"),
        new("something behind", Image(Plain + "1"), "not valid JSON|follows"),
        new("no UTF-8", [12, 0, 0, 0, 0, 0, 0, 0, .. "{\""u8, 0xC3, 0x28, .. "\":{}}   "u8], "not valid JSON"),
        new("nesting", Image("{\"t\":" + new string('[', 100) + new string(']', 100) + "}"), "must be an object"),
        new("deep metadata", Image("{\"__metadata__\":{\"a\":{}}}"), "a string"),
        new("metadata twice", Image("{\"__metadata__\":{},\"__metadata__\":{}}"), "twice"),
        new("metadata key twice", Image("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}"), "twice"),
        new("tensor twice", Image("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}"), "'t' occurs twice"),
        new("tensor twice, escaped", Image("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"\\u0074\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}"), "'t' occurs twice"),
        new("field twice", Image("{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"), "'dtype' of the tensor 't' occurs twice"),
        new("empty name", Image(Plain.Replace("\"t\"", "\"\"")), "empty name"),
        new("unknown field", Image(Plain.Replace("\"shape\"", "\"strides\"")), "'strides'"),
        new("no type", Image("{\"t\":{\"shape\":[2],\"data_offsets\":[0,8]}}"), "no 'dtype'"),
        new("no shape", Image("{\"t\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}"), "no 'shape'"),
        new("no offsets", Image("{\"t\":{\"dtype\":\"F32\",\"shape\":[2]}}"), "no 'data_offsets'"),
        new("unknown type", Image(Plain.Replace("F32", "F128")), "'F128'"),
        new("negative dimension", Image(Plain.Replace("[2]", "[-2]")), "no integer"),
        new("fraction", Image(Plain.Replace("[2]", "[2.5]")), "no integer"),
        new("beyond 64 bits", Image(Plain.Replace("[2]", "[99999999999999999999]")), "no integer"),
        new("text as a number", Image(Plain.Replace("[2]", "[\"2\"]")), "no integer"),
        new("too many dimensions", Image(Plain.Replace("[2]", "[2,1,1,1,1,1,1,1,1]")), "more than 8"),
        new("overflowing shape", Image(Plain.Replace("[2]", "[4294967296,4294967296,4294967296]")), "larger than a file can be"),
        new("shape that wraps round to the right size", Image(Plain.Replace("[2]", "[2,4611686018427387904,4]")), "larger than a file can be"),
        new("other size", Image(Plain.Replace("[2]", "[3]")), "[3] needs 96 bits"),
        new("three offsets", Image(Plain.Replace("[0,8]", "[0,8,8]")), "more than 2"),
        new("one offset", Image(Plain.Replace("[0,8]", "[8]")), "data_offsets [8]"),
        new("offsets reversed", Image(Plain.Replace("[0,8]", "[8,0]")), "data_offsets [8, 0]"),
        new("beyond the end", Image(Plain.Replace("[0,8]", "[4,12]")), "truncated"),
        new("huge offset", Image(Plain.Replace("[0,8]", "[9223372036854775799,9223372036854775807]")), "truncated"),
        new("overlap", Image("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"u\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}"), "overlaps 't'"),
        new("same place twice", Image("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"u\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"), "overlaps"),
        new("gap", Image("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}"), "4 bytes of no tensor between"),
        new("bytes behind", Image("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"), "4 bytes of no tensor after"),
        new("half a byte", Image(Plain.Replace("F32", "F4").Replace("[2]", "[15]")), "needs 60 bits"),
    ];

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_hostile_file_is_refused_for_its_reason(string what, byte[] bytes, string reason)
    {
        using var path = new TemporaryFile(bytes);
        var error = Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(path.Path).Dispose());
        Assert.True(reason.Split('|').Any(error.Message.Contains), $"{what}: {error.Message}");
        Assert.StartsWith(Path.GetFileName(path.Path), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused()
    {
        var bytes = Valid();
        for (var length = 0; length < bytes.Length; length++)
            Assert.False(Survives(bytes[..length]), $"cut to {length} bytes");
        Assert.True(Survives(bytes));
    }

    [Fact]
    public void Mutated_files_are_read_within_bounds_or_refused()
    {
        var valid = Valid();
        var mutation = Gen.Select(Gen.Int[0, valid.Length - 1], Gen.Byte).Array[1, 6];
        mutation.Sample(
            changes =>
            {
                var bytes = (byte[])valid.Clone();
                foreach (var (at, value) in changes)
                    bytes[at] = value;
                Survives(bytes);
            },
            seed: "0000KOIXgPk3",
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public void Whatever_offsets_and_shapes_a_header_claims_only_true_ones_are_read()
    {
        long[] large = [4, 8, 16, 1L << 62, long.MaxValue, 1L << 32];
        string[] types = ["F32", "BF16", "U8", "F4", "F64"];
        var number = Gen.OneOf(Gen.Long[0, 20], Gen.Int[0, large.Length - 1].Select(i => large[i]));
        Gen.Select(number.Array[0, 4], Gen.OneOf(Gen.Const(0L), number), Gen.OneOf(Gen.Const(16L), number), Gen.Int[0, types.Length - 1].Select(i => types[i])).Sample(
            (shape, from, to, type) =>
            {
                var header = $"{{\"t\":{{\"dtype\":\"{type}\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{from},{to}]}}}}";
                var bits = type switch { "F32" => 32, "BF16" => 16, "U8" => 8, "F4" => 4, _ => 64 };
                var needed = shape.Aggregate((System.Numerics.BigInteger)bits, (product, n) => product * n);
                var right = from == 0 && to == 16 && needed == 128;
                Assert.Equal(right, Survives(SafetensorsWriter.Image(header, new byte[16])));
            },
            seed: "0000KOIXgPk3",
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public void A_header_of_the_greatest_length_costs_little_memory()
    {
        // Sparse: 200 MB that take no room on the disk; the header is zeros.
        using var path = new TemporaryFile([0, 0xE1, 0xF5, 0x05, 0, 0, 0, 0]);
        using (var stream = new FileStream(path.Path, FileMode.Open, FileAccess.Write))
            stream.SetLength(200_000_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<ModelFormatException>(() => SafetensorsFile.Open(path.Path).Dispose());
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 256 * 1024);
    }

    private static byte[] Valid() => new SafetensorsWriter()
        .Add("a", "F32", [2, 2], new byte[16]).Add("b", "BF16", [3], new byte[6]).Add("c", "I64", [], new byte[8]).ToArray();

    private static byte[] Image(string header) => SafetensorsWriter.Image(header, new byte[8]);

    /// <summary>True if the file is accepted, after reading every byte of every tensor.</summary>
    private static bool Survives(byte[] bytes)
    {
        using var path = new TemporaryFile(bytes);
        try
        {
            using var file = SafetensorsFile.Open(path.Path);
            var sum = 0L;
            foreach (var tensor in file.Tensors)
            {
                foreach (var value in file.Bytes(tensor))
                    sum += value;
            }

            Assert.InRange(sum, 0, 255L * bytes.Length);
            Assert.Equal(bytes.Length - 8 - BinaryPrimitives.ReadInt64LittleEndian(bytes), file.Tensors.Sum(t => t.ByteLength));
            return true;
        }
        catch (ModelFormatException error)
        {
            Assert.NotEmpty(error.Message);
            return false;
        }
    }
}
