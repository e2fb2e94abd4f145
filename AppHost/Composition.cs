namespace Slm.AppHost;

/// <summary>
/// The platform's services as data. Both ways to run it follow this table: <c>Local/</c> in one process, <c>Aspire/</c> as
/// separate ones. Names are those of service discovery (<c>services:{name}:grpc:0</c>).
/// </summary>
internal static class Composition
{
    /// <summary>Every service, those before that others call.</summary>
    public static readonly IReadOnlyList<ServiceEntry> Services =
    [
        new("tokenizer"),
        new("inference") { IsSilo = true, Replicas = 3 },
        new("router") { Calls = ["tokenizer", "inference"] },
        new("evaluator") { Calls = ["inference"] },
        new("trainer"),
        new("gateway") { Calls = ["tokenizer", "inference", "router", "evaluator", "trainer"], IsPublic = true },
    ];
}

/// <summary>One service. Each has an HTTP endpoint "http" and an HTTP/2 endpoint "grpc", bound by Slm:Http and Slm:Grpc.</summary>
/// <param name="Name">Name in service discovery, and of its Kubernetes objects.</param>
internal sealed record ServiceEntry(string Name)
{
    /// <summary>Services whose "grpc" endpoint it calls.</summary>
    public IReadOnlyList<string> Calls { get; init; } = [];

    /// <summary>A member of the Orleans cluster.</summary>
    public bool IsSilo { get; init; }

    /// <summary>Processes, where services run apart.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>Reached from outside.</summary>
    public bool IsPublic { get; init; }
}
