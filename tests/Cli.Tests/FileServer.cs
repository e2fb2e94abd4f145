using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;

namespace Slm.Cli.Tests;

/// <summary>A web server on loopback that does with each request what the test says.</summary>
internal sealed class FileServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _requests;

    private FileServer(WebApplication app) => _app = app;

    /// <summary>Such as <c>http://127.0.0.1:4711</c>.</summary>
    public string Address => _app.Urls.Single();

    /// <summary>Requests so far.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Starts it.</summary>
    /// <param name="answer">Answers a request, whose number begins at 1.</param>
    public static async Task<FileServer> StartAsync(Func<HttpContext, int, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration["Logging:LogLevel:Default"] = "None";
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        var server = new FileServer(app);
        app.Run(context => answer(context, Interlocked.Increment(ref server._requests)));
        await app.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>Serves bytes with ranges, as servers of files do.</summary>
    public static Task SendAsync(HttpContext context, byte[] content, string? tag = null, DateTimeOffset? modified = null) =>
        Results.Bytes(content, "application/octet-stream", enableRangeProcessing: true, lastModified: modified, entityTag: tag is null ? null : new($"\"{tag}\"")).ExecuteAsync(context);

    /// <summary>Serves bytes as a whole, whatever part was asked for.</summary>
    public static Task SendWholeAsync(HttpContext context, byte[] content, DateTimeOffset? modified = null)
    {
        context.Request.Headers.Remove("Range");
        return Results.Bytes(content, "application/octet-stream", lastModified: modified).ExecuteAsync(context);
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
