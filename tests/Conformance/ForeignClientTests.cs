namespace Slm.Conformance;

/// <summary>The npm <c>openai</c> client against the HTTP API.</summary>
public sealed class OpenAiNpmTests(Platform platform)
{
    public static IEnumerable<TheoryDataRow<string>> Checks => NodeClients.Checks("openai.mjs");

    [Theory(Timeout = 120_000)]
    [MemberData(nameof(Checks))]
    public Task The_npm_client_finds_that(string check) => NodeClients.RunAsync(platform, "openai.mjs", check, TestContext.Current.CancellationToken);
}

/// <summary>The npm <c>openai</c> client calls functions.</summary>
public sealed class OpenAiNpmToolTests(Platform platform)
{
    public static IEnumerable<TheoryDataRow<string>> Checks => NodeClients.Checks("tools.mjs");

    [Theory(Timeout = 120_000)]
    [MemberData(nameof(Checks))]
    public Task The_npm_client_finds_that(string check) => NodeClients.RunAsync(platform, "tools.mjs", check, TestContext.Current.CancellationToken);
}

/// <summary>The npm <c>openai</c> client asks for answers of a form.</summary>
public sealed class OpenAiNpmStructuredTests(Platform platform)
{
    public static IEnumerable<TheoryDataRow<string>> Checks => NodeClients.Checks("structured.mjs");

    [Theory(Timeout = 120_000)]
    [MemberData(nameof(Checks))]
    public Task The_npm_client_finds_that(string check) => NodeClients.RunAsync(platform, "structured.mjs", check, TestContext.Current.CancellationToken);
}

/// <summary>The npm <c>openai</c> client against <c>/v1/responses</c>.</summary>
public sealed class OpenAiNpmResponsesTests(Platform platform)
{
    public static IEnumerable<TheoryDataRow<string>> Checks => NodeClients.Checks("responses.mjs");

    [Theory(Timeout = 120_000)]
    [MemberData(nameof(Checks))]
    public Task The_npm_client_finds_that(string check) => NodeClients.RunAsync(platform, "responses.mjs", check, TestContext.Current.CancellationToken);
}

/// <summary><c>@grpc/grpc-js</c> as a foreign gRPC client that compiles the contracts itself.</summary>
public sealed class GrpcJsTests(Platform platform)
{
    public static IEnumerable<TheoryDataRow<string>> Checks => NodeClients.Checks("grpc.mjs");

    [Theory(Timeout = 120_000)]
    [MemberData(nameof(Checks))]
    public Task The_foreign_gRPC_client_finds_that(string check) => NodeClients.RunAsync(platform, "grpc.mjs", check, TestContext.Current.CancellationToken,
        ("SLM_PROTOS", $"{Path.Combine(Platform.Root, "contracts", "protos")}:{Path.Combine(AppContext.BaseDirectory, "protos")}"));
}

/// <summary>The web page in a real Chromium.</summary>
public sealed class WebPageTests(Platform platform)
{
    private static readonly string[] Browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

    public static IEnumerable<TheoryDataRow<string>> Checks => NodeClients.Checks("page.mjs");

    [Theory(Timeout = 180_000)]
    [MemberData(nameof(Checks))]
    public async Task In_the_browser(string check)
    {
        var browser = Browsers.FirstOrDefault(File.Exists);
        if (browser is null)
            Assert.Skip("Chromium is not installed.");
        var shots = Path.Combine(Platform.Root, "artifacts", "screenshots");
        Directory.CreateDirectory(shots);
        await NodeClients.RunAsync(platform, "page.mjs", check, TestContext.Current.CancellationToken, ("SLM_CHROMIUM", browser), ("SLM_SHOTS", shots));
    }
}
