using System.Collections.Concurrent;
using System.Text.Json;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Slm.Gateway.OpenAi;
using Slm.Gateway.OpenAi.Responses;
using Slm.JsonSchema;
using Slm.Tools.Calls;
using Slm.Tools.Functions;

namespace Slm.Gateway.Mcp;

/// <summary>The operator's MCP servers as sources of tools. Each is connected to when a response first asks for it.</summary>
internal sealed class McpServers(IReadOnlyList<McpServerOptions> options, TimeProvider time, ILoggerFactory logs) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, Lazy<Task<McpClient>>> _clients = new(StringComparer.Ordinal);

    /// <summary>The tools that a response may use.</summary>
    /// <param name="wanted">The servers, and which of their tools.</param>
    /// <param name="functions">The client's own functions, whose names are taken.</param>
    /// <param name="cancellationToken">Ends the connecting and listing.</param>
    /// <exception cref="OpenAiException">A server is not known or does not answer, or names collide.</exception>
    public async Task<ServerTools> OpenAsync(IReadOnlyList<McpTool> wanted, IReadOnlyList<FunctionSpec> functions, CancellationToken cancellationToken)
    {
        var limit = wanted.Select(w => Options(w.Label).TimeLimit).Max();
        var tools = new ServerTools(new FunctionRegistry(time) { TimeLimit = limit });
        foreach (var server in wanted)
        {
            var listed = await ListAsync(server.Label, cancellationToken);
            if (server.Allowed.FirstOrDefault(name => listed.All(t => t.Name != name)) is { } missing)
                throw OpenAiException.Invalid("tools", $"The MCP server '{server.Label}' has no tool '{missing}'. It has: {string.Join(", ", listed.Select(t => t.Name))}.");
            var chosen = server.Allowed.Count == 0 ? listed : [.. listed.Where(t => server.Allowed.Contains(t.Name))];
            foreach (var tool in chosen)
            {
                if (functions.Any(f => f.Name == tool.Name))
                    throw OpenAiException.Invalid("tools", $"'{tool.Name}' is a function of the request and a tool of the MCP server '{server.Label}'; names must differ.");
                Register(tools, server.Label, tool);
            }
            tools.Listed.Add((server.Label, [.. chosen.Select(t => new ListedTool(t.Name, t.Description, t.JsonSchema))]));
        }
        return tools;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients.Values)
        {
            await client.Value.ContinueWith(static _ => { }, TaskScheduler.Default);
            if (client.Value.IsCompletedSuccessfully)
                await (await client.Value).DisposeAsync();
        }
    }

    private McpServerOptions Options(string label) => options.FirstOrDefault(o => o.Label == label)
        ?? throw OpenAiException.Invalid("tools", $"There is no MCP server '{label}'. The operator has set: {(options.Count == 0 ? "none" : string.Join(", ", options.Select(o => o.Label)))}.");

    private async Task<IList<McpClientTool>> ListAsync(string label, CancellationToken cancellationToken)
    {
        var known = Options(label);
        for (var attempt = 0; ; attempt++)
        {
            var client = _clients.GetOrAdd(label, _ => new Lazy<Task<McpClient>>(() => McpClient.CreateAsync(known.Transport(), loggerFactory: logs, cancellationToken: CancellationToken.None)));
            try
            {
                return await (await client.Value.WaitAsync(cancellationToken)).ListToolsAsync(cancellationToken: cancellationToken);
            }
            catch (Exception error) when (error is McpException or HttpRequestException or IOException or InvalidOperationException or TimeoutException or ObjectDisposedException)
            {
                // The server may have been started again since: one more attempt with a new connection.
                _clients.TryRemove(new KeyValuePair<string, Lazy<Task<McpClient>>>(label, client));
                if (attempt > 0)
                    throw new OpenAiException(502, "server_error", $"The MCP server '{label}' does not answer: {error.Message}", "tools", "mcp_server_unreachable");
            }
        }
    }

    private static void Register(ServerTools tools, string label, McpClientTool tool)
    {
        try
        {
            tools.Registry.Register(new FunctionSpec(tool.Name, tool.Description, tool.JsonSchema.GetRawText()), (arguments, token) => CallAsync(tool, arguments, token));
            tools.Labels[tool.Name] = label;
        }
        catch (Exception error) when (error is ArgumentException or SchemaException)
        {
            throw new OpenAiException(502, "server_error", $"The tool '{tool.Name}' of the MCP server '{label}' cannot be used: {error.Message} Leave it out with 'allowed_tools'.", "tools", "mcp_tool_unusable");
        }
    }

    private static async Task<string> CallAsync(McpClientTool tool, JsonElement arguments, CancellationToken cancellationToken)
    {
        var result = await tool.CallAsync(arguments.EnumerateObject().ToDictionary(p => p.Name, p => (object?)p.Value), cancellationToken: cancellationToken);
        var text = string.Join('\n', result.Content.OfType<TextContentBlock>().Select(block => block.Text));
        return result.IsError is true ? throw new McpException(text) : text.Length == 0 && result.StructuredContent is { } structured ? structured.GetRawText() : text;
    }
}

/// <summary>The tools of MCP servers that one response may use.</summary>
internal sealed class ServerTools(FunctionRegistry registry)
{
    /// <summary>No tools.</summary>
    public static ServerTools None => new(new FunctionRegistry());

    public FunctionRegistry Registry { get; } = registry;

    /// <summary>The servers' labels and tools.</summary>
    public List<(string Label, IReadOnlyList<ListedTool> Tools)> Listed { get; } = [];

    /// <summary>From tools to their server.</summary>
    public Dictionary<string, string> Labels { get; } = new(StringComparer.Ordinal);

    /// <summary>From calls that run to their place in the response's output.</summary>
    public Dictionary<string, int> Running { get; } = new(StringComparer.Ordinal);

    public string? LabelOf(string function) => Labels.GetValueOrDefault(function);
}
