using System.Text.Json;
using System.Text.RegularExpressions;
using Slm.Engine.Formats;
using Slm.Engine.Quantization;
using Slm.Engine.Tests.Formats;

namespace Slm.Engine.Tests.Quantization;

public sealed class RecipeTests
{
    [Fact]
    public void Every_tensor_gets_the_type_that_the_peer_gives_it()
    {
        using var document = JsonDocument.Parse(File.ReadAllText(Path.Combine(PeerTensors.Folder, "recipes.json")));
        var recipes = new HashSet<string>();
        foreach (var spec in document.RootElement.EnumerateArray())
        {
            using var path = Write(spec);
            using var file = GgufFile.Open(path.Path);
            var name = spec.GetProperty("recipe").GetString()!;
            Assert.True(QuantizationRecipe.TryGet(name, out var recipe));
            var types = new RecipeTypes(file, recipe, [], importances: false);
            foreach (var tensor in file.Tensors.Where(t => t.Shape.Count > 1))
            {
                var expected = spec.GetProperty("others").TryGetProperty(tensor.Name, out var other) ? other.GetString() : spec.GetProperty("most").GetString();
                Assert.True(expected == types.TypeOf(tensor).ToString(), $"{name} {spec.GetProperty("layers")} layers: {tensor.Name} {tensor.ShapeText} is {types.TypeOf(tensor)}; the peer has {expected}.");
            }

            recipes.Add(name);
        }

        Assert.Equal(17, recipes.Count);
    }

    [Fact]
    public void Overrides_come_before_rules_and_fall_back_where_columns_do_not_fit()
    {
        using var path = Write(JsonDocument.Parse("""{"arch":"llama","layers":2,"hidden":256,"ffn":96,"heads":4,"kv":4,"experts":0,"tied":false}""").RootElement);
        using var file = GgufFile.Open(path.Path);
        Assert.True(QuantizationRecipe.TryGet("q4_k_m", out var recipe));
        var types = new RecipeTypes(file, recipe, [(new Regex("ffn_down"), TensorType.Q6_K), (new Regex(@"blk\.1\."), TensorType.F16)], importances: false);
        TensorType Of(string name) => types.TypeOf(file.Tensors.Single(t => t.Name == name));
        Assert.Equal(TensorType.Q8_0, Of("blk.0.ffn_down.weight"));
        Assert.Equal(TensorType.Q8_0, Of("blk.1.ffn_down.weight"));
        Assert.Equal(TensorType.F16, Of("blk.1.attn_q.weight"));
        Assert.Equal(TensorType.Q4_K, Of("blk.0.attn_q.weight"));
        Assert.Equal(TensorType.F32, Of("blk.1.attn_norm.weight"));
    }

    /// <summary>A file with the names and columns of a model, and two rows where it has many.</summary>
    private static TemporaryFile Write(JsonElement spec)
    {
        int Get(string key) => spec.GetProperty(key).GetInt32();
        var (hidden, ffn, experts, arch) = (Get("hidden"), Get("ffn"), Get("experts"), spec.GetProperty("arch").GetString()!);
        var writer = new GgufWriter();
        writer.Add("general.architecture", arch);
        writer.Add(arch + ".block_count", (uint)Get("layers"));
        writer.Add(arch + ".attention.head_count", (uint)Get("heads"));
        writer.Add(arch + ".attention.head_count_kv", (uint)Get("kv"));
        if (experts > 0)
            writer.Add(arch + ".expert_count", (uint)experts);
        void Add(string name, params long[] shape) => writer.AddTensor(name + ".weight", TensorType.F32, shape, new byte[shape.Aggregate(4L, (a, b) => a * b)]);
        Add("token_embd", hidden, 2);
        Add("output_norm", hidden);
        if (!spec.GetProperty("tied").GetBoolean())
            Add("output", hidden, 2);
        for (var layer = 0; layer < Get("layers"); layer++)
        {
            var blk = $"blk.{layer}.";
            Add(blk + "attn_norm", hidden);
            foreach (var name in new[] { "attn_q", "attn_k", "attn_v", "attn_output" })
                Add(blk + name, hidden, 2);
            if (experts > 0)
            {
                Add(blk + "ffn_gate_inp", hidden, experts);
                Add(blk + "ffn_gate_exps", hidden, 2, experts);
                Add(blk + "ffn_up_exps", hidden, 2, experts);
                Add(blk + "ffn_down_exps", ffn, 2, experts);
            }
            else
            {
                Add(blk + "ffn_gate", hidden, 2);
                Add(blk + "ffn_up", hidden, 2);
                Add(blk + "ffn_down", ffn, 2);
            }
        }

        var path = new TemporaryFile();
        writer.Write(path.Path);
        return path;
    }
}
