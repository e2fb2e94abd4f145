namespace Slm.Gateway.Access;

/// <summary>What a key may be for, and which calls need what.</summary>
internal static class Scope
{
    /// <summary>Use models: generate, embed, score, tokenize, route, and see which there are.</summary>
    public const string Inference = "inference";

    /// <summary>Load, unload and place models, and see the silos.</summary>
    public const string Models = "models";

    /// <summary>Train and evaluate.</summary>
    public const string Jobs = "jobs";

    /// <summary>Ask for a priority below 0, before others.</summary>
    public const string Priority = "priority";

    /// <summary>All of these, keys and the audit log.</summary>
    public const string Admin = "admin";

    /// <summary>Every scope.</summary>
    public static readonly IReadOnlyList<string> All = [Inference, Models, Jobs, Priority, Admin];

    private static readonly (string Path, CallRule Read, CallRule Write)[] Rules =
    [
        ("/v1/chat", new(Inference), new(Inference, IsWork: true)),
        ("/v1/completions", new(Inference), new(Inference, IsWork: true)),
        ("/v1/responses", new(Inference), new(Inference, IsWork: true)),
        ("/v1/embeddings", new(Inference), new(Inference, IsWork: true)),
        ("/v1/inference", new(Inference), new(Inference, IsWork: true)),
        ("/v1/router", new(Inference), new(Inference, IsWork: true)),
        ("/mcp", new(Inference), new(Inference, IsWork: true)),
        ("/v1/models", new(Inference), new(Models)),
        ("/v1/tokenizer", new(Inference), new(Inference)),
        ("/tokenize", new(Inference), new(Inference)),
        ("/detokenize", new(Inference), new(Inference)),
        ("/tokenizer_info", new(Inference), new(Inference)),
        ("/api/models", new(Inference), new(Admin)),
        ("/v1/deployments", new(Inference), new(Models)),
        ("/v1/silos", new(Models), new(Models)),
        ("/v1/training", new(Jobs), new(Jobs)),
        ("/v1/evaluation", new(Jobs), new(Jobs)),
        ("/v1/keys", new(Admin, IsKeys: true), new(Admin, IsKeys: true)),
        ("/v1/audit", new(Admin, IsKeys: true), new(Admin, IsKeys: true)),
        ("/slm.v1.AccessService", new(Admin, IsKeys: true), new(Admin, IsKeys: true)),
        ("/slm.v1.InferenceService", new(Inference), new(Inference, IsWork: true)),
        ("/slm.v1.RouterService/ListPolicies", new(Inference), new(Inference)),
        ("/slm.v1.RouterService/ListDecisions", new(Inference), new(Inference)),
        ("/slm.v1.RouterService/Summarize", new(Inference), new(Inference)),
        ("/slm.v1.RouterService", new(Inference), new(Inference, IsWork: true)),
        ("/slm.v1.TokenizerService", new(Inference), new(Inference)),
        ("/slm.v1.ModelService/List", new(Inference), new(Inference)),
        ("/slm.v1.ModelService/Get", new(Inference), new(Inference)),
        ("/slm.v1.ModelService/Describe", new(Inference), new(Inference)),
        ("/slm.v1.ModelService/ListAdapters", new(Inference), new(Inference)),
        ("/slm.v1.ModelService", new(Models), new(Models)),
        ("/slm.v1.ClusterService", new(Models), new(Models)),
        ("/slm.v1.TrainerService", new(Jobs), new(Jobs)),
        ("/slm.v1.EvaluatorService", new(Jobs), new(Jobs)),
    ];

    /// <summary>What a call needs. One that is not in the table needs <see cref="Admin"/>: nothing new is open by mistake.</summary>
    public static CallRule Of(HttpRequest request)
    {
        foreach (var (path, read, write) in Rules)
        {
            if (IsUnder(request.Path.Value ?? "", path))
                return HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) ? read : write;
        }

        return new(Admin);
    }

    /// <summary>The same path, or one behind a slash or the colon of a verb: routes ignore case.</summary>
    private static bool IsUnder(string path, string root) =>
        path.StartsWith(root, StringComparison.OrdinalIgnoreCase) && (path.Length == root.Length || path[root.Length] is '/' or ':');
}

/// <summary>What a call needs.</summary>
/// <param name="Scope">The scope.</param>
/// <param name="IsWork">Models compute for it: it counts to limits of tokens and to the fair share of requests at work.</param>
/// <param name="IsKeys">It concerns keys: while none is asked for, only callers on this machine may.</param>
internal sealed record CallRule(string Scope, bool IsWork = false, bool IsKeys = false);
