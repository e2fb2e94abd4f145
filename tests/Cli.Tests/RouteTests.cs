using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Slm.V1;

namespace Slm.Cli.Tests;

/// <summary><c>slm route</c>, against a server that says what it was asked.</summary>
public sealed class RouteTests : IAsyncLifetime
{
    private readonly Recorder _recorder = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("slm-route").FullName;
    private FakePlatform? _platform;

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "p.yaml"), "name: p\n");
        await File.WriteAllTextAsync(Path.Combine(_folder, "suite.jsonl"), "{\"id\": 1}\n\n{\"id\": 2}\n");
        _platform = await FakePlatform.StartAsync(_recorder, server => server.MapGrpcService<FakeRouter>());
    }

    public async ValueTask DisposeAsync()
    {
        if (_platform is not null)
            await _platform.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Problems_of_a_policy_are_listed_by_line()
    {
        var result = await RunAsync("check", PathOf("p.yaml"));
        Assert.Equal(1, result.ExitCode);
        Assert.Equal($"{PathOf("p.yaml")}:3: stages are missing.\n", result.Output);
    }

    [Fact]
    public async Task An_evaluation_prints_its_figures_and_leaves_rows_and_plots()
    {
        var result = await RunAsync("eval", "--policy", PathOf("p.yaml"), "--suite", PathOf("suite.jsonl"), "--all-stages", "--plots", PathOf("plots"), "--rows", PathOf("rows.jsonl"));
        Assert.True(result.ExitCode == 0, result.Error);
        foreach (var text in new[] { "cascade", "92.0 %", "5.4348", "small alone (s)", "3.1 J estimated", "small → large by entropy, 20.0% escalated: +6.5 points over chance", "0.875" })
            Assert.Contains(text, result.Output, StringComparison.Ordinal);
        var asked = Assert.IsType<EvaluatePolicyRequest>(Assert.Single(_recorder.Requests));
        Assert.Equal(("name: p\n", true, 2), (asked.PolicyYaml, asked.AllStages, asked.Cases.Count));
        Assert.Equal("1", System.Text.Json.JsonDocument.Parse((await File.ReadAllLinesAsync(PathOf("rows.jsonl"), TestContext.Current.CancellationToken))[0]).RootElement.GetProperty("id").GetString());
        Assert.StartsWith("<", await File.ReadAllTextAsync(PathOf("plots/cost-quality.svg"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.True(File.Exists(PathOf("plots/reliability-small.svg")));
    }

    [Fact]
    public async Task Tuning_writes_the_policy()
    {
        var result = await RunAsync("tune", "--policy", "known", "--suite", PathOf("suite.jsonl"), "--target-risk", "0.1", "--calibration", "logistic", "--output", PathOf("tuned.yaml"));
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal("name: tuned\n", await File.ReadAllTextAsync(PathOf("tuned.yaml"), TestContext.Current.CancellationToken));
        Assert.Contains("No threshold keeps stage 'small'", result.Output, StringComparison.Ordinal);
        var asked = Assert.IsType<TunePolicyRequest>(Assert.Single(_recorder.Requests));
        Assert.Equal(("known", 0.1, CalibrationKind.Logistic), (asked.PolicyName, asked.TargetRisk, asked.Calibration));
    }

    [Theory]
    [InlineData("--target-risk", "2", "--target-risk is '2'. Give a number above 0 and below 1.")]
    [InlineData("--calibration", "linear", "--calibration is 'linear'. Give isotonic or logistic.")]
    public async Task An_option_out_of_range_is_named(string option, string value, string message)
    {
        var result = await RunAsync("tune", "--policy", "known", option, value);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    private string PathOf(string name) => Path.Combine(_folder, name);

    private Task<SlmCommand.Result> RunAsync(params string[] arguments) => SlmCommand.RunAsync(["route", .. arguments, "--endpoint", _platform!.Endpoint]);

    private sealed class Recorder
    {
        public List<object> Requests { get; } = [];
    }

    private sealed class FakeRouter(Recorder recorder) : RouterService.RouterServiceBase
    {
        public override Task<CheckPolicyResponse> CheckPolicy(CheckPolicyRequest request, ServerCallContext context) =>
            Task.FromResult(new CheckPolicyResponse { Problems = { new PolicyProblem { Line = 3, Field = "stages", Message = "are missing." } } });

        public override async Task EvaluatePolicy(EvaluatePolicyRequest request, IServerStreamWriter<EvaluatePolicyResponse> responseStream, ServerCallContext context)
        {
            recorder.Requests.Add(request);
            await responseStream.WriteAsync(new EvaluatePolicyResponse { CaseResult = new CaseResult { Id = "1", Correct = true } });
            var rate = new Rate { Count = 92, Total = 100, Value = 0.92, Lower = 0.84, Upper = 0.97 };
            var summary = new RouteSummary { Requests = 100, Success = rate, CostPerSuccess = 500.0 / 92, MeanCost = 5, LatencyP50Ms = 3, LatencyP95Ms = 9, EstimatedJoulesPerRequest = 3.1, EstimatedRequests = 100, Parses = rate, SchemaValid = rate, Executable = rate, Fallback = rate };
            await responseStream.WriteAsync(new EvaluatePolicyResponse
            {
                Report = new PolicyReport
                {
                    Summary = summary,
                    Correct = rate,
                    Stages = { new StageReport { Stage = "small", Model = "s", Summary = summary, Signal = "entropy", Auroc = 0.875, CalibrationError = 0.02, Bins = { new ReliabilityBin { From = 0.9, To = 1, Count = 3, MeanProbability = 0.95, PositiveShare = 1 } } } },
                    Curves =
                    {
                        new CostQualityCurve
                        {
                            FromStage = "small", ToStage = "large", Signal = "entropy", ComparedEscalation = 0.2, Gain = 0.065, GainLower = 0.05, GainUpper = 0.08, PValue = 0.0001,
                            Points = { new CostQualityPoint { MeanCost = 1, Accuracy = 0.8, RandomAccuracy = 0.8 }, new CostQualityPoint { MeanCost = 21, Accuracy = 0.95, RandomAccuracy = 0.95, Escalation = 1 } },
                        },
                    },
                },
            });
        }

        public override async Task TunePolicy(TunePolicyRequest request, IServerStreamWriter<TunePolicyResponse> responseStream, ServerCallContext context)
        {
            recorder.Requests.Add(request);
            await responseStream.WriteAsync(new TunePolicyResponse { Tuned = new TunedPolicy { PolicyYaml = "name: tuned\n", Stages = { new TunedStage { Stage = "small", Signal = "entropy", Outcomes = 30, Correct = 2 } } } });
        }
    }
}
