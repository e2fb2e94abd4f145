using Slm.Integration;

namespace Slm.Cli.Tests;

public sealed class AdapterTests : IDisposable
{
    private static readonly string Model = SlmCommand.Data("llama-q8_0.gguf");
    private static readonly string[] Generate = ["generate", "--model", Model, "--tokens", "5,6,7,8,9", "--max-tokens", "20", "--temperature", "0", "--ignore-eos", "--json"];
    private readonly string _folder = Directory.CreateTempSubdirectory("slm-cli-adapters-").FullName;

    public AdapterTests()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "adapters"));
        RandomAdapter.Write(Adapter, Model, seed: 1);
    }

    private string Adapter => Path.Combine(_folder, "adapters", "style.gguf");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Generate_takes_an_adapter_by_file_or_name_and_its_strength()
    {
        var environment = new Dictionary<string, string> { ["Slm__Models"] = _folder };
        var plain = await TokensAsync();
        var file = await TokensAsync("--adapter", Adapter);
        Assert.NotEqual(plain, file);
        Assert.Equal(file, (await SlmCommand.RunAsync(environment, null, [.. Generate, "--adapter", "style"])).Json().GetProperty("token_ids").GetRawText());
        Assert.Equal(file, await TokensAsync("--adapter", $"{Adapter}=1"));
        Assert.Equal(plain, await TokensAsync("--adapter", $"{Adapter}=0"));
        Assert.NotEqual(file, await TokensAsync("--adapter", $"{Adapter}=-1.5"));
        Assert.Equal(file, await TokensAsync("--adapter", Adapter, "--draft-model", Model, "--stages", "2"));
    }

    [Fact]
    public async Task Perplexity_and_describe_know_adapters()
    {
        var text = Path.Combine(_folder, "text.txt");
        await File.WriteAllTextAsync(text, string.Concat(Enumerable.Repeat("the little dog ran to the red house and ", 8)), TestContext.Current.CancellationToken);
        async Task<double> Measure(params string[] more) =>
            (await SlmCommand.RunAsync(["perplexity", "--model", Model, "--text", text, "--json", .. more])).Json().GetProperty("perplexity").GetDouble();
        Assert.NotEqual(await Measure(), await Measure("--adapter", Adapter));
        Assert.Equal(await Measure(), await Measure("--adapter", $"{Adapter}=0"));

        var described = (await SlmCommand.RunAsync("describe", "--model", Model, "--adapter", $"{Adapter}=2", "--json")).Json().GetProperty("model").GetProperty("adapters")[0];
        Assert.Equal(("style", 4, 2.0), (described.GetProperty("adapter").GetString(), described.GetProperty("rank").GetInt32(), described.GetProperty("strength").GetDouble()));
        var table = await SlmCommand.RunAsync("describe", "--model", Model, "--adapter", $"{Adapter}=2");
        Assert.Contains("rank 4, alpha 40, strength 2", table.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("nowhere.gguf", "nowhere.gguf", "neither a file or folder nor the name")]
    [InlineData("{0}=much", "'much' is no scale", "=0.5")]
    [InlineData("{1}", "general.type", "not an adapter")]
    public async Task What_is_wrong_with_an_adapter_is_one_line(string adapter, params string[] said)
    {
        var result = await SlmCommand.RunAsync([.. Generate, "--adapter", string.Format(System.Globalization.CultureInfo.InvariantCulture, adapter, Adapter, Model)]);
        Assert.Equal(1, result.ExitCode);
        Assert.Single(result.Error.Trim().Split('\n'));
        Assert.All(said, part => Assert.Contains(part, result.Error, StringComparison.Ordinal));
    }

    private static async Task<string> TokensAsync(params string[] more) => (await SlmCommand.RunAsync([.. Generate, .. more])).Json().GetProperty("token_ids").GetRawText();
}
