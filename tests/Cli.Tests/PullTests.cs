using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Slm.Engine.Fetching;

namespace Slm.Cli.Tests;

public sealed class PullTests : IDisposable
{
    private static readonly byte[] Model = File.ReadAllBytes(SlmCommand.Data("llama-q8_0.gguf"));
    private static readonly string Sha256 = Convert.ToHexStringLower(SHA256.HashData(Model));

    private readonly string _folder = Directory.CreateTempSubdirectory("slm-pull-").FullName;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private string Models => Path.Combine(_folder, "models");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_model_arrives_and_runs()
    {
        await using var server = await FileServer.StartAsync((context, _) => Answer(context, Model));
        var pulled = (await RunAsync("pull", $"{server.Address}/tiny.gguf", "--sha256", Sha256.ToUpperInvariant(), "--json")).Json();
        Assert.Equal("tiny", pulled.GetProperty("model").GetString());
        Assert.Equal(Sha256, pulled.GetProperty("sha256").GetString());
        Assert.Equal(Model.Length, pulled.GetProperty("fetched_bytes").GetInt64());
        Assert.False(pulled.GetProperty("server_manifest").GetBoolean());
        Assert.Equal(Model, await File.ReadAllBytesAsync(Path.Combine(Models, "tiny.gguf"), Cancelled));
        Assert.Single(Directory.GetFiles(Models));
        var models = (await RunAsync("models", "--json")).Json();
        Assert.Equal("tiny", models.GetProperty("models")[0].GetProperty("model").GetString());

        // Once more: it is there. Another one of that name is not.
        Assert.Equal(0, (await RunAsync("pull", $"{server.Address}/tiny.gguf", "--sha256", Sha256, "--json")).Json().GetProperty("fetched_bytes").GetInt64());
        var other = await RunAsync("pull", $"{server.Address}/tiny.gguf", "--sha256", new string('0', 64));
        Assert.Contains("exists and is another file", other.Error, StringComparison.Ordinal);
        var unknown = await RunAsync("pull", $"{server.Address}/tiny.gguf");
        Assert.Contains("neither --sha256 nor a manifest", unknown.Error, StringComparison.Ordinal);
        Assert.Equal(1, unknown.ExitCode);
    }

    [Fact]
    public async Task The_manifest_that_the_command_writes_is_the_one_that_is_used()
    {
        var file = Path.Combine(_folder, "m.gguf");
        await File.WriteAllBytesAsync(file, Model, Cancelled);
        var printed = await RunAsync("manifest", file, "--output", file + ".manifest.json");
        Assert.True(printed.ExitCode == 0, printed.Error);
        Assert.Contains(Sha256, printed.Output, StringComparison.Ordinal);
        var manifest = ModelManifest.Parse(await File.ReadAllBytesAsync(file + ".manifest.json", Cancelled), "test");
        Assert.Contains($"root    {manifest.Root}", printed.Output, StringComparison.Ordinal);
        Assert.Equal(manifest.Root, (await RunAsync("manifest", file, "--json")).Json().GetProperty("root").GetString());

        var content = Model;
        await using var server = await FileServer.StartAsync((context, _) => context.Request.Path.Value!.EndsWith(".json", StringComparison.Ordinal)
            ? Results.Bytes(manifest.ToJson(), "application/json").ExecuteAsync(context) : FileServer.SendAsync(context, content, "t"));
        var pulled = (await RunAsync("pull", $"{server.Address}/a/b/m.gguf", "--name", "mine", "--json")).Json();
        Assert.Equal(manifest.Root, pulled.GetProperty("root").GetString());
        Assert.True(pulled.GetProperty("server_manifest").GetBoolean());
        Assert.Equal(Model, await File.ReadAllBytesAsync(Path.Combine(Models, "mine.gguf"), Cancelled));

        // A file that is not the manifest's, in one bit.
        content = [.. Model];
        content[^5] ^= 16;
        var damaged = await RunAsync("pull", $"{server.Address}/m.gguf", "--name", "damaged");
        Assert.Equal(1, damaged.ExitCode);
        Assert.Contains("by the model's manifest", damaged.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(Models, "damaged.gguf")));
        content = Model[..^1];
        Assert.Contains("One of them is out of date", (await RunAsync("pull", $"{server.Address}/m.gguf", "--name", "short")).Error, StringComparison.Ordinal);
        content = Model;
        var wrong = await RunAsync("pull", $"{server.Address}/m.gguf", "--name", "wrong", "--sha256", new string('1', 64));
        Assert.Contains($"by its manifest the file has the SHA-256 {Sha256}", wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_broke_off_goes_on_where_it_was()
    {
        var large = Large();
        var broken = true;
        var answered = 0;
        await using var server = await FileServer.StartAsync(async (context, _) =>
        {
            if (context.Request.Path.Value!.EndsWith(".json", StringComparison.Ordinal) || (broken && Interlocked.Increment(ref answered) > 6))
                context.Response.StatusCode = 404;
            else
                await FileServer.SendAsync(context, large, "t");
        });
        var first = await RunAsync("pull", $"{server.Address}/big.gguf");
        Assert.Equal(1, first.ExitCode);
        Assert.True(File.Exists(Path.Combine(Models, "big.gguf.part")));
        Assert.Empty((await RunAsync("models", "--json")).Json().GetProperty("models").EnumerateArray());
        broken = false;
        var second = (await RunAsync("pull", $"{server.Address}/big.gguf", "--sha256", Convert.ToHexStringLower(SHA256.HashData(large)), "--json")).Json();

        // One answer said what the file is; of the five parts that were sent, those count that were written before the failure.
        Assert.InRange(second.GetProperty("fetched_bytes").GetInt64(), large.Length - (5 << 22), large.Length - (1 << 22));
        Assert.Equal(large, await File.ReadAllBytesAsync(Path.Combine(Models, "big.gguf"), Cancelled));
        Assert.Single(Directory.GetFiles(Models));
    }

    [Fact]
    public async Task A_part_of_a_file_that_has_changed_since_is_not_used()
    {
        var large = Large();
        var tag = "old";
        var answered = 0;
        await using var server = await FileServer.StartAsync(async (context, _) =>
        {
            if (context.Request.Path.Value!.EndsWith(".json", StringComparison.Ordinal) || (tag == "old" && Interlocked.Increment(ref answered) > 6))
                context.Response.StatusCode = 404;
            else
                await FileServer.SendAsync(context, large, tag);
        });
        Assert.Equal(1, (await RunAsync("pull", $"{server.Address}/big.gguf")).ExitCode);
        tag = "new";
        large[^1] ^= 1;
        large[(4 << 20) + 17] ^= 1;
        var second = (await RunAsync("pull", $"{server.Address}/big.gguf", "--json")).Json();
        Assert.Equal(large.Length, second.GetProperty("fetched_bytes").GetInt64());
        Assert.Equal(large, await File.ReadAllBytesAsync(Path.Combine(Models, "big.gguf"), Cancelled));
    }

    [Fact]
    public async Task A_server_that_knows_no_ranges_is_enough()
    {
        await using var server = await FileServer.StartAsync((context, _) =>
        {
            if (!context.Request.Path.Value!.EndsWith(".json", StringComparison.Ordinal))
                return FileServer.SendWholeAsync(context, Model);
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        });
        var pulled = (await RunAsync("pull", $"{server.Address}/plain.gguf", "--json")).Json();
        Assert.Equal(Sha256, pulled.GetProperty("sha256").GetString());
    }

    [Fact]
    public async Task Another_file_than_was_asked_for_is_not_kept()
    {
        await using var server = await FileServer.StartAsync((context, _) => context.Request.Path.Value switch
        {
            "/page.gguf" => Results.Bytes("<html>Please log in</html>"u8.ToArray(), "application/octet-stream", enableRangeProcessing: true).ExecuteAsync(context),
            "/cut.gguf" => FileServer.SendAsync(context, Model[..20_000], "t"),
            _ => Answer(context, Model),
        });
        var wrong = await RunAsync("pull", $"{server.Address}/tiny.gguf", "--sha256", new string('0', 64));
        Assert.Contains($"has the SHA-256 {Sha256}, and {new string('0', 64)} is expected", wrong.Error, StringComparison.Ordinal);
        var page = await RunAsync("pull", $"{server.Address}/page.gguf");
        Assert.Contains("this is not a GGUF file", page.Error, StringComparison.Ordinal);
        var cut = await RunAsync("pull", $"{server.Address}/cut.gguf");
        Assert.Contains("cannot be used", cut.Error, StringComparison.Ordinal);
        foreach (var result in new[] { wrong, page, cut })
        {
            Assert.Equal(1, result.ExitCode);
            Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        }

        Assert.Empty(Directory.GetFiles(Models));
    }

    [Theory]
    [InlineData("url: 'tiny.gguf' is no address", "tiny.gguf")]
    [InlineData("url: 'ftp://h/tiny.gguf' is no address", "ftp://h/tiny.gguf")]
    [InlineData("--sha256: 'abc' is no SHA-256", "http://127.0.0.1:1/m.gguf", "--sha256", "abc")]
    [InlineData("--name: '../m' cannot be the name", "http://127.0.0.1:1/m.gguf", "--name", "../m")]
    [InlineData("Give one with --name", "http://127.0.0.1:1/")]
    public async Task A_mistake_is_named(string reason, params string[] arguments)
    {
        var result = await RunAsync(["pull", .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(reason, result.Error, StringComparison.Ordinal);
        Assert.Equal("", result.Output);
    }

    /// <summary>A GGUF file of ten chunks, most of which belong to no tensor.</summary>
    private static byte[] Large()
    {
        var large = new byte[40 << 20];
        new Random(3).NextBytes(large);
        Model.CopyTo(large, 0);
        return large;
    }

    private static Task Answer(HttpContext context, byte[] content)
    {
        if (!context.Request.Path.Value!.EndsWith(".json", StringComparison.Ordinal))
            return FileServer.SendAsync(context, content, "t");
        context.Response.StatusCode = 404;
        return Task.CompletedTask;
    }

    private Task<SlmCommand.Result> RunAsync(params string[] arguments) => SlmCommand.RunAsync(
        new Dictionary<string, string> { ["Slm__Models"] = Models, ["Slm__Data"] = Path.Combine(_folder, "data") }, null, arguments);
}
