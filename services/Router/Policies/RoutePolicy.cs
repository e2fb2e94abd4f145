using Slm.JsonSchema;

namespace Slm.Router.Policies;

/// <summary>How requests are answered: the stages that are tried one after the other, and what each demands of its answer.</summary>
internal sealed record RoutePolicy
{
    /// <summary>Name that requests use.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 of <see cref="Text"/>, in hexadecimal.</summary>
    public required string Hash { get; init; }

    /// <summary>The YAML it was read from.</summary>
    public required string Text { get; init; }

    public string Description { get; init; } = "";

    /// <summary>Seed of requests that name none, and of samples.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Time for the whole cascade; null: the request's own alone.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>What happens where a stage's model is not there or fails.</summary>
    public OnMissing OnMissing { get; init; } = OnMissing.Fail;

    /// <summary>What an answer is to be.</summary>
    public AnswerKind Answer { get; init; } = AnswerKind.Text;

    /// <summary>Schema of the answer, as JSON; null for text.</summary>
    public string? SchemaJson { get; init; }

    /// <summary>The same, ready to validate.</summary>
    public JsonSchemaValidator? Schema { get; init; }

    /// <summary>Tools that may be called.</summary>
    public IReadOnlyList<ToolSpec> Tools { get; init; } = [];

    /// <summary>Platform models are held to the schema while they write.</summary>
    public bool Constrain { get; init; }

    /// <summary>Most that one request may cost; null: no limit.</summary>
    public double? RequestBudget { get; init; }

    /// <summary>Most that all requests of a window may cost; null: no limit.</summary>
    public SpendLimit? Budget { get; init; }

    /// <summary>Another policy that runs beside this one on a share of the requests, for the record only.</summary>
    public ShadowRule? Shadow { get; init; }

    /// <summary>In the order of the file; the first is tried first.</summary>
    public required IReadOnlyList<StagePolicy> Stages { get; init; }

    /// <summary>The stage behind a stage; null behind the last.</summary>
    public StagePolicy? After(StagePolicy stage) => stage.Next is null ? null : Stages.First(s => s.Name == stage.Next);
}

/// <summary>What happens where a stage cannot answer.</summary>
internal enum OnMissing
{
    /// <summary>The request fails with UNAVAILABLE.</summary>
    Fail,

    /// <summary>The next stage is asked, or the best answer so far is given; the decision says so.</summary>
    Degrade,
}

/// <summary>What an answer is.</summary>
internal enum AnswerKind
{
    /// <summary>Anything.</summary>
    Text,

    /// <summary>A JSON document of a schema.</summary>
    Json,

    /// <summary>A JSON list of calls, each an object with name and arguments; a single call may stand alone.</summary>
    Calls,
}

/// <summary>A function that may be called.</summary>
internal sealed record ToolSpec(string Name, string Description, string ParametersJson, JsonSchemaValidator Parameters);

/// <summary>A sum that may be spent in each window.</summary>
internal sealed record SpendLimit(double Most, TimeSpan Window);

/// <summary>A policy that runs in the shadow on a share of the requests.</summary>
internal sealed record ShadowRule(string Policy, double Share);

/// <summary>One stage of a cascade.</summary>
internal sealed record StagePolicy
{
    public required string Name { get; init; }

    public required ModelReference Model { get; init; }

    /// <summary>Most tokens of an answer; null: the request's.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Null: the request's.</summary>
    public float? Temperature { get; init; }

    /// <summary>Further answers that are drawn to see whether they agree.</summary>
    public int Samples { get; init; }

    public float SampleTemperature { get; init; } = 0.7f;

    /// <summary>Time for the stage, within that of the cascade.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>How often an answer that fails its checks is asked for again, with what is wrong with it.</summary>
    public int Repairs { get; init; }

    /// <summary>How a text prompt is continued for a repair.</summary>
    public string RepairTemplate { get; init; } = "{prompt}{answer}\nThat is wrong: {error}\n";

    public StageCost Cost { get; init; } = new(0, 0, 1);

    public IReadOnlyList<VerifierSpec> Verify { get; init; } = [];

    public AcceptRule? Accept { get; init; }

    /// <summary>What must hold of the request for the stage to be tried.</summary>
    public IReadOnlyList<Condition> When { get; init; } = [];

    /// <summary>The question whose answer's probability is the signal p_true; null: not asked.</summary>
    public TruthQuestion? Truth { get; init; }

    /// <summary>The answer of the stage before is offered as draft.</summary>
    public bool Draft { get; init; } = true;

    /// <summary>The stage that follows where this one's answer is not accepted; null: none.</summary>
    public string? Next { get; init; }

    /// <summary>Its answer can leave as it is written.</summary>
    public bool IsUnconditional => Next is null && Verify.Count == 0 && Accept is null;
}

/// <summary>Cost in the policy's units.</summary>
/// <param name="Request">Of each request to the model.</param>
/// <param name="PromptToken">Of each token of the prompt.</param>
/// <param name="CompletionToken">Of each token of the answer.</param>
internal sealed record StageCost(double Request, double PromptToken, double CompletionToken)
{
    public double Of(long requests, long promptTokens, long completionTokens) => (Request * requests) + (PromptToken * promptTokens) + (CompletionToken * completionTokens);
}

/// <summary>A model of the platform, or one of an endpoint in the settings.</summary>
/// <param name="Endpoint">Name of the endpoint; null: the platform.</param>
/// <param name="Model">Name of the model there.</param>
internal sealed record ModelReference(string? Endpoint, string Model)
{
    public override string ToString() => Endpoint is null ? Model : $"endpoint:{Endpoint}/{Model}";
}

/// <summary>Asks a model whether an answer is right: P("yes") / (P("yes") + P("no")) behind the question.</summary>
/// <param name="Model">Who is asked; null: the model that answered.</param>
/// <param name="Template">With {prompt} and {answer}.</param>
/// <param name="Yes">How the model says that it is.</param>
/// <param name="No">How it says that it is not.</param>
internal sealed record TruthQuestion(ModelReference? Model, string Template, string Yes, string No);

/// <summary>When an answer is good enough.</summary>
/// <param name="Signal">The signal that is looked at.</param>
/// <param name="AtLeast">Its least value, or of <see cref="Calibration"/>; null where <paramref name="AtMost"/> is given.</param>
/// <param name="AtMost">Its greatest value.</param>
internal sealed record AcceptRule(string Signal, double? AtLeast, double? AtMost)
{
    /// <summary>From the signal to the probability that the answer is right; the threshold is one of that probability then.</summary>
    public ICalibration? Calibration { get; init; }
}

/// <summary>A bound on something known before the request is answered, or the tenants a stage is for.</summary>
internal sealed record Condition(string Feature, double? AtLeast, double? AtMost, IReadOnlyList<string> Tenants);

/// <summary>A check of finished answers.</summary>
internal abstract record VerifierSpec(string Name)
{
    /// <summary>The answer is JSON of the policy's schema.</summary>
    internal sealed record Schema() : VerifierSpec("schema");

    /// <summary>Each call names a tool and its arguments bind.</summary>
    internal sealed record Executable() : VerifierSpec("executable");

    /// <summary>A pattern the text must match, or a value in the document.</summary>
    internal sealed record Unit(System.Text.RegularExpressions.Regex? Pattern, string? Pointer, double? Minimum, double? Maximum, IReadOnlyList<string> OneOf) : VerifierSpec("unit");

    /// <summary>The samples agree with the answer.</summary>
    internal sealed record Consistency(double AtLeast) : VerifierSpec("consistency");

    /// <summary>Another model says that it is right.</summary>
    internal sealed record Judge(TruthQuestion Question, double AtLeast) : VerifierSpec("judge");
}
