using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Slm.JsonSchema;
using Slm.V1;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Slm.Router.Policies;

/// <summary>Reads policies from YAML. All problems are reported at once, each with its line.</summary>
internal sealed partial class PolicyReader
{
    private const int MostSamples = 32;
    private const int MostRepairs = 8;
    private const int MostStages = 16;

    private readonly List<PolicyProblem> _problems = [];
    private readonly IReadOnlySet<string> _endpoints;

    private PolicyReader(IReadOnlySet<string> endpoints) => _endpoints = endpoints;

    /// <summary>Reads one.</summary>
    /// <param name="text">The YAML.</param>
    /// <param name="endpoints">Names of the endpoints in the settings.</param>
    /// <exception cref="PolicyException">It has problems.</exception>
    public static RoutePolicy Read(string text, IReadOnlySet<string> endpoints)
    {
        var (policy, problems) = TryRead(text, endpoints);
        return problems.Count == 0 ? policy! : throw new PolicyException(policy?.Name ?? "", problems);
    }

    /// <summary>Reads one, or says what is wrong.</summary>
    public static (RoutePolicy? Policy, IReadOnlyList<PolicyProblem> Problems) TryRead(string text, IReadOnlySet<string> endpoints)
    {
        var reader = new PolicyReader(endpoints);
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException error)
        {
            return (null, [new PolicyProblem { Line = (int)error.Start.Line, Message = $"is no YAML: {error.Message}" }]);
        }

        if (stream.Documents.Count != 1)
            return (null, [new PolicyProblem { Line = 1, Message = $"holds {stream.Documents.Count} documents but must be one." }]);
        var policy = reader.Policy(new YamlReader(stream.Documents[0].RootNode, "", reader._problems), text);
        return (policy, [.. reader._problems.OrderBy(p => p.Line)]);
    }

    private RoutePolicy Policy(YamlReader fields, string text)
    {
        var name = fields.Text("name", "a name for requests to use");
        if (name.Length > 0 && !NamePattern().IsMatch(name))
            fields.Problem("name", $"is '{name}' but must be of letters, digits, '.', '_' and '-', at most 64.");
        var answer = fields.Choice<AnswerKind>("answer");
        var tools = fields.Sections("tools").Select(Tool).ToArray();
        foreach (var twice in tools.GroupBy(t => t.Name).Where(g => g.Count() > 1))
            fields.Problem("tools", $"name '{twice.Key}' {twice.Count()} times; each tool needs a name of its own.");
        var schemaJson = fields.Json("schema");
        var kind = answer ?? (schemaJson is not null ? AnswerKind.Json : tools.Length > 0 ? AnswerKind.Calls : AnswerKind.Text);
        if (kind == AnswerKind.Json && schemaJson is null)
            fields.Problem("schema", "is missing. Give the JSON Schema of the answer, or answer: text.");
        if (kind == AnswerKind.Calls && tools.Length == 0)
            fields.Problem("tools", "are missing. Give the tools that may be called, or answer: text.");
        if (kind != AnswerKind.Json && schemaJson is not null)
            fields.Problem("schema", $"goes with answer: json only, not with {kind.ToString().ToLowerInvariant()}.");
        if (kind == AnswerKind.Calls && schemaJson is null)
            schemaJson = CallSchema.Of(tools);
        var policy = new RoutePolicy
        {
            Name = name,
            Hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))),
            Text = text,
            Description = fields.OptionalText("description") ?? "",
            Seed = (ulong)(fields.Whole("seed", 0, int.MaxValue) ?? 1),
            Deadline = Milliseconds(fields, "deadline_ms"),
            OnMissing = fields.Choice<OnMissing>("on_missing") ?? OnMissing.Fail,
            Answer = kind,
            SchemaJson = schemaJson,
            Schema = Schema(fields, "schema", schemaJson),
            Tools = tools,
            Constrain = fields.Flag("constrain") ?? false,
            RequestBudget = fields.Number("request_budget", 0, double.PositiveInfinity),
            Budget = Budget(fields.Section("budget")),
            Shadow = Shadow(fields.Section("shadow"), name),
            Stages = Stages(fields, kind),
        };
        if ((policy.RequestBudget is not null || policy.Budget is not null) && policy.Stages.FirstOrDefault(s => s.MaxTokens is null) is { } open)
            fields.Problem(policy.Budget is not null ? "budget" : "request_budget", $"needs max_tokens in every stage, so that the most a call can cost is known; '{open.Name}' has none.");
        if (policy.Constrain && kind == AnswerKind.Text)
            fields.Problem("constrain", "needs a schema or tools: plain text has no form to hold to.");
        fields.RefuseOthers();
        return policy;
    }

    private StagePolicy[] Stages(YamlReader fields, AnswerKind kind)
    {
        var readers = fields.Sections("stages");
        if (readers.Count == 0 || readers.Count > MostStages)
            fields.Problem("stages", readers.Count == 0 ? "are missing: a cascade needs at least one stage." : $"are {readers.Count}, at most {MostStages} can be.");
        var stages = readers.Select((reader, i) => Stage(reader, i, kind)).ToArray();
        foreach (var twice in stages.GroupBy(s => s.Name).Where(g => g.Count() > 1 && g.Key.Length > 0))
            fields.Problem("stages", $"name '{twice.Key}' {twice.Count()} times; each stage needs a name of its own.");
        // Without next: stages follow as they stand.
        for (var i = 0; i < stages.Length; i++)
        {
            var next = readers[i].OptionalText("next");
            if (next is not null && stages.All(s => s.Name != next) && next != "none")
                readers[i].Problem("next", $"is '{next}', but there is no stage of that name. Stages are {string.Join(", ", stages.Select(s => s.Name))}; 'none' ends the cascade.");
            stages[i] = stages[i] with { Next = next == "none" ? null : next ?? (i + 1 < stages.Length ? stages[i + 1].Name : null) };
            readers[i].RefuseOthers();
        }

        if (_problems.Count > 0 || stages.Length == 0)
            return stages;
        var visited = new List<string>();
        for (var at = stages[0]; ; at = stages.First(s => s.Name == at.Next))
        {
            if (visited.Contains(at.Name))
            {
                var closing = Array.FindIndex(stages, s => s.Name == visited[^1]);
                readers[closing].Problem("next", $"closes a circle: {string.Join(" → ", visited.SkipWhile(n => n != at.Name))} → {at.Name}. A cascade must end.");
                break;
            }

            visited.Add(at.Name);
            if (at.Next is null)
                break;
        }

        for (var i = 0; i < stages.Length; i++)
        {
            if (!visited.Contains(stages[i].Name) && _problems.Count == 0)
                readers[i].Problem("name", $"is '{stages[i].Name}', which no stage leads to. Set the next of another stage to it, or leave it out.");
        }

        return stages;
    }

    private StagePolicy Stage(YamlReader fields, int index, AnswerKind kind)
    {
        // Read later, once all stages are known.
        _ = fields.Has("next");
        var model = Model(fields, "model");
        var samples = fields.Whole("samples", 0, MostSamples) ?? 0;
        var cost = fields.Section("cost");
        var stage = new StagePolicy
        {
            Name = fields.OptionalText("name") ?? $"stage{index + 1}",
            Model = model,
            MaxTokens = fields.Whole("max_tokens", 1, 1 << 20),
            Temperature = (float?)fields.Number("temperature", 0, 100),
            Samples = samples,
            SampleTemperature = (float)(fields.Number("sample_temperature", 0.01, 100) ?? 0.7),
            Timeout = Milliseconds(fields, "timeout_ms"),
            Repairs = fields.Whole("repairs", 0, MostRepairs) ?? 0,
            Cost = cost is null ? new StageCost(0, 0, 1) : new StageCost(Price(cost, "request"), Price(cost, "prompt_token"), Price(cost, "completion_token")),
            Verify = [.. fields.List("verify").Select(item => Verifier(item.Node, item.Place, kind, samples)).OfType<VerifierSpec>()],
            Truth = Truth(fields.Section("p_true"), model: null),
            Draft = fields.Flag("draft") ?? true,
        };
        if (fields.OptionalText("repair_template") is { } template)
        {
            if (!template.Contains("{error}", StringComparison.Ordinal))
                fields.Problem("repair_template", "must hold {error}, what is wrong; also {prompt} and {answer}.");
            stage = stage with { RepairTemplate = template };
        }

        if (stage.Repairs > 0 && stage.Verify.Count == 0)
            fields.Problem("repairs", "need checks under verify: without them nothing is known to be wrong.");
        cost?.RefuseOthers();
        return stage with { Accept = Accept(fields.Section("accept"), stage), When = [.. Conditions(fields.Section("when"))] };
    }

    private static AcceptRule? Accept(YamlReader? fields, StagePolicy stage)
    {
        if (fields is null)
            return null;
        var signal = fields.Text("signal", $"one of {string.Join(", ", SignalNames.Signals.Keys)}");
        var known = SignalNames.Signals.TryGetValue(signal, out var range);
        if (signal.Length > 0 && !known)
            fields.Problem("signal", $"is '{signal}' but must be one of {string.Join(", ", SignalNames.Signals.Keys)}.");
        if (signal == SignalNames.Consistency && stage.Samples == 0)
            fields.Problem("signal", "is consistency, which needs samples of at least 1 in the stage.");
        if (signal == SignalNames.PTrue && stage.Truth is null)
            fields.Problem("signal", "is p_true, which needs p_true with a template in the stage.");
        var calibration = Calibration(fields.Section("calibration"), known && !range.MoreIsBetter ? -1 : 1);
        var (low, high) = calibration is not null ? (0, 1) : known ? (range.Low, range.High) : (double.NegativeInfinity, double.PositiveInfinity);
        var rule = new AcceptRule(signal, fields.Number("at_least", low, high), fields.Number("at_most", low, high)) { Calibration = calibration };
        if (!fields.Has("at_least") && !fields.Has("at_most"))
            fields.Problem("at_least", "is missing. Give the least value that is accepted, or at_most.");
        if (fields.Has("at_least") && fields.Has("at_most"))
            fields.Problem("at_most", "stands beside at_least; give one of them.");
        fields.RefuseOthers();
        return rule;
    }

    private static ICalibration? Calibration(YamlReader? fields, int sign)
    {
        if (fields is null)
            return null;
        ICalibration? calibration = null;
        try
        {
            switch (fields.Text("kind", "isotonic or logistic"))
            {
                case "isotonic":
                    calibration = new IsotonicCalibration(Slm.Statistics.IsotonicRegression.From(fields.Numbers("scores"), fields.Numbers("values")), sign);
                    break;
                case "logistic":
                    calibration = new LogisticCalibration(Slm.Statistics.LogisticRegression.From(
                        fields.Number("bias", double.NegativeInfinity, double.PositiveInfinity) ?? 0, [fields.Number("weight", double.NegativeInfinity, double.PositiveInfinity) ?? 0]));
                    break;
                case { Length: > 0 } kind:
                    fields.Problem("kind", $"is '{kind}' but must be isotonic or logistic.");
                    break;
            }
        }
        catch (ArgumentException error)
        {
            fields.Problem("scores", error.Message);
        }

        fields.RefuseOthers();
        return calibration;
    }

    private static IEnumerable<Condition> Conditions(YamlReader? fields)
    {
        if (fields is null)
            yield break;
        if (fields.Has(SignalNames.Tenant))
            yield return new Condition(SignalNames.Tenant, null, null, fields.Texts(SignalNames.Tenant));
        foreach (var (name, range) in SignalNames.Features)
        {
            if (fields.Section(name) is not { } bound)
                continue;
            var (least, most) = (bound.Number("at_least", range.Low, range.High), bound.Number("at_most", range.Low, range.High));
            if (!bound.Has("at_least") && !bound.Has("at_most"))
                bound.Problem("at_least", "is missing. Give at_least, at_most or both.");
            if (least > most)
                bound.Problem("at_least", "is above at_most: nothing fits.");
            bound.RefuseOthers();
            yield return new Condition(name, least, most, []);
        }

        fields.RefuseOthers();
    }

    private VerifierSpec? Verifier(YamlNode node, string place, AnswerKind kind, int samples)
    {
        var (name, fields) = node switch
        {
            YamlScalarNode scalar => (scalar.Value ?? "", (YamlReader?)null),
            YamlMappingNode { Children.Count: 1 } mapping => ((mapping.Children.Keys.First() as YamlScalarNode)?.Value ?? "", new YamlReader(mapping.Children.Values.First(), place, _problems)),
            _ => ("", null),
        };
        void Problem(string message) => _problems.Add(new PolicyProblem { Line = (int)node.Start.Line, Field = place, Message = message });
        VerifierSpec? spec = null;
        switch (name)
        {
            case "schema":
                if (kind == AnswerKind.Text)
                    Problem("is schema, which needs a schema or tools in the policy.");
                spec = new VerifierSpec.Schema();
                break;
            case "executable":
                if (kind != AnswerKind.Calls)
                    Problem("is executable, which needs tools in the policy.");
                spec = new VerifierSpec.Executable();
                break;
            case "unit" when fields is not null:
                spec = Unit(fields);
                break;
            case "consistency" when fields is not null:
                if (samples == 0)
                    Problem("is consistency, which needs samples of at least 1 in the stage.");
                spec = new VerifierSpec.Consistency(fields.Number("at_least", 0, 1) ?? Missing(fields, "at_least"));
                break;
            case "judge" when fields is not null:
                spec = new VerifierSpec.Judge(Truth(fields, Model(fields, "model"))!, fields.Number("at_least", 0, 1) ?? Missing(fields, "at_least"));
                fields.RefuseOthers();
                return spec;
            default:
                Problem($"is '{name}' but must be schema, executable, or one of 'unit:', 'consistency:' and 'judge:' with fields of their own.");
                break;
        }

        fields?.RefuseOthers();
        return spec;
    }

    private static double Missing(YamlReader fields, string name)
    {
        if (!fields.Has(name))
            fields.Problem(name, "is missing. Give a number from 0 to 1.");
        return 0;
    }

    private static VerifierSpec.Unit Unit(YamlReader fields)
    {
        Regex? pattern = null;
        if (fields.OptionalText("pattern") is { } text)
        {
            try
            {
                pattern = new Regex(text, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
            }
            catch (ArgumentException error)
            {
                fields.Problem("pattern", $"is no regular expression: {error.Message}");
            }
        }

        var pointer = fields.OptionalText("pointer");
        if (pattern is null && pointer is null && !fields.Has("pattern"))
            fields.Problem("pattern", "is missing. Give a pattern that the answer must match, or the JSON pointer of a value.");
        if (pointer is { Length: > 0 } && pointer[0] != '/')
            fields.Problem("pointer", $"is '{pointer}' but must be a JSON Pointer such as /0/arguments/value.");
        var unit = new VerifierSpec.Unit(pattern, pointer, fields.Number("minimum", double.NegativeInfinity, double.PositiveInfinity),
            fields.Number("maximum", double.NegativeInfinity, double.PositiveInfinity), fields.Texts("one_of"));
        if (pointer is null && (unit.Minimum ?? unit.Maximum) is not null)
            fields.Problem("pointer", "is missing. Say where in the document the value is.");
        return unit;
    }

    private static TruthQuestion? Truth(YamlReader? fields, ModelReference? model)
    {
        if (fields is null)
            return null;
        var template = fields.Text("template", "a question with {prompt} and {answer} in it");
        if (template.Length > 0 && !template.Contains("{answer}", StringComparison.Ordinal))
            fields.Problem("template", "must hold {answer}; also {prompt}.");
        var question = new TruthQuestion(model, template, fields.OptionalText("yes") ?? " yes", fields.OptionalText("no") ?? " no");
        if (model is { Endpoint: not null })
            fields.Problem("model", "is of an endpoint, but probabilities of given texts can be asked of the platform's models only.");
        // A judge has more fields; its caller refuses the others.
        if (model is null)
            fields.RefuseOthers();
        return question;
    }

    private ModelReference Model(YamlReader fields, string name)
    {
        var text = fields.Text(name, "a model of the platform, or endpoint:NAME/MODEL");
        if (!text.StartsWith("endpoint:", StringComparison.Ordinal))
        {
            if (text == "auto" || text.StartsWith("auto:", StringComparison.Ordinal))
                fields.Problem(name, $"is '{text}': a policy cannot ask a policy.");
            return new ModelReference(null, text);
        }

        var rest = text["endpoint:".Length..];
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || slash == rest.Length - 1)
            fields.Problem(name, $"is '{text}' but must be like endpoint:NAME/MODEL.");
        else if (!_endpoints.Contains(rest[..slash]))
            fields.Problem(name, $"names the endpoint '{rest[..slash]}', which the settings do not have. {(_endpoints.Count == 0 ? "There are none" : $"There are {string.Join(", ", _endpoints.Order(StringComparer.Ordinal))}")}; set Slm:Router:Endpoints:{rest[..slash]}:Url.");
        return slash <= 0 ? new ModelReference("", rest) : new ModelReference(rest[..slash], rest[(slash + 1)..]);
    }

    private static ToolSpec Tool(YamlReader fields)
    {
        var name = fields.Text("name", "the tool's name");
        var json = fields.Json("parameters") ?? "{}";
        var tool = new ToolSpec(name, fields.OptionalText("description") ?? "", json, Schema(fields, "parameters", json) ?? JsonSchemaValidator.Parse("true"));
        fields.RefuseOthers();
        return tool;
    }

    private static JsonSchemaValidator? Schema(YamlReader fields, string name, string? json)
    {
        if (json is null)
            return null;
        try
        {
            return JsonSchemaValidator.Parse(json);
        }
        catch (SchemaException error)
        {
            fields.Problem(name, $"cannot be used: {error.Message}");
            return null;
        }
    }

    private static SpendLimit? Budget(YamlReader? fields)
    {
        if (fields is null)
            return null;
        var limit = new SpendLimit(fields.Number("limit", 0, double.PositiveInfinity) ?? 0, TimeSpan.FromSeconds(fields.Number("window_s", 1, 366 * 86_400) ?? 86_400));
        if (!fields.Has("limit"))
            fields.Problem("limit", "is missing. Give what all requests of a window may cost together.");
        fields.RefuseOthers();
        return limit;
    }

    private static ShadowRule? Shadow(YamlReader? fields, string own)
    {
        if (fields is null)
            return null;
        var rule = new ShadowRule(fields.Text("policy", "the name of the policy to run in the shadow"), fields.Number("share", 0, 1) ?? 1);
        if (rule.Policy == own)
            fields.Problem("policy", $"is '{own}' itself.");
        fields.RefuseOthers();
        return rule;
    }

    private static TimeSpan? Milliseconds(YamlReader fields, string name) =>
        fields.Whole(name, 1, int.MaxValue) is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : null;

    private static double Price(YamlReader fields, string name) => fields.Number(name, 0, double.PositiveInfinity) ?? 0;

    [GeneratedRegex("^[A-Za-z0-9._-]{1,64}$")]
    private static partial Regex NamePattern();
}
