using System.Globalization;
using Slm.ServiceDefaults;

namespace Slm.Gateway.Access;

/// <summary>When an API key is asked for.</summary>
internal enum KeyRule
{
    /// <summary>As soon as one has ever been made.</summary>
    Auto,

    /// <summary>Always.</summary>
    Required,

    /// <summary>Never.</summary>
    Off,
}

/// <summary>Who may use the platform, and how much: section <c>Slm:Access</c>.</summary>
internal sealed record AccessOptions
{
    /// <summary><c>Keys</c>: auto (default), required or off.</summary>
    public KeyRule Keys { get; init; }

    /// <summary><c>AdminKey</c>: a key with the scope "admin" that is kept nowhere but in the configuration, to make the first one with; at least 20 characters.</summary>
    public string? AdminKey { get; init; }

    /// <summary><c>Database</c>: connection string of PostgreSQL; null: that of the cluster where silos meet on PostgreSQL, else an SQLite file in <see cref="PlatformOptions.Data"/>.</summary>
    public string? Database { get; init; }

    /// <summary>The SQLite file where there is no <see cref="Database"/>.</summary>
    public required string File { get; init; }

    /// <summary><c>Audit</c>: whether requests are noted in the audit log; default where keys are asked for.</summary>
    public bool? Audit { get; init; }

    /// <summary><c>AuditDays</c>: entries are kept for so long; default 90.</summary>
    public int AuditDays { get; init; } = 90;

    /// <summary><c>MaxConcurrent</c>: requests at work in this gateway, shared fairly among keys; default 256.</summary>
    public int MaxConcurrent { get; init; } = 256;

    /// <summary><c>MaxResponseBytes</c>: largest answer; default 256 MiB.</summary>
    public long MaxResponseBytes { get; init; } = 256L << 20;

    /// <summary><c>IdempotencyBytes</c>: memory for answers of requests with an Idempotency-Key; default 64 MiB.</summary>
    public long IdempotencyBytes { get; init; } = 64L << 20;

    /// <summary><c>IdempotencyMinutes</c>: such answers are kept for so long; default 1440.</summary>
    public int IdempotencyMinutes { get; init; } = 1440;

    /// <summary><c>CorsOrigins</c>: web pages of these origins may call, separated by semicolons, or <c>*</c>; default none.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];

    /// <summary><c>Hosts</c>: further names under which this machine's loopback address may be called while no key is asked for, separated by semicolons.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary><c>DrainSeconds</c>: how long stopping lets running requests go on; default 30.</summary>
    public int DrainSeconds { get; init; } = 30;

    /// <summary>Reads and checks the section.</summary>
    /// <exception cref="OptionException">A value is not usable.</exception>
    public static AccessOptions From(IConfiguration configuration)
    {
        var section = configuration.GetSection("Slm:Access");
        var defaults = new AccessOptions { File = Path.Combine(PlatformOptions.From(configuration).Data, "access.db") };
        return defaults with
        {
            Keys = Text("Keys") switch
            {
                null or "auto" => KeyRule.Auto,
                "required" => KeyRule.Required,
                "off" => KeyRule.Off,
                var text => throw new OptionException("Slm:Access:Keys", text, "be auto, required or off"),
            },
            // The value is a secret and does not belong into a message.
            AdminKey = Text("AdminKey") is { Length: < 20 } ? throw new OptionException("Slm:Access:AdminKey", "…", "have at least 20 characters") : Text("AdminKey"),
            Database = Text("Database") ?? ClusterDatabase(configuration),
            Audit = Text("Audit") is not { } audit ? null : bool.TryParse(audit, out var on) ? on : throw new OptionException("Slm:Access:Audit", audit, "be true or false"),
            AuditDays = (int)Number("AuditDays", defaults.AuditDays, 1, 36_500),
            MaxConcurrent = (int)Number("MaxConcurrent", defaults.MaxConcurrent, 1, 1_000_000),
            MaxResponseBytes = Number("MaxResponseBytes", defaults.MaxResponseBytes, 1024, 1L << 40),
            IdempotencyBytes = Number("IdempotencyBytes", defaults.IdempotencyBytes, 0, 1L << 40),
            IdempotencyMinutes = (int)Number("IdempotencyMinutes", defaults.IdempotencyMinutes, 1, 100_000),
            CorsOrigins = [.. List("CorsOrigins").Select(Origin)],
            Hosts = List("Hosts"),
            DrainSeconds = (int)Number("DrainSeconds", defaults.DrainSeconds, 0, 86_400),
        };

        string? Text(string name) => section[name] is { Length: > 0 } text ? text : null;

        string[] List(string name) => Text(name)?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

        long Number(string name, long fallback, long least, long most) => Text(name) is not { } text ? fallback
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most ? value
            : throw new OptionException($"Slm:Access:{name}", text, string.Create(CultureInfo.InvariantCulture, $"be a number in {least} to {most}"));
    }

    private static string Origin(string text) => text == "*" || (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.GetLeftPart(UriPartial.Authority) == text)
        ? text
        : throw new OptionException("Slm:Access:CorsOrigins", text, "be * or origins such as https://example.org, without a path");

    private static string? ClusterDatabase(IConfiguration configuration)
    {
        if (configuration["Orleans:Clustering:ProviderType"] != "AdoNet" || configuration["Orleans:Clustering:Invariant"] != "Npgsql")
            return null;
        return configuration["Orleans:Clustering:ConnectionString"]
            ?? (configuration["Orleans:Clustering:ConnectionName"] is { } name ? configuration.GetConnectionString(name) : null);
    }
}
