using System.Text.Json;
using Slm.Engine.Formats;

namespace Slm.Cli.Tests;

public sealed class CommandTests
{
    private static readonly string Model = SlmCommand.Data("llama-q8_0.gguf");

    [Fact]
    public async Task Bench_measures_in_the_documented_shape()
    {
        var json = (await SlmCommand.RunAsync("bench", "--model", Model, "--prompt-tokens", "100", "--gen-tokens", "20", "--threads", "2", "--sequences", "3", "--json")).Json();
        Assert.Equal(["load_ms", "prefill_tokens_per_s", "decode_tokens_per_s", "peak_rss_mib"], json.EnumerateObject().Select(p => p.Name));
        Assert.All(json.EnumerateObject(), p => Assert.True(p.Value.GetDouble() > 0, p.Name));
    }

    [Fact]
    public async Task Speculation_changes_nothing_but_the_number_of_steps()
    {
        string[] generate = ["generate", "--model", Model, "--tokens", "5,6,7,5,6,7,5,6", "--max-tokens", "40", "--seed", "3", "--ignore-eos", "--json"];
        var plain = (await SlmCommand.RunAsync(generate)).Json();
        var drafted = (await SlmCommand.RunAsync([.. generate, "--draft-model", Model])).Json();
        var ngram = (await SlmCommand.RunAsync([.. generate, "--speculate", "ngram"])).Json();
        Assert.Equal(plain.GetProperty("token_ids").GetRawText(), drafted.GetProperty("token_ids").GetRawText());
        Assert.Equal(plain.GetProperty("token_ids").GetRawText(), ngram.GetProperty("token_ids").GetRawText());
        var usage = drafted.GetProperty("usage");
        Assert.True(usage.GetProperty("drafted_tokens").GetInt32() > 20);
        Assert.Equal(usage.GetProperty("drafted_tokens").GetInt32(), usage.GetProperty("accepted_draft_tokens").GetInt32());
        var wrong = await SlmCommand.RunAsync([.. generate, "--speculate", "luck"]);
        Assert.NotEqual(0, wrong.ExitCode);
        Assert.Contains("none, ngram or draft", wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bench_prints_a_table()
    {
        var result = await SlmCommand.RunAsync("bench", "--model", Model, "--prompt-tokens", "20", "--gen-tokens", "5");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("tokens/s", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_of_a_folder_can_be_listed_and_named()
    {
        var environment = new Dictionary<string, string> { ["Slm__Models"] = SlmCommand.Data("") };
        var listed = (await SlmCommand.RunAsync(environment, null, "models", "--json")).Json().GetProperty("models");
        var model = Assert.Single(listed.EnumerateArray(), m => m.GetProperty("model").GetString() == "qwen3-f32");
        Assert.Equal("qwen3", model.GetProperty("architecture").GetString());
        Assert.Equal("F32", model.GetProperty("quantization").GetString());

        var described = (await SlmCommand.RunAsync(environment, null, "describe", "--model", "qwen3-f32", "--json")).Json();
        Assert.Equal("qwen3-f32", described.GetProperty("model").GetProperty("model").GetString());
    }

    [Fact]
    public async Task Describe_splits_the_layers_over_the_stages()
    {
        var json = (await SlmCommand.RunAsync("describe", "--model", Model, "--stages", "2", "--json")).Json();
        Assert.Equal(2, json.GetProperty("layers").GetInt32());
        Assert.Equal(384, json.GetProperty("vocab_size").GetInt32());
        var stages = json.GetProperty("stages").EnumerateArray().ToArray();
        Assert.Equal(2, stages.Length);
        Assert.Equal(1, stages[0].GetProperty("end_layer").GetInt32());
        Assert.True(stages[0].GetProperty("has_embedding").GetBoolean());
        Assert.True(stages[1].GetProperty("has_head").GetBoolean());
    }

    [Fact]
    public async Task A_prompt_can_come_from_standard_input()
    {
        var given = (await SlmCommand.RunAsync("generate", "--model", Model, "--prompt", "Once upon", "--max-tokens", "4", "--temperature", "0", "--json")).Json();
        var piped = (await SlmCommand.RunAsync(new Dictionary<string, string>(), "Once upon", "generate", "--model", Model, "--prompt", "-", "--max-tokens", "4", "--temperature", "0", "--json")).Json();
        Assert.Equal(given.GetProperty("text").GetString(), piped.GetProperty("text").GetString());
    }

    [Fact]
    public async Task Text_output_is_the_text_of_the_json_output()
    {
        string[] arguments = ["generate", "--model", Model, "--prompt", "Once upon", "--max-tokens", "6", "--temperature", "0"];
        var text = (await SlmCommand.RunAsync(arguments)).Output;
        var json = (await SlmCommand.RunAsync([.. arguments, "--json"])).Json();
        Assert.Equal(json.GetProperty("text").GetString()!.TrimEnd('\n'), text.TrimEnd('\n'));
    }

    [Fact]
    public async Task A_conversation_is_rendered_by_the_models_template()
    {
        using var file = new TemplatedModel("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{{ '<assistant>' if add_generation_prompt }}");
        var chat = (await SlmCommand.RunAsync("chat", "--model", file.Path, "--system", "Be brief", "--message", "hi", "--max-tokens", "5", "--temperature", "0", "--json")).Json();
        var ids = (await SlmCommand.RunAsync("tokenize", "--model", file.Path, "--text", "<system>Be brief<user>hi<assistant>", "--parse-special-tokens", "--json"))
            .Json().GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()).ToArray();
        var plain = (await SlmCommand.RunAsync("generate", "--model", file.Path, "--tokens", string.Join(',', ids), "--max-tokens", "5", "--temperature", "0", "--json")).Json();
        Assert.Equal(plain.GetProperty("text").GetString(), chat.GetProperty("text").GetString());
        Assert.Equal(ids.Length, chat.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task A_piped_conversation_answers_every_line()
    {
        using var file = new TemplatedModel("{% for m in messages %}{{ m.role }}:{{ m.content }}|{% endfor %}");
        var result = await SlmCommand.RunAsync(new Dictionary<string, string>(), "hello\n/reset\nhello\n/exit\nnever\n",
            "chat", "--model", file.Path, "--max-tokens", "6", "--temperature", "0", "--logit-bias", "10:-100");
        Assert.True(result.ExitCode == 0, result.Error);
        var single = await SlmCommand.RunAsync("chat", "--model", file.Path, "--message", "hello", "--max-tokens", "6", "--temperature", "0", "--logit-bias", "10:-100");
        Assert.Equal(single.Output + single.Output, result.Output);
    }

    [Fact]
    public async Task Train_hands_its_arguments_and_exit_code_on()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("needs a shell script");
            return;
        }

        var script = Path.Combine(Path.GetTempPath(), $"slm-train-{Guid.NewGuid():N}.sh");
        await File.WriteAllTextAsync(script, "#!/bin/sh\nfor a in \"$@\"; do echo \"[$a]\"; done\nexit 7\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        try
        {
            var result = await SlmCommand.RunAsync(new Dictionary<string, string> { ["SLM_TRAIN"] = script }, null, "train", "pretrain", "--config", "a b.yaml", "--json");
            Assert.Equal(7, result.ExitCode);
            Assert.Equal("[pretrain]\n[--config]\n[a b.yaml]\n[--json]\n", result.Output);
        }
        finally
        {
            File.Delete(script);
        }
    }

    [Fact]
    public async Task A_missing_trainer_is_named_with_the_remedy()
    {
        var result = await SlmCommand.RunAsync(new Dictionary<string, string> { ["SLM_TRAIN"] = "/nonexistent/slm-train" }, null, "train", "pretrain");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("SLM_TRAIN names '/nonexistent/slm-train'", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_command_does_not_bring_libtorch_along()
    {
        using var dependencies = JsonDocument.Parse(File.ReadAllText(Path.ChangeExtension(SlmCommand.Executable, ".deps.json")));
        Assert.DoesNotContain(dependencies.RootElement.GetProperty("libraries").EnumerateObject(),
            l => l.Name.Contains("torch", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>A reference model with a chat template added.</summary>
    private sealed class TemplatedModel : IDisposable
    {
        public TemplatedModel(string template)
        {
            using var source = GgufFile.Open(Model);
            var writer = new GgufWriter();
            foreach (var (key, value) in source.Metadata.Where(m => m.Key != "tokenizer.chat_template"))
                writer.Add(key, value);
            writer.Add("tokenizer.chat_template", template);
            foreach (var tensor in source.Tensors)
                writer.AddTensor(tensor.Name, tensor.Type, tensor.Shape, source.Bytes(tensor).ToArray());
            writer.Write(Path);
        }

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"slm-chat-{Guid.NewGuid():N}.gguf");

        public void Dispose() => File.Delete(Path);
    }
}
