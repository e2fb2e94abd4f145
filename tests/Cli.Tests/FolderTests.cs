using System.Text.Json;
using System.Text.Json.Nodes;
using Slm.Engine.Formats;
using Slm.Engine.Tests.HuggingFace;

namespace Slm.Cli.Tests;

/// <summary>Hugging Face folders on the command line: as models, as names of the catalog, and as what is quantized.</summary>
public sealed class FolderTests : IDisposable
{
    private const string Name = "qwen3-f32";

    private readonly ReferenceFolder _folder = new(Name);

    public FolderTests()
    {
        _folder.Write(2);
        using var gguf = GgufFile.Open(SlmCommand.Data(Name + ".gguf"));
        WriteTokenizer(gguf.Metadata);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_folder_answers_as_the_file_it_was_made_of()
    {
        string[] arguments = ["--prompt", "Once upon a time", "--max-tokens", "12", "--temperature", "0.8", "--seed", "4", "--json"];
        var file = (await SlmCommand.RunAsync(["generate", "--model", SlmCommand.Data(Name + ".gguf"), .. arguments])).Json();
        var folder = (await SlmCommand.RunAsync(["generate", "--model", _folder.Folder, .. arguments])).Json();
        Assert.Equal(file.GetProperty("token_ids").GetRawText(), folder.GetProperty("token_ids").GetRawText());
        Assert.Equal(file.GetProperty("text").GetString(), folder.GetProperty("text").GetString());
    }

    [Fact]
    public async Task A_folder_is_described_by_its_name_in_the_catalog()
    {
        var environment = new Dictionary<string, string> { ["Slm__Models"] = Path.GetDirectoryName(_folder.Folder)! };
        var name = Path.GetFileName(_folder.Folder);
        var described = (await SlmCommand.RunAsync(environment, null, "describe", "--model", name, "--json")).Json();
        Assert.Equal(name, described.GetProperty("model").GetProperty("model").GetString());
        Assert.Equal("qwen3", described.GetProperty("model").GetProperty("architecture").GetString());
        Assert.Equal("huggingface", described.GetProperty("tokenizer").GetString());
        Assert.True(described.GetProperty("has_chat_template").GetBoolean());
    }

    [Fact]
    public async Task What_is_quantized_from_a_folder_keeps_its_tokenizer()
    {
        var target = Path.Combine(_folder.Folder, "small.gguf");
        var result = await SlmCommand.RunAsync("quantize", _folder.Folder, target, "--type", "Q8_0", "--json");
        Assert.True(result.ExitCode == 0, result.Error);
        using var record = JsonDocument.Parse(await File.ReadAllTextAsync(SlmCommand.Data(Name + ".json"), TestContext.Current.CancellationToken));
        foreach (var path in new[] { _folder.Folder, target })
        {
            foreach (var item in record.RootElement.GetProperty("tokenize").EnumerateArray())
            {
                var json = (await SlmCommand.RunAsync("tokenize", "--model", path, "--text", item.GetProperty("text").GetString()!, "--json")).Json();
                Assert.Equal(item.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()), json.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()));
            }
        }
    }

    [Fact]
    public async Task Weights_alone_and_folders_of_other_kinds_are_refused_in_one_line()
    {
        var weights = await SlmCommand.RunAsync("describe", "--model", Path.Combine(_folder.Folder, "model-00001-of-00002.safetensors"));
        Assert.Equal(1, weights.ExitCode);
        Assert.Contains("has only weights", weights.Error, StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(_folder.Folder, "config.json"), """{"model_type":"rwkv"}""", TestContext.Current.CancellationToken);
        var other = await SlmCommand.RunAsync("describe", "--model", _folder.Folder);
        Assert.Equal(1, other.ExitCode);
        Assert.Contains("the model_type 'rwkv' is not supported. Supported: bert,", other.Error, StringComparison.Ordinal);
        Assert.Single(other.Error.TrimEnd('\n').Split('\n'));
    }

    /// <summary>The byte-level tokenizer of the file as Hugging Face writes it.</summary>
    private void WriteTokenizer(IReadOnlyDictionary<string, object> metadata)
    {
        var tokens = (string[])metadata["tokenizer.ggml.tokens"];
        var types = (int[])metadata["tokenizer.ggml.token_type"];
        var (vocabulary, added) = (new JsonObject(), new JsonArray());
        for (var id = 0; id < tokens.Length; id++)
        {
            if (types[id] == 3)
                added.Add(new JsonObject { ["id"] = id, ["content"] = tokens[id], ["special"] = true });
            else
                vocabulary[tokens[id]] = id;
        }

        var merges = new JsonArray([.. ((string[])metadata["tokenizer.ggml.merges"]).Select(m => (JsonNode)m)]);
        Write("tokenizer.json", new JsonObject
        {
            ["added_tokens"] = added,
            ["pre_tokenizer"] = JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}"""),
            ["decoder"] = JsonNode.Parse("""{"type":"ByteLevel"}"""),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = merges },
        });
        Write("tokenizer_config.json", new JsonObject
        {
            ["bos_token"] = tokens[(int)(uint)metadata["tokenizer.ggml.bos_token_id"]],
            ["eos_token"] = tokens[(int)(uint)metadata["tokenizer.ggml.eos_token_id"]],
            ["add_bos_token"] = false,
            ["chat_template"] = "{{ messages[0].content }}",
        });
    }

    private void Write(string name, JsonObject json) => File.WriteAllText(Path.Combine(_folder.Folder, name), json.ToJsonString());
}
