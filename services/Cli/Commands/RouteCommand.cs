using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.V1;

namespace Slm.Cli.Commands;

/// <summary><c>slm route</c>: policies of the router, checked, measured and fitted on a running platform.</summary>
internal static class RouteCommand
{
    private const string SuiteForm = """


        A suite has a JSON object on each line: a prompt (or messages) and the calls that answer it, each argument with its accepted
        values, or accepted answers:

        {"id": "1", "category": "simple", "prompt": "Convert 5 km to miles.\n", "expected": [{"name": "convert", "arguments": {"value": [5], "from": ["km"], "to": ["mi"]}}]}
        {"id": "2", "category": "facts", "messages": [{"role": "user", "content": "2 + 2?"}], "answers": ["4", "four"]}
        """;

    public static Command Create() => new("route", "Answering with a small model where it suffices: checks, measures and tunes routing policies.")
    {
        Check(), List(), Evaluate(), Tune(),
    };

    private static Command Check()
    {
        var file = new Argument<string>("FILE") { Description = "A policy, as YAML." };
        var endpoint = CommonOptions.Platform();
        var command = new Command("check", "Says all that is wrong with a policy, by line.") { file, endpoint };
        command.SetAction(async (result, cancellationToken) =>
        {
            var path = result.GetRequiredValue(file);
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await new RouterService.RouterServiceClient(channel).CheckPolicyAsync(new CheckPolicyRequest { PolicyYaml = ReadFile(path, "FILE") }, cancellationToken: cancellationToken);
            foreach (var problem in answer.Problems)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{path}:{problem.Line}: {(problem.Field.Length == 0 ? "" : problem.Field + " ")}{problem.Message}"));
            if (answer.Problems.Count == 0)
                Console.WriteLine($"{path} can be used ({answer.Hash[..12]}).");
            return answer.Problems.Count == 0 ? 0 : CommandLine.Failure;
        });
        return command;
    }

    private static Command List()
    {
        var (endpoint, json) = (CommonOptions.Platform(), CommonOptions.Json());
        var command = new Command("policies", "Lists the policies of a running platform, and what is wrong with their files.") { endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await new RouterService.RouterServiceClient(channel).ListPoliciesAsync(new ListPoliciesRequest(), cancellationToken: cancellationToken);
            if (result.GetValue(json))
                JsonOutput.Write(answer);
            else
                RouteReport.WritePolicies(answer);
            return 0;
        });
        return command;
    }

    private static Command Evaluate()
    {
        var (policy, suite, concurrency) = (Policy(), Suite(required: true), CommonOptions.Positive("--concurrency", "Cases at a time; default 4.", 256));
        var all = new Option<bool>("--all-stages") { Description = "Ask every stage on every case: each alone beside the cascade, and the cost-quality curves." };
        var (plots, rows) = (Plots(), new Option<string?>("--rows") { Description = "File for the result of each case, a JSON object on each line.", HelpName = "FILE" });
        var (endpoint, json) = (CommonOptions.Platform(), CommonOptions.Json());
        var command = new Command("eval", "Runs a policy on a suite and reports cost per success, rates with exact intervals, latency and energy." + SuiteForm)
        {
            policy, suite, concurrency, all, plots, rows, endpoint, json,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            var request = new EvaluatePolicyRequest { AllStages = result.GetValue(all) };
            if (result.GetValue(concurrency) is { } number)
                request.Concurrency = number;
            if (IsFile(result.GetRequiredValue(policy)))
                request.PolicyYaml = ReadFile(result.GetRequiredValue(policy), "--policy");
            else
                request.PolicyName = result.GetRequiredValue(policy);
            request.Cases.Add(Lines(result.GetRequiredValue(suite)!));
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            using var call = new RouterService.RouterServiceClient(channel).EvaluatePolicy(request, cancellationToken: cancellationToken);
            var (cases, report) = (new List<CaseResult>(), (PolicyReport?)null);
            await foreach (var part in call.ResponseStream.ReadAllAsync(cancellationToken))
            {
                if (part.PartCase == EvaluatePolicyResponse.PartOneofCase.Report)
                    report = part.Report;
                else
                    cases.Add(part.CaseResult);
            }

            if (result.GetValue(rows) is { } file)
                await File.WriteAllLinesAsync(file, cases.OrderBy(c => c.Id, StringComparer.Ordinal).Select(JsonOutput.Line), cancellationToken);
            if (result.GetValue(plots) is { } folder)
                RoutePlots.Write(report!, folder);
            if (result.GetValue(json))
                JsonOutput.Write(report!);
            else
                RouteReport.Write(report!);
            return 0;
        });
        return command;
    }

    private static Command Tune()
    {
        var (policy, suite, concurrency) = (Policy(), Suite(required: false), CommonOptions.Positive("--concurrency", "Cases at a time; default 4.", 256));
        var risk = Share("--target-risk", "Share of accepted answers that may be wrong; default 0.05.");
        var confidence = Share("--confidence", "Confidence of the bound on it; default 0.95.");
        var calibration = new Option<CalibrationKind>("--calibration")
        {
            Description = "isotonic (default) or logistic.",
            HelpName = "KIND",
            CustomParser = parsed =>
            {
                switch (parsed.Tokens[0].Value)
                {
                    case "isotonic": return CalibrationKind.Isotonic;
                    case "logistic": return CalibrationKind.Logistic;
                    case var other:
                        parsed.AddError($"--calibration is '{other}'. Give isotonic or logistic.");
                        return default;
                }
            },
        };
        var signal = new Option<string?>("--signal") { Description = "mean_logprob, min_logprob, entropy, consistency or p_true; default that of each stage's rule.", HelpName = "NAME" };
        var output = new Option<string?>("--output", "-o") { Description = "File for the policy with its new thresholds; default standard output.", HelpName = "FILE" };
        var (plots, endpoint) = (Plots(), CommonOptions.Platform());
        var command = new Command("tune", "Fits the thresholds of a policy on a suite, or without one on recorded requests whose outcome was reported." + SuiteForm)
        {
            policy, suite, concurrency, risk, confidence, calibration, signal, output, plots, endpoint,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            var request = new TunePolicyRequest { Calibration = result.GetValue(calibration) };
            if (result.GetValue(concurrency) is { } number)
                request.Concurrency = number;
            if (result.GetValue(risk) is { } target)
                request.TargetRisk = target;
            if (result.GetValue(confidence) is { } sure)
                request.Confidence = sure;
            if (result.GetValue(signal) is { } name)
                request.Signal = name;
            if (IsFile(result.GetRequiredValue(policy)))
                request.PolicyYaml = ReadFile(result.GetRequiredValue(policy), "--policy");
            else
                request.PolicyName = result.GetRequiredValue(policy);
            if (result.GetValue(suite) is { } file)
                request.Cases.Add(Lines(file));
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            using var call = new RouterService.RouterServiceClient(channel).TunePolicy(request, cancellationToken: cancellationToken);
            TunedPolicy? tuned = null;
            await foreach (var part in call.ResponseStream.ReadAllAsync(cancellationToken))
                tuned = part.Tuned ?? tuned;
            if (result.GetValue(plots) is { } folder)
                RoutePlots.Write(tuned!, folder);
            if (result.GetValue(output) is { } to)
            {
                await File.WriteAllTextAsync(to, tuned!.PolicyYaml, cancellationToken);
                RouteReport.Write(tuned);
            }
            else
            {
                Console.Write(tuned!.PolicyYaml);
            }

            return 0;
        });
        return command;
    }

    private static Option<string> Policy() => new("--policy", "-p") { Description = "A policy's YAML file, or the name of one that the platform has.", HelpName = "FILE|NAME", Required = true };

    private static Option<string?> Suite(bool required) => new("--suite", "-s") { Description = "A suite, JSON lines.", HelpName = "FILE", Required = required };

    private static Option<string?> Plots() => new("--plots") { Description = "Folder for the plots, as SVG.", HelpName = "FOLDER" };

    private static Option<double?> Share(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "SHARE",
        CustomParser = parsed =>
        {
            if (double.TryParse(parsed.Tokens[0].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var share) && share is > 0 and < 1)
                return share;
            parsed.AddError($"{name} is '{parsed.Tokens[0].Value}'. Give a number above 0 and below 1.");
            return null;
        },
    };

    private static bool IsFile(string policy) => File.Exists(policy) || policy.EndsWith(".yaml", StringComparison.Ordinal);

    private static IEnumerable<string> Lines(string path) => ReadFile(path, "--suite").Split('\n').Where(line => !string.IsNullOrWhiteSpace(line));

    private static string ReadFile(string path, string option) => File.Exists(path) ? File.ReadAllText(path) : throw new CliException($"{option}: the file '{path}' does not exist.");
}
