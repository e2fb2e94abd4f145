using System.Globalization;
using System.Text.Json;

namespace Slm.Cli.Tests;

/// <summary>JSON output against the recorded logits, continuations and token ids of the reference models.</summary>
public sealed class ReferenceTests
{
    public static TheoryData<string> Models =>
        [.. Directory.GetFiles(SlmCommand.Data(""), "*.gguf").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Logits_are_the_recorded_ones(string model)
    {
        var reference = Reference(model);
        var json = (await SlmCommand.RunAsync(["logits", "--model", File(model), "--tokens", Tokens(reference), .. Encoder(reference), "--json"])).Json();
        Assert.Equal(["vocab_size", "positions", "last"], json.EnumerateObject().Select(p => p.Name));
        Assert.Equal(reference.GetProperty("vocab_size").GetInt32(), json.GetProperty("vocab_size").GetInt32());

        var tolerance = Tolerance(reference);
        var last = Floats(json.GetProperty("last"));
        var expectedLast = Floats(reference.GetProperty("last"));
        Assert.Equal(expectedLast.Length, last.Length);
        Assert.True(last.Zip(expectedLast, (a, b) => Math.Abs(a - b)).Max() <= tolerance);

        var positions = json.GetProperty("positions").EnumerateArray().ToArray();
        var expectedPositions = reference.GetProperty("positions").EnumerateArray().ToArray();
        Assert.Equal(expectedPositions.Length, positions.Length);
        for (var p = 0; p < positions.Length; p++)
        {
            var expected = Top(expectedPositions[p]);
            var actual = Top(positions[p]);
            Assert.Equal(20, actual.Length);
            Assert.Equal(actual.OrderByDescending(t => t.Logit).Select(t => t.Id), actual.Select(t => t.Id));
            for (var i = 0; i < actual.Length; i++)
                Assert.True(Math.Abs(actual[i].Logit - expected[i].Logit) <= tolerance, $"position {p}, rank {i}: {actual[i]} instead of {expected[i]}");
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public async Task The_greedy_continuation_is_the_recorded_one(string model)
    {
        var reference = Reference(model);
        var json = (await SlmCommand.RunAsync(
            ["generate", "--model", File(model), "--tokens", Tokens(reference), .. Encoder(reference), "--max-tokens", "16", "--temperature", "0", "--ignore-eos", "--json"])).Json();
        Assert.Equal(["token_ids", "text", "finish_reason", "usage"], json.EnumerateObject().Select(p => p.Name));
        Assert.Equal(Integers(reference.GetProperty("greedy")), Integers(json.GetProperty("token_ids")));
        Assert.Equal("length", json.GetProperty("finish_reason").GetString());
        var usage = json.GetProperty("usage");
        var encoder = reference.TryGetProperty("encoder_tokens", out var input) ? input.GetArrayLength() : 0;
        Assert.Equal(reference.GetProperty("tokens").GetArrayLength() + encoder, usage.GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(16, usage.GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task The_continuation_does_not_depend_on_stages_and_threads()
    {
        var reference = Reference("llama-q8_0");
        var json = (await SlmCommand.RunAsync("generate", "--model", File("llama-q8_0"), "--tokens", Tokens(reference), "--max-tokens", "16",
            "--temperature", "0", "--ignore-eos", "--stages", "2", "--threads", "3", "--json")).Json();
        Assert.Equal(Integers(reference.GetProperty("greedy")), Integers(json.GetProperty("token_ids")));
    }

    [Theory]
    [InlineData("llama-q8_0")]
    [InlineData("llama-untied-f32")]
    public async Task A_text_is_tokenized_as_recorded(string model)
    {
        foreach (var item in Reference(model).GetProperty("tokenize").EnumerateArray())
        {
            var text = item.GetProperty("text").GetString()!;
            var json = (await SlmCommand.RunAsync("tokenize", "--model", File(model), "--text", text, "--json")).Json();
            Assert.Equal(["ids", "pieces"], json.EnumerateObject().Select(p => p.Name));
            Assert.Equal(Integers(item.GetProperty("ids")), Integers(json.GetProperty("ids")));
            Assert.Equal(item.GetProperty("ids").GetArrayLength(), json.GetProperty("pieces").GetArrayLength());
        }
    }

    [Fact]
    public async Task The_same_seed_gives_the_same_answer()
    {
        string[] arguments = ["generate", "--model", File("qwen3-f32"), "--prompt", "Once", "--max-tokens", "12", "--seed", "7", "--json"];
        var first = (await SlmCommand.RunAsync(arguments)).Json();
        var second = (await SlmCommand.RunAsync(arguments)).Json();
        Assert.Equal(7UL, first.GetProperty("usage").GetProperty("seed").GetUInt64());
        Assert.Equal(first.GetProperty("text").GetString(), second.GetProperty("text").GetString());
        Assert.Equal(Integers(first.GetProperty("token_ids")), Integers(second.GetProperty("token_ids")));
    }

    private static string File(string model) => SlmCommand.Data(model + ".gguf");

    private static JsonElement Reference(string model)
    {
        using var document = JsonDocument.Parse(System.IO.File.ReadAllText(SlmCommand.Data(model + ".json")));
        return document.RootElement.Clone();
    }

    private static string Tokens(JsonElement reference) => string.Join(',', Integers(reference.GetProperty("tokens")));

    private static string[] Encoder(JsonElement reference) =>
        reference.TryGetProperty("encoder_tokens", out var tokens) ? ["--encoder-tokens", string.Join(',', Integers(tokens))] : [];

    /// <summary>What the reference allows for weights that are multiplied with reduced activations.</summary>
    private static double Tolerance(JsonElement reference) => reference.GetProperty("tolerance") is var t && t.TryGetProperty("reduced_activations", out var reduced)
        ? reduced.GetProperty("max_abs").GetDouble()
        : t.GetProperty("max_abs").GetDouble();

    private static int[] Integers(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetInt32())];

    private static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(e => float.Parse(e.GetRawText(), CultureInfo.InvariantCulture))];

    private static (int Id, float Logit)[] Top(JsonElement position) =>
        [.. position.GetProperty("top").EnumerateArray().Select(t => (t[0].GetInt32(), t[1].GetSingle()))];
}
