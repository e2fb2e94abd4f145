using System.Globalization;
using ModelContextProtocol.Client;
using Slm.ServiceDefaults;
using Slm.Tools.Calls;

namespace Slm.Gateway.Mcp;

/// <summary>An MCP server whose tools responses can use: <c>Slm:Gateway:Mcp:LABEL</c>.</summary>
internal sealed record McpServerOptions(string Label)
{
    /// <summary>Address of a streamable HTTP server.</summary>
    public Uri? Url { get; init; }

    /// <summary>HTTP headers to send, such as Authorization.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>Program of a server on standard input and output.</summary>
    public string? Command { get; init; }

    /// <summary>Its arguments.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Longest time a tool may take.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Reads and checks the settings.</summary>
    /// <exception cref="OptionException">One is not usable.</exception>
    public static IReadOnlyList<McpServerOptions> From(IConfiguration configuration) =>
        [.. configuration.GetSection("Slm:Gateway:Mcp").GetChildren().Select(Read)];

    /// <summary>A way to the server.</summary>
    public IClientTransport Transport() => Url is not null
        ? new HttpClientTransport(new HttpClientTransportOptions { Endpoint = Url, Name = Label, AdditionalHeaders = Headers.ToDictionary(StringComparer.OrdinalIgnoreCase) })
        : new StdioClientTransport(new StdioClientTransportOptions { Command = Command!, Arguments = [.. Arguments], Name = Label, InheritEnvironmentVariables = false, EnvironmentVariables = StdioClientTransportOptions.GetDefaultEnvironmentVariables()! });

    private static McpServerOptions Read(IConfigurationSection section)
    {
        if (!FunctionSpec.IsName(section.Key))
            throw new OptionException(section.Path, section.Key, "be named with letters, digits, '_', '-' and '.'");
        var (url, command) = (section["Url"], section["Command"]);
        if (string.IsNullOrEmpty(url) == string.IsNullOrEmpty(command))
            throw new OptionException(section.Path, section.Value, "have either Url or Command");
        return new McpServerOptions(section.Key)
        {
            Url = string.IsNullOrEmpty(url) ? null : Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? new Uri(url)
                : throw new OptionException($"{section.Path}:Url", url, "be an http or https URL"),
            Command = command,
            Arguments = [.. section.GetSection("Arguments").GetChildren().Select(a => a.Value ?? "")],
            Headers = section.GetSection("Headers").GetChildren().ToDictionary(h => h.Key, h => h.Value ?? ""),
            TimeLimit = section["TimeLimitMs"] is not { } limit ? TimeSpan.FromMinutes(1)
                : int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out var ms) && ms > 0 ? TimeSpan.FromMilliseconds(ms)
                : throw new OptionException($"{section.Path}:TimeLimitMs", limit, "be a number of milliseconds above 0"),
        };
    }
}
