namespace Slm.Cli.Tests;

public sealed class PlanTests : IDisposable
{
    private const string Fleet = """
        machines:
          - { name: small, count: 3, memory: 400KB, read_per_s: 1GB, multiply_adds_per_s: 1e12, labels: { zone: a } }
          - { name: large, memory: 1GiB, read_per_s: 500MB, multiply_adds_per_s: 1e12, host: h }
        links:
          hop_ms: 0.1
          default: { latency_ms: 0.5, bytes_per_s: 100MB }
          between:
            - { from: small-1, to: small-2, latency_ms: 0.2, bytes_per_s: 1GB }
        """;

    private static readonly string Model = SlmCommand.Data("llama-q8_0.gguf");

    private readonly string _file = Path.Combine(Path.GetTempPath(), $"slm-fleet-{Guid.NewGuid():N}.yaml");

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task A_plan_says_where_and_how_fast()
    {
        var json = (await Run(Fleet, "--json", "--context", "128", "--streams", "2")).Json();
        Assert.Equal("0-1@large", json.GetProperty("map").GetString());
        var prediction = json.GetProperty("prediction");
        Assert.Equal(1000, prediction.GetProperty("ms_per_token").GetDouble() * prediction.GetProperty("decode_tokens_per_s_one_stream").GetDouble(), 1e-6);
        Assert.Equal(0, prediction.GetProperty("wire_bytes_per_token").GetDouble());
        Assert.Contains("large", prediction.GetProperty("bottleneck").GetString(), StringComparison.Ordinal);
        Assert.Equal(4, json.GetProperty("fleet").GetProperty("machines").GetInt32());
    }

    [Fact]
    public async Task Stages_send_hidden_states_over_their_link()
    {
        var json = (await Run(Fleet, "--json", "--placement", "0@large,1@large", "--wire", "f32")).Json();
        Assert.Equal(0, json.GetProperty("prediction").GetProperty("wire_bytes_per_token").GetDouble());
        json = (await Run(Fleet.Replace("400KB", "100MB", StringComparison.Ordinal), "--json", "--placement", "0@small-1,1@large", "--wire", "f32")).Json();
        var described = (await SlmCommand.RunAsync("describe", "--model", Model, "--json")).Json();
        var rowBytes = 4 * described.GetProperty("hidden_size").GetInt32();
        Assert.Equal(rowBytes, json.GetProperty("prediction").GetProperty("wire_bytes_per_token").GetDouble());
        Assert.Equal("large", json.GetProperty("replicas")[0].GetProperty("coordinator").GetString());

        // Two messages of half a millisecond and a tenth each: a row, and the next token back.
        var compute = json.GetProperty("prediction").GetProperty("stage_ms").EnumerateArray().Sum(stage => stage.GetDouble());
        Assert.Equal(1.2 + ((rowBytes + 16) / 1e5), json.GetProperty("prediction").GetProperty("ms_per_token").GetDouble() - compute, 1e-9);
    }

    [Fact]
    public async Task A_step_takes_its_time_on_every_stage_and_hosts_with_enough_processors_take_more_than_one()
    {
        var shared = Fleet.Replace("count: 3, memory: 400KB", "count: 2, memory: 100MB, host: h", StringComparison.Ordinal).Replace("zone: a } }", "zone: a }, step_ms: 0.25 }", StringComparison.Ordinal);
        var plain = (await Run(shared.Replace(", step_ms: 0.25", "", StringComparison.Ordinal), "--json", "--placement", "0@small-1,1@small-2", "--streams", "8")).Json();
        var slower = (await Run(shared, "--json", "--placement", "0@small-1,1@small-2", "--streams", "8")).Json();
        Assert.Equal(0.5, slower.GetProperty("prediction").GetProperty("ms_per_token").GetDouble() - plain.GetProperty("prediction").GetProperty("ms_per_token").GetDouble(), 1e-9);
        Assert.Equal(1, slower.GetProperty("replicas")[0].GetProperty("micro_batches").GetInt32());
        var more = (await Run(shared.Replace("step_ms: 0.25", "step_ms: 0.25, layer_ms: 0.125, turn_ms: 2", StringComparison.Ordinal), "--json", "--placement", "0@small-1,1@small-2", "--streams", "8")).Json();
        Assert.Equal((2 * 0.125) + 2, more.GetProperty("prediction").GetProperty("ms_per_token").GetDouble() - slower.GetProperty("prediction").GetProperty("ms_per_token").GetDouble(), 1e-9);

        var roomy = (await Run(shared.Replace("host: h", "host: h, host_processors: 64", StringComparison.Ordinal), "--json", "--placement", "0@small-1,1@small-2", "--streams", "8")).Json();
        Assert.Equal(2, roomy.GetProperty("replicas")[0].GetProperty("micro_batches").GetInt32());
    }

    [Fact]
    public async Task A_table_is_for_people()
    {
        var result = await Run(Fleet.Replace("400KB", "100MB", StringComparison.Ordinal), "--placement", "stages=2");
        Assert.Equal(0, result.ExitCode);
        foreach (var expected in new[] { "prefill", "decode", "bottleneck", "why", "whole fleet", "small-1", "tokens/s", "memory" })
            Assert.Contains(expected, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_file_this_machine_is_measured()
    {
        var json = (await SlmCommand.RunAsync("plan", "--model", Model, "--json")).Json();
        Assert.Equal("0-1@this-machine", json.GetProperty("map").GetString());
        Assert.True(json.GetProperty("prediction").GetProperty("prefill_tokens_per_s").GetDouble() > 0);
    }

    [Fact]
    public async Task Help_shows_the_file() => Assert.Contains("read_per_s", (await SlmCommand.RunAsync("plan", "--help")).Output, StringComparison.Ordinal);

    [Theory]
    [InlineData(1, "machines[0].memory is missing", "memory: 400KB, ", "")]
    [InlineData(1, "machines[0].read_per_s is 'fast'. Give a number of bytes", "read_per_s: 1GB", "read_per_s: fast")]
    [InlineData(1, "machines[0].count is '0'. Give a whole number from 1", "count: 3", "count: 0")]
    [InlineData(1, "machines[1].hosts is not known", "host: h", "hosts: h")]
    [InlineData(1, "the name 'large' occurs twice", "name: small, count: 3", "name: large")]
    [InlineData(1, "there is no machine 'small-9'", "to: small-2", "to: small-9")]
    [InlineData(1, "links.default.latency_ms is missing", "latency_ms: 0.5, ", "")]
    [InlineData(1, "is no YAML", "machines:", "machines: [")]
    [InlineData(1, "machines is no list", "machines:", "machines: none\nother:")]
    public async Task A_mistake_in_the_file_is_named_in_one_line(int exitCode, string expected, string part, string instead)
    {
        Assert.Contains(part, Fleet, StringComparison.Ordinal);
        AssertRefused(exitCode, expected, await Run(Fleet.Replace(part, instead, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(2, "--placement: stages is '0'", "--placement", "stages=0")]
    [InlineData(1, "--placement: there is no machine 'x'", "--placement", "0-1@x")]
    [InlineData(1, "there is a gap: layer 1 is on no machine", "--placement", "0@large")]
    [InlineData(1, "bytes are missing", "--placement", "0-1@small-1")]
    [InlineData(1, "no machine has label:zone=b", "--placement", "label:zone=b")]
    [InlineData(1, "context is 100000. Give 1 to 512", "--context", "100000")]
    [InlineData(2, "--wire: 'f64' is not known", "--wire", "f64")]
    [InlineData(2, "leave --threads out with --machines", "--threads", "2")]
    public async Task A_mistake_in_the_wish_is_named_in_one_line(int exitCode, string expected, params string[] arguments) =>
        AssertRefused(exitCode, expected, await Run(Fleet, arguments));

    private static void AssertRefused(int exitCode, string expected, SlmCommand.Result result)
    {
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
    }

    private async Task<SlmCommand.Result> Run(string fleet, params string[] arguments)
    {
        await File.WriteAllTextAsync(_file, fleet, TestContext.Current.CancellationToken);
        return await SlmCommand.RunAsync(["plan", "--model", Model, "--machines", _file, .. arguments]);
    }
}
