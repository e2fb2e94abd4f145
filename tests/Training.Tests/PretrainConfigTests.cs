using Slm.Training.Configuration;

namespace Slm.Training.Tests;

public sealed class PretrainConfigTests
{
    [Fact]
    public void Shipped_configuration_is_valid()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "SlmPlatform.sln")))
            folder = folder.Parent;
        var config = PretrainConfigReader.ReadFile(Path.Combine(folder!.FullName, "infra", "models", "stories.yaml"));
        Assert.Equal("stories", config.Name);
        Assert.InRange(config.Training.Tokens, 15_000_000, long.MaxValue);
    }

    [Fact]
    public void Every_problem_is_reported_with_field_value_and_what_is_allowed()
    {
        var error = Assert.Throws<ConfigException>(() => PretrainConfigReader.Read("""
            name: "bad name"
            licence: MIT
            data: { instruct_fraction: 1.5 }
            tokenizer: { vocab_size: 1000 }
            model: { hidden_size: 100, layers: 0, heads: 3, kv_heads: 2, feed_forward_size: 64 }
            training: { precision: fp8, tokens: many, warmup_steps: 100000 }
            """, "x.yaml"));
        string[] fields = ["name", "licence", "data.instruct_fraction", "tokenizer.vocab_size", "model.hidden_size", "model.layers", "model.heads", "model.kv_heads", "training.precision", "training.tokens", "training.warmup_steps"];
        Assert.Equal(fields.Order(), error.Problems.Select(p => p.Field).Distinct().Order());
        Assert.Contains(new ConfigProblem("training.precision", "fp8", "bf16, f32"), error.Problems);
        Assert.Contains(new ConfigProblem("data.instruct_fraction", "1.5", "a number 0…1"), error.Problems);
        Assert.Contains("tokenizer.vocab_size: 1000; allowed: a whole number 272…32768, a multiple of 16", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("- a\n- b")]
    [InlineData("name: [unclosed")]
    [InlineData("model: 3")]
    public void What_is_no_configuration_is_refused(string yaml) => Assert.Throws<ConfigException>(() => PretrainConfigReader.Read(yaml));

    [Fact]
    public void Missing_fields_are_named()
    {
        var error = Assert.Throws<ConfigException>(() => PretrainConfigReader.Read("license: MIT"));
        Assert.Contains("model.hidden_size", error.Problems.Select(p => p.Field));
        Assert.All(error.Problems.Where(p => p.Field is "name" or "tokenizer.vocab_size"), p => Assert.Equal("missing", p.Value));
    }
}
