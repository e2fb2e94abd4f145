using System.Net;
using ModelContextProtocol.Protocol;

namespace Slm.Gateway.Mcp;

/// <summary>The platform's own MCP server at <c>/mcp</c> (streamable HTTP), and the servers whose tools responses use.</summary>
internal static class McpEndpoint
{
    private const string Path = "/mcp";

    public static void AddMcp(this IHostApplicationBuilder builder)
    {
        var servers = McpServerOptions.From(builder.Configuration);
        builder.Services.AddSingleton(services => new McpServers(servers, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILoggerFactory>()));
        builder.Services.AddMcpServer(options =>
        {
            options.ServerInfo = new Implementation { Name = "slm-platform", Version = typeof(McpEndpoint).Assembly.GetName().Version!.ToString(3) };
            options.ServerInstructions = "Small language models: list_models says which there are.";
        }).WithHttpTransport(http => http.Stateless = true).WithTools<PlatformTools>();
    }

    public static void MapMcp(this WebApplication app)
    {
        app.UseWhen(context => context.Request.Path.StartsWithSegments(Path, StringComparison.Ordinal), branch => branch.Use(async (context, next) =>
        {
            if (IsRebound(context.Request, context.Connection.LocalIpAddress))
            {
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                await context.Response.WriteAsync("The headers Host and Origin must name this machine.", context.RequestAborted);
                return;
            }
            await next(context);
        }));
        app.MapMcp(Path);
    }

    /// <summary>A web page that has its name lead to this machine must not reach a server that trusts local callers.</summary>
    private static bool IsRebound(HttpRequest request, IPAddress? local)
    {
        if (local is null || !IPAddress.IsLoopback(local))
            return false;
        return !IsLocal(request.Host.Host) || (request.Headers.Origin.ToString() is { Length: > 0 } origin && !(Uri.TryCreate(origin, UriKind.Absolute, out var uri) && IsLocal(uri.Host)));
    }

    private static bool IsLocal(string host) => host == "localhost" || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
