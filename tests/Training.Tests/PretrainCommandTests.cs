using System.Text.Json;
using Slm.Training.Commands;
using Slm.Training.Tokenizer;

namespace Slm.Training.Tests;

public sealed class PretrainCommandTests
{
    [Fact]
    public void A_run_reports_progress_as_json_lines_and_leaves_model_card_and_curve()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.In("texts.txt"), string.Join($"\n{BpeVocabulary.EndOfText}\n", TinyRun.Texts(220)));
        File.WriteAllText(folder.In("tiny.yaml"), TinyRun.Yaml.Replace("stories: 200", $"path: {folder.In("texts.txt")}", StringComparison.Ordinal));
        var output = new StringWriter();
        Assert.Equal(0, PretrainCommand.Run(folder.In("tiny.yaml"), folder.In("run"), resume: false, new JsonConsole(output, TimeProvider.System)));

        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement).ToArray();
        Assert.Equal(["vocabulary", "encoding", "training", "export"], lines.Where(l => l.TryGetProperty("phase", out _)).Select(l => l.GetProperty("phase").GetString()).Distinct());
        var last = lines.Last(l => l.TryGetProperty("step", out _));
        Assert.Equal((20, 20, 1.0), (last.GetProperty("step").GetInt32(), last.GetProperty("total_steps").GetInt32(), last.GetProperty("fraction").GetDouble()));
        Assert.True(last.GetProperty("validation_loss").GetDouble() > 0);
        Assert.Equal("result", lines[^1].GetProperty("event").GetString());
        Assert.Equal(folder.In("run/tiny.gguf"), lines[^1].GetProperty("model").GetString());
        foreach (var name in (string[])["tiny.gguf", "tiny.md", "tiny.svg", "tiny.png", "final.ckpt", "tokenizer.json", "config.yaml"])
            Assert.True(File.Exists(folder.In($"run/{name}")), name);
        Assert.Contains("perplexity", File.ReadAllText(folder.In("run/tiny.md")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("name: x", "INVALID_ARGUMENT", "model.hidden_size")]
    [InlineData(null, "INVALID_ARGUMENT", "missing.yaml")]
    public void A_run_that_cannot_start_reports_one_error_line(string? yaml, string code, string mentioned)
    {
        using var folder = new TemporaryFolder();
        var path = folder.In("missing.yaml");
        if (yaml is not null)
            File.WriteAllText(path = folder.In("bad.yaml"), yaml);
        var output = new StringWriter();
        Assert.Equal(1, PretrainCommand.Run(path, folder.In("run"), resume: false, new JsonConsole(output, TimeProvider.System)));
        var line = JsonDocument.Parse(Assert.Single(output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))).RootElement;
        Assert.Equal("error", line.GetProperty("event").GetString());
        Assert.Equal(code, line.GetProperty("code").GetString());
        Assert.Contains(mentioned, line.GetProperty("message").GetString(), StringComparison.Ordinal);
    }
}
