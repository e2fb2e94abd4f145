using System.Globalization;
using Slm.Router.Models;
using Slm.Router.Policies;
using Slm.ServiceDefaults;
using Slm.Shared.Storage;

namespace Slm.Router;

/// <summary>Settings of the router, section <c>Slm:Router</c>.</summary>
internal sealed record RouterOptions
{
    /// <summary><c>Slm:Router:Policies</c>: folder with policies, files that end in .yaml; default <c>policies</c> in <c>Slm:Data</c>.</summary>
    public required string Policies { get; init; }

    /// <summary><c>Slm:Router:DefaultPolicy</c>: the policy of the model name <c>auto</c>; default <c>default</c>, or the only one there is.</summary>
    public string DefaultPolicy { get; init; } = "default";

    /// <summary><c>Slm:Router:Database</c>: connection string of PostgreSQL; null: the file.</summary>
    public string? Database { get; init; }

    /// <summary><c>Slm:Router:File</c>: file of SQLite; default <c>router.db</c> in <c>Slm:Data</c>.</summary>
    public required string File { get; init; }

    /// <summary><c>Slm:Dapr:GrpcEndpoint</c>: where the Dapr sidecar is; null: where <c>DAPR_GRPC_ENDPOINT</c> or <c>DAPR_GRPC_PORT</c> say.</summary>
    public string? DaprEndpoint { get; init; }

    /// <summary>The database they name.</summary>
    internal ServiceDatabase OpenDatabase() => new("router", 0x536C6D526F75, Database, File);

    /// <summary><c>Slm:Router:WattsPerProcessor</c>: power of one busy processor, for the estimate of energy where no counters can be read; default 10.</summary>
    public double WattsPerProcessor { get; init; } = 10;

    /// <summary><c>Slm:Router:PowerCap</c>: folder of the kernel's energy counters.</summary>
    public string PowerCap { get; init; } = "/sys/class/powercap";

    /// <summary><c>Slm:Router:Endpoints:NAME</c>: servers outside of the platform.</summary>
    public IReadOnlyDictionary<string, EndpointOptions> Endpoints { get; init; } = new Dictionary<string, EndpointOptions>();

    /// <summary>Reads and checks the section.</summary>
    /// <exception cref="OptionException">A value is not usable.</exception>
    public static RouterOptions From(IConfiguration configuration)
    {
        var data = PlatformOptions.From(configuration).Data;
        var section = configuration.GetSection("Slm:Router");
        return new RouterOptions
        {
            Policies = section["Policies"] is { Length: > 0 } folder ? Path.GetFullPath(folder) : Path.Combine(data, "policies"),
            DefaultPolicy = section["DefaultPolicy"] is { Length: > 0 } name ? name : "default",
            Database = section["Database"] is { Length: > 0 } connection ? connection : null,
            File = section["File"] is { Length: > 0 } file ? Path.GetFullPath(file) : Path.Combine(data, "router.db"),
            DaprEndpoint = configuration["Slm:Dapr:GrpcEndpoint"] is { Length: > 0 } dapr ? dapr : null,
            WattsPerProcessor = Number(section, "Slm:Router", "WattsPerProcessor", 10, 0, 10_000),
            PowerCap = section["PowerCap"] is { Length: > 0 } powerCap ? powerCap : "/sys/class/powercap",
            Endpoints = section.GetSection("Endpoints").GetChildren().ToDictionary(c => c.Key, EndpointOptions.From, StringComparer.Ordinal),
        };
    }

    internal static double Number(IConfigurationSection section, string path, string name, double standard, double least, double most) =>
        section[name] is not { Length: > 0 } text ? standard
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most ? value
        : throw new OptionException($"{path}:{name}", text, string.Create(CultureInfo.InvariantCulture, $"be a number from {least} to {most}"));
}

/// <summary>An OpenAI-compatible server.</summary>
internal sealed record EndpointOptions
{
    /// <summary>Its name in policies.</summary>
    public required string Name { get; init; }

    /// <summary>Address up to and with <c>/v1</c>.</summary>
    public required Uri Url { get; init; }

    /// <summary>Its key: from the setting <c>Key</c>, which any configuration source may hold (environment, user secrets, a secret store), or
    /// from the file that <c>KeyFile</c> names, as orchestrators mount secrets. Never logged.</summary>
    public string? Key { get; init; }

    /// <summary>The secret of a Dapr secret store that is its key, from the setting <c>KeySecret</c>: STORE/SECRET or STORE/SECRET/FIELD.</summary>
    public SecretName? Secret { get; init; }

    /// <summary>Time of one attempt.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Attempts after the first.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>A second attempt is begun where the first has not answered after this; null: never.</summary>
    public TimeSpan? HedgeAfter { get; init; }

    /// <summary>Share of failures, of at least <see cref="BreakerCalls"/> calls in 30 s, at which it is left alone.</summary>
    public double BreakerFailureRatio { get; init; } = 0.5;

    /// <summary>Calls that the share is taken of.</summary>
    public int BreakerCalls { get; init; } = 10;

    /// <summary>How long it is left alone.</summary>
    public TimeSpan BreakerPause { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>It tells log-probabilities.</summary>
    public bool LogProbs { get; init; }

    /// <summary>What an attempt costs.</summary>
    public StageCost Cost { get; init; } = new(0, 0, 0);

    /// <summary>Most that may be spent on it; null: no limit.</summary>
    public SpendLimit? Limit { get; init; }

    public static EndpointOptions From(IConfigurationSection section)
    {
        var path = $"Slm:Router:Endpoints:{section.Key}";
        if (!Uri.TryCreate(section["Url"], UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            throw new OptionException($"{path}:Url", section["Url"], "be a URL such as https://host/v1");
        var key = section["Key"] is { Length: > 0 } given ? given : null;
        if (key is null && section["KeyFile"] is { Length: > 0 } file)
            key = System.IO.File.Exists(file) ? System.IO.File.ReadAllText(file).Trim() : throw new OptionException($"{path}:KeyFile", file, "name a file that exists");
        SecretName? secret = null;
        if (section["KeySecret"] is { Length: > 0 } named)
        {
            secret = SecretName.Parse(named) ?? throw new OptionException($"{path}:KeySecret", named, "be STORE/SECRET or STORE/SECRET/FIELD");
            if (key is not null)
                throw new OptionException($"{path}:KeySecret", named, "be left out where Key or KeyFile is set");
        }

        var limit = Number("SpendLimit", -1, -1, double.MaxValue);
        var hedge = Number("HedgeAfterMs", 0, 0, int.MaxValue);
        return new EndpointOptions
        {
            Name = section.Key,
            Url = url,
            Key = key,
            Secret = secret,
            Timeout = TimeSpan.FromMilliseconds(Number("TimeoutMs", 60_000, 10, 86_400_000)),
            Retries = (int)Number("Retries", 3, 0, 10),
            HedgeAfter = hedge > 0 ? TimeSpan.FromMilliseconds(hedge) : null,
            BreakerFailureRatio = Number("BreakerFailureRatio", 0.5, 0.01, 1),
            BreakerCalls = (int)Number("BreakerCalls", 10, 2, 100_000),
            BreakerPause = TimeSpan.FromMilliseconds(Number("BreakerPauseMs", 15_000, 500, 86_400_000)),
            LogProbs = section["LogProbs"] is "true" or "True",
            Cost = new StageCost(Number("CostPerRequest", 0, 0, double.MaxValue), Number("CostPerPromptToken", 0, 0, double.MaxValue), Number("CostPerCompletionToken", 0, 0, double.MaxValue)),
            Limit = limit >= 0 ? new SpendLimit(limit, TimeSpan.FromSeconds(Number("SpendWindowSeconds", 86_400, 1, 366 * 86_400))) : null,
        };

        double Number(string name, double standard, double least, double most) => RouterOptions.Number(section, path, name, standard, least, most);
    }
}
