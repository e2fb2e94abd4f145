using Microsoft.AspNetCore.Http;
using Slm.Engine.Fetching;

namespace Slm.Cli.Tests;

public sealed class HttpSourceTests : IDisposable
{
    private static readonly byte[] Content = Random(300_000, seed: 1);

    private readonly HttpClient _client = new(new SocketsHttpHandler()) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly StillTime _time = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _client.Dispose();

    [Theory]
    [InlineData("tag", true)]
    [InlineData(null, true)]
    [InlineData(null, false)]
    public async Task Parts_come_by_ranges(string? tag, bool dated)
    {
        await using var server = await FileServer.StartAsync((context, _) => FileServer.SendAsync(context, Content, tag, dated ? DateTimeOffset.UnixEpoch : null));
        using var source = Source(server);
        var file = await source.OpenAsync(Cancelled);
        Assert.Equal(Content.Length, file.Length);
        Assert.True(file.HasRanges);
        Assert.Equal(tag is not null || dated, file.Identity is not null);
        foreach (var (at, count) in new[] { (0, 1), (1000, 70_000), (Content.Length - 7, 7) })
            Assert.Equal(Content[at..(at + count)], await ReadAsync(source, at, count));
        await Assert.ThrowsAsync<FetchException>(() => ReadAsync(source, Content.Length - 7, 8));
    }

    [Fact]
    public async Task A_part_that_breaks_off_goes_on_where_it_did()
    {
        var ranges = new List<string>();
        var target = new byte[100_000];
        await using var server = await FileServer.StartAsync(async (context, number) =>
        {
            lock (ranges)
                ranges.Add(context.Request.Headers.Range.ToString());
            if (number is 1 or > 4)
            {
                await FileServer.SendAsync(context, Content, "t");
                return;
            }

            // 10,000 bytes of what is announced, then the connection ends.
            var from = long.Parse(context.Request.Headers.Range.ToString()["bytes=".Length..].Split('-')[0], System.Globalization.CultureInfo.InvariantCulture);
            context.Response.StatusCode = 206;
            context.Response.Headers.ETag = "\"t\"";
            context.Response.Headers.ContentRange = $"bytes {from}-199999/{Content.Length}";
            context.Response.ContentLength = 200_000 - from;
            await context.Response.Body.WriteAsync(Content.AsMemory((int)from, 10_000));
            await context.Response.Body.FlushAsync();
            while (!target.AsSpan((int)from - 100_000, 10_000).SequenceEqual(Content.AsSpan((int)from, 10_000)) && !context.RequestAborted.IsCancellationRequested)
                await Task.Yield();
            context.Abort();
        });
        using var source = Source(server);
        await source.ReadAsync("m", 100_000, target, Cancelled);
        Assert.Equal(Content[100_000..200_000], target);
        Assert.Equal(["bytes=0-0", "bytes=100000-199999", "bytes=110000-199999", "bytes=120000-199999", "bytes=130000-199999"], ranges);
    }

    [Fact]
    public async Task Errors_that_may_pass_are_tried_again_with_growing_pauses_and_the_servers_wish_is_heard()
    {
        await using var server = await FileServer.StartAsync(async (context, number) =>
        {
            if (number is 2 or 3 or 4)
            {
                context.Response.StatusCode = number == 3 ? 429 : 503;
                if (number == 3)
                    context.Response.Headers.RetryAfter = "7";
                return;
            }

            await FileServer.SendAsync(context, Content, "t");
        });
        using var source = Source(server);
        await source.OpenAsync(Cancelled);
        Assert.Equal(Content[..50], await ReadAsync(source, 0, 50));
        Assert.Equal([TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(4)], _time.Pauses);
    }

    [Fact]
    public async Task Tries_end_and_what_cannot_pass_is_not_tried_again()
    {
        await using var server = await FileServer.StartAsync((context, _) =>
        {
            context.Response.StatusCode = context.Request.Path == "/gone" ? 404 : 500;
            return Task.CompletedTask;
        });
        using (var gone = Source(server, "/gone"))
            Assert.EndsWith("/gone: the server answers 404 Not Found.", (await Assert.ThrowsAsync<FetchException>(() => gone.OpenAsync(Cancelled))).Message, StringComparison.Ordinal);
        Assert.Equal(1, server.Requests);
        using (var broken = Source(server))
            Assert.Contains("4 tries have failed, the last one with: ", (await Assert.ThrowsAsync<FetchException>(() => broken.OpenAsync(Cancelled))).Message, StringComparison.Ordinal);
        Assert.Equal(5, server.Requests);
        using var nobody = new HttpSource(_client, new Uri("http://127.0.0.1:1/m.gguf"), Options());
        await Assert.ThrowsAsync<FetchException>(() => nobody.OpenAsync(Cancelled));
    }

    [Fact]
    public async Task A_server_that_says_nothing_is_given_up_after_a_while_and_asked_again()
    {
        await using var server = await FileServer.StartAsync(async (context, number) =>
        {
            if (number != 2)
            {
                await FileServer.SendAsync(context, Content, "t");
                return;
            }

            context.Response.StatusCode = 206;
            context.Response.Headers.ETag = "\"t\"";
            context.Response.Headers.ContentRange = $"bytes 0-999/{Content.Length}";
            context.Response.ContentLength = 1000;
            await context.Response.Body.WriteAsync(Content.AsMemory(0, 400));
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        // Real time, since only the client knows when it began to wait; requests that a slow machine delays are tried again as well.
        using var source = new HttpSource(_client, new Uri(server.Address + "/m.gguf"), new HttpSourceOptions { Attempts = 100, FirstDelay = TimeSpan.Zero, IdleTimeout = TimeSpan.FromMilliseconds(500) });
        await source.OpenAsync(Cancelled);
        Assert.Equal(Content[..1000], await ReadAsync(source, 0, 1000));
        Assert.True(server.Requests >= 3);
    }

    [Theory]
    [InlineData("a", "b", 0)]
    [InlineData(null, null, 60)]
    public async Task A_file_that_changes_meanwhile_is_noticed(string? before, string? after, int seconds)
    {
        var other = Random(Content.Length, seed: 2);
        await using var server = await FileServer.StartAsync((context, number) => number <= 2
            ? FileServer.SendAsync(context, Content, before, DateTimeOffset.UnixEpoch)
            : FileServer.SendAsync(context, other, after, DateTimeOffset.UnixEpoch.AddSeconds(seconds)));
        using var source = Source(server);
        Assert.Equal(Content[..1000], await ReadAsync(source, 0, 1000));
        Assert.Contains("is no longer the file of 300000 bytes that the transfer began with", (await Assert.ThrowsAsync<FetchException>(() => ReadAsync(source, 1000, 1000))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_becomes_shorter_is_noticed()
    {
        await using var server = await FileServer.StartAsync((context, number) => FileServer.SendAsync(context, number == 1 ? Content : Content[..5000]));
        using var source = Source(server);
        await source.OpenAsync(Cancelled);
        Assert.Contains("it is shorter now", (await Assert.ThrowsAsync<FetchException>(() => ReadAsync(source, 200_000, 1000))).Message, StringComparison.Ordinal);
        Assert.Contains("it has 5000 bytes now", (await Assert.ThrowsAsync<FetchException>(() => ReadAsync(source, 0, 1000))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_without_ranges_is_read_from_the_start_and_only_once_in_order()
    {
        await using var server = await FileServer.StartAsync((context, _) => FileServer.SendWholeAsync(context, Content));
        using var source = Source(server);
        Assert.False((await source.OpenAsync(Cancelled)).HasRanges);
        Assert.Equal(1, source.MaxReads);
        for (var at = 0; at < 300_000; at += 50_000)
            Assert.Equal(Content[at..(at + 40_000)], await ReadAsync(source, at, 40_000));
        Assert.Equal(2, server.Requests);
        Assert.Equal(Content[..10], await ReadAsync(source, 0, 10));
        Assert.Equal(3, server.Requests);
    }

    [Fact]
    public async Task A_manifest_is_read_where_there_is_one()
    {
        var asked = new List<string>();
        var status = 404;
        await using var server = await FileServer.StartAsync(async (context, _) =>
        {
            asked.Add(context.Request.Path + context.Request.QueryString);
            context.Response.StatusCode = status;
            if (status == 200)
            {
                context.Response.ContentType = "text/html";
                await context.Response.WriteAsync("<p>Welcome");
            }
        });
        using var source = Source(server, "/a/m.gguf?key=1");
        Assert.Null(await source.ManifestAsync(Cancelled));
        status = 200;
        Assert.Null(await source.ManifestAsync(Cancelled));
        Assert.Equal(["/a/m.gguf.manifest.json?key=1", "/a/m.gguf.manifest.json?key=1"], asked);
        Assert.Equal($"{server.Address}/a/m.gguf", source.Name);
    }

    [Fact]
    public async Task Reading_can_be_cancelled()
    {
        using var cancel = new CancellationTokenSource();
        await using var server = await FileServer.StartAsync(async (context, number) =>
        {
            if (number == 1)
            {
                await FileServer.SendAsync(context, Content, "t");
                return;
            }

            await cancel.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
        });
        using var source = Source(server);
        await source.OpenAsync(Cancelled);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => source.ReadAsync("m", 0, new byte[10], cancel.Token));
    }

    private static byte[] Random(int length, int seed)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static async Task<byte[]> ReadAsync(HttpSource source, long at, int count)
    {
        var bytes = new byte[count];
        await source.ReadAsync("m", at, bytes, Cancelled);
        return bytes;
    }

    private HttpSource Source(FileServer server, string path = "/m.gguf") => new(_client, new Uri(server.Address + path), Options());

    private HttpSourceOptions Options() => new() { Attempts = 4, FirstDelay = TimeSpan.FromSeconds(1), MaxDelay = TimeSpan.FromSeconds(10), Time = _time };
}
