using Microsoft.Extensions.Configuration;
using Slm.Inference;
using Slm.Inference.Engines;
using Slm.ServiceDefaults;

namespace Slm.Integration;

public sealed class OptionTests
{
    [Fact]
    public void The_defaults_are_loopback_only()
    {
        var options = PlatformOptions.From(With());
        Assert.Equal("http://127.0.0.1:8080", options.Http.Single().ToString());
        Assert.Equal("http://127.0.0.1:8081", options.Grpc.Single().ToString());
        Assert.Null(options.Models);
    }

    [Fact]
    public void Addresses_of_a_cluster_are_understood()
    {
        var options = PlatformOptions.From(With(("Slm:Http", "http://*:8080"), ("Slm:Grpc", "http://[::]:8081;http://localhost:9000"), ("Slm:Models", "/a;/b")));
        Assert.Null(options.Http.Single().Address);
        Assert.Equal([8081, 9000], options.Grpc.Select(a => a.Port));
        Assert.Equal(["/a", "/b"], options.Models!);
    }

    [Theory]
    [InlineData("ftp://host/{model}.gguf")]
    [InlineData("https://host/model.gguf")]
    [InlineData("{model}")]
    public void An_address_of_weights_that_cannot_be_one_is_named(string url) =>
        Assert.Equal("Slm:Inference:WeightUrl", Assert.Throws<OptionException>(() => ModelFilesOptions.From(With(("Slm:Inference:WeightUrl", url)))).Setting);

    [Fact]
    public void Weights_are_kept_with_the_platforms_data_and_names_are_escaped_in_addresses()
    {
        var options = ModelFilesOptions.From(With(("Slm:Data", "/d"), ("Slm:Inference:WeightUrl", "https://h/{model}.gguf?k=1")));
        Assert.Equal("/d/weights", options.WeightCache);
        Assert.Equal("https://h/a%2Fb.gguf?k=1", options.UrlOf("a/b")!.AbsoluteUri);
        Assert.Null(ModelFilesOptions.From(With()).UrlOf("m"));
    }

    [Theory]
    [InlineData("Slm:Http", "8080")]
    [InlineData("Slm:Http", "http://example.org:80")]
    [InlineData("Slm:Http", "https://127.0.0.1:443")]
    [InlineData("Slm:Grpc", "http://127.0.0.1:99999")]
    [InlineData("Slm:Grpc", "http://127.0.0.1:8080")]
    [InlineData("Slm:MaxRequestBytes", "many")]
    public void A_wrong_setting_is_named(string setting, string value)
    {
        var error = Assert.Throws<OptionException>(() => PlatformOptions.From(With((setting, value))));
        Assert.Equal(setting, error.Setting);
        Assert.Contains(value, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Threads", "0")]
    [InlineData("KvCacheBytes", "-1")]
    [InlineData("ExpertMemory", "much")]
    [InlineData("MaxRunning", "x")]
    [InlineData("SiloPort", "65536")]
    [InlineData("PrefixSharing", "often")]
    public void A_wrong_inference_setting_is_named(string setting, string value)
    {
        var error = Assert.Throws<OptionException>(() => InferenceOptions.From(With(($"Slm:Inference:{setting}", value))));
        Assert.Equal($"Slm:Inference:{setting}", error.Setting);
    }

    private static IConfiguration With(params (string Key, string Value)[] settings) =>
        new ConfigurationBuilder().AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value))).Build();
}
