using System.Net;
using Microsoft.Extensions.Configuration;

namespace Slm.ServiceDefaults;

/// <summary>Settings every service shares, from the section <c>Slm</c> (environment: <c>Slm__Http</c> and so on).</summary>
public sealed record PlatformOptions
{
    /// <summary><c>Slm:Http</c>: where HTTP/1.1 is served, such as <c>http://127.0.0.1:8080</c> or <c>http://*:8080</c>; several separated by semicolons.</summary>
    public IReadOnlyList<ListenAddress> Http { get; init; } = [ListenAddress.Parse("http://127.0.0.1:8080", "Slm:Http")];

    /// <summary><c>Slm:Grpc</c>: where gRPC is served, HTTP/2 without TLS.</summary>
    public IReadOnlyList<ListenAddress> Grpc { get; init; } = [ListenAddress.Parse("http://127.0.0.1:8081", "Slm:Grpc")];

    /// <summary><c>Slm:Models</c>: folders with model files, separated by semicolons; null: the shipped ones, then <c>~/.slm/models</c> (Runtime's ModelCatalog).</summary>
    public IReadOnlyList<string>? Models { get; init; }

    /// <summary><c>Slm:Data</c>: folder for what the platform writes; default <c>~/.slm</c>.</summary>
    public string Data { get; init; } = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".slm");

    /// <summary><c>Slm:MaxRequestBytes</c>: largest gRPC request message; default 16 MiB.</summary>
    public int MaxRequestBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Reads and checks the section.</summary>
    /// <exception cref="OptionException">A value is not usable; the message names the setting.</exception>
    public static PlatformOptions From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var slm = configuration.GetSection("Slm");
        var defaults = new PlatformOptions();
        var options = new PlatformOptions
        {
            Http = Listen(slm["Http"], "Slm:Http") ?? defaults.Http,
            Grpc = Listen(slm["Grpc"], "Slm:Grpc") ?? defaults.Grpc,
            Models = Folders(slm.GetSection("Models")),
            Data = slm["Data"] is { Length: > 0 } data ? Path.GetFullPath(data) : defaults.Data,
            MaxRequestBytes = slm["MaxRequestBytes"] is { Length: > 0 } bytes ? Size(bytes) : defaults.MaxRequestBytes,
        };
        foreach (var address in options.Http.Intersect(options.Grpc).Where(a => a.Port != 0))
            throw new OptionException("Slm:Grpc", address.ToString(), "differ from Slm:Http: without TLS one port cannot speak both HTTP/1.1 and HTTP/2");
        return options;
    }

    private static List<ListenAddress>? Listen(string? value, string setting) =>
        string.IsNullOrWhiteSpace(value) ? null
        : [.. value.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(v => ListenAddress.Parse(v, setting))];

    private static string[]? Folders(IConfigurationSection section)
    {
        var values = section.Value is { Length: > 0 } text
            ? text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : [.. section.GetChildren().Select(c => c.Value).OfType<string>()];
        return values.Length == 0 ? null : values;
    }

    private static int Size(string value) =>
        int.TryParse(value, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var bytes) && bytes >= 1024
            ? bytes
            : throw new OptionException("Slm:MaxRequestBytes", value, "be a number of bytes, at least 1024");
}

/// <summary>An address to listen on. A null <paramref name="Address"/> means all of this machine's.</summary>
/// <param name="Address">IP address, or null.</param>
/// <param name="Port">TCP port; 0 lets the system choose.</param>
public sealed record ListenAddress(IPAddress? Address, int Port)
{
    /// <summary>Reads <c>http://host:port</c>, where host is an IP address, <c>localhost</c>, <c>*</c> or <c>+</c>.</summary>
    /// <exception cref="OptionException">It is no such URL.</exception>
    public static ListenAddress Parse(string value, string setting)
    {
        ArgumentNullException.ThrowIfNull(value);
        const string Scheme = "http://";
        var rest = value.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? value[Scheme.Length..].TrimEnd('/') : "";
        var colon = rest.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(rest[(colon + 1)..], System.Globalization.CultureInfo.InvariantCulture, out var port))
            throw new OptionException(setting, value, "be like http://127.0.0.1:8080 or http://*:8080");
        var host = rest[..colon];
        if (host is "*" or "+")
            return new ListenAddress(null, port);
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
            return new ListenAddress(IPAddress.Loopback, port);
        return IPAddress.TryParse(host.Trim('[', ']'), out var address)
            ? new ListenAddress(address, port)
            : throw new OptionException(setting, value, "name an IP address, localhost, or * for all addresses");
    }

    /// <inheritdoc/>
    public override string ToString() => Address is null ? $"http://*:{Port}" : $"http://{new IPEndPoint(Address, Port)}";
}

/// <summary>A setting is not usable.</summary>
/// <param name="setting">Its name, such as <c>Slm:Http</c>.</param>
/// <param name="value">What it is.</param>
/// <param name="rule">What it must do, to follow "must".</param>
public sealed class OptionException(string setting, string? value, string rule) : Exception($"The setting {setting} is '{value}' but must {rule}.")
{
    /// <summary>Name of the setting.</summary>
    public string Setting { get; } = setting;
}
