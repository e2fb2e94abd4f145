using System.Globalization;
using Slm.Router.Models;
using Slm.Router.Policies;
using Slm.Router.Signals;
using Slm.Router.Verification;
using Slm.V1;

namespace Slm.Router.Cascades;

/// <summary>Runs one stage: answer, samples, checks, repairs, and the rule of acceptance.</summary>
internal sealed class StageRunner(IModels models, ModelLoad load, TimeProvider time)
{
    /// <summary>Runs it.</summary>
    /// <param name="policy">The policy.</param>
    /// <param name="stage">The stage.</param>
    /// <param name="request">What was asked.</param>
    /// <param name="draft">Tokens of the answer before, which may be right; empty without.</param>
    /// <param name="spend">Called with the most that the next request to a model can cost, before it; throws where that is too much.</param>
    /// <param name="trace">Takes what happens, also of a stage that fails.</param>
    /// <param name="live">Gets the pieces of an answer that nothing is demanded of.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<StageRun> RunAsync(
        RoutePolicy policy, StagePolicy stage, GenerateRequest request, IReadOnlyList<int> draft, ISpending spend, StageTrace trace, Func<GenerateResponse, ValueTask>? live,
        CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        var prompt = RequestFeatures.Text(request);
        using var running = load.Begin(stage.Model, prompt);
        var current = Prepare(policy, stage, request, draft);
        while (true)
        {
            trace.Attempts++;
            var answer = await AskAsync(stage, current, trace, spend, live, cancellationToken);
            var reading = AnswerReading.Of(answer.Text, policy);
            trace.Signals.Clear();
            foreach (var (name, value) in AnswerSignals.Of(answer.LogProbs))
                trace.Signals[name] = value;
            if (stage.Samples > 0)
                trace.Signals[SignalNames.Consistency] = AnswerSignals.Agreement(reading.Canonical, await SampleAsync(policy, stage, current, trace, spend, cancellationToken));
            if (stage.Truth is { } question)
                trace.Signals[SignalNames.PTrue] = await TruthAsync(question, stage, prompt, answer.Text, request.Scheduling, trace, cancellationToken);
            await VerifyAsync(stage, prompt, answer, reading, request.Scheduling, trace, cancellationToken);
            var wrong = trace.Verifiers.Where(v => !v.Passed).Select(v => v.Message).ToArray();
            if (wrong.Length > 0 && trace.Attempts <= stage.Repairs)
            {
                current = Repair(policy, stage, request, prompt, answer.Text, string.Join("; ", wrong));
                continue;
            }

            var passed = wrong.Length == 0 && Accepts(stage.Accept, trace);
            trace.LatencyMs = time.GetElapsedTime(started).TotalMilliseconds;
            trace.Reason = wrong.Length > 0 ? $"Its answer failed {string.Join(" and ", trace.Verifiers.Where(v => !v.Passed).Select(v => v.Verifier))}: {string.Join("; ", wrong)}." : Sureness(stage.Accept, trace, passed);
            return new StageRun(stage, answer, reading, trace, passed);
        }
    }

    /// <summary>A trace of a stage to fill.</summary>
    public static StageTrace Trace(StagePolicy stage) => new() { Stage = stage.Name, Model = stage.Model.ToString() };

    /// <summary>Whether the rule of acceptance holds; notes what was compared.</summary>
    public static bool Accepts(AcceptRule? rule, StageTrace trace)
    {
        if (rule is null)
            return true;
        trace.AcceptSignal = rule.Signal;
        trace.Threshold = rule.AtLeast ?? rule.AtMost ?? 0;
        // Without the signal nothing speaks for the answer.
        if (!trace.Signals.TryGetValue(rule.Signal, out var value))
            return false;
        trace.Confidence = rule.Calibration?.At(value) ?? value;
        return rule.AtLeast is { } least ? trace.Confidence >= least : trace.Confidence <= rule.AtMost;
    }

    private static string Sureness(AcceptRule? rule, StageTrace trace, bool passed)
    {
        if (rule is null)
            return trace.Verifiers.Count > 0 ? "Its answer passed all checks." : "It demands nothing of its answer.";
        if (!trace.HasConfidence)
            return $"The model told no {rule.Signal}.";
        var what = rule.Calibration is null ? rule.Signal : $"the probability of being right, from {rule.Signal},";
        var bound = rule.AtLeast is not null ? "at least" : "at most";
        return string.Create(CultureInfo.InvariantCulture, $"Its {what} is {trace.Confidence:0.####}{(passed ? "," : ", not")} {bound} {trace.Threshold:0.####}.");
    }

    private static GenerateRequest Prepare(RoutePolicy policy, StagePolicy stage, GenerateRequest request, IReadOnlyList<int> draft)
    {
        var own = request.Clone();
        own.Model = stage.Model.Model;
        own.Sampling ??= new SamplingOptions();
        if (stage.MaxTokens is { } most)
            own.Sampling.MaxTokens = own.Sampling.HasMaxTokens ? Math.Min(own.Sampling.MaxTokens, most) : most;
        if (stage.Temperature is { } temperature)
            own.Sampling.Temperature = temperature;
        if (!own.Sampling.HasSeed)
            own.Sampling.Seed = policy.Seed;
        if (stage.Accept is { Signal: SignalNames.MeanLogProb or SignalNames.MinLogProb or SignalNames.Entropy })
        {
            own.Sampling.Logprobs = true;
            own.Sampling.TopLogprobs = Math.Max(own.Sampling.TopLogprobs, AnswerSignals.TopLogProbs);
        }

        if (policy.Constrain && own.Constraint is null && stage.Model.Endpoint is null)
            own.Constraint = new Constraint { JsonSchema = policy.SchemaJson, JsonForm = new JsonForm { Whitespace = JsonWhitespace.Compact, SchemaOrder = true } };
        if (stage.Draft && stage.Model.Endpoint is null)
            own.DraftTokenIds.Add(draft);
        return own;
    }

    private static GenerateRequest Repair(RoutePolicy policy, StagePolicy stage, GenerateRequest request, string prompt, string answer, string error)
    {
        var again = Prepare(policy, stage, request, []);
        if (again.PromptCase == GenerateRequest.PromptOneofCase.Messages)
        {
            again.Messages.Messages_.Add(new ChatMessage { Role = "assistant", Content = answer });
            again.Messages.Messages_.Add(new ChatMessage { Role = "user", Content = $"That answer is wrong: {error}. Answer again, without that mistake." });
        }
        else if (again.PromptCase == GenerateRequest.PromptOneofCase.Text)
        {
            again.Text = stage.RepairTemplate.Replace("{prompt}", prompt, StringComparison.Ordinal).Replace("{answer}", answer, StringComparison.Ordinal).Replace("{error}", error, StringComparison.Ordinal);
        }

        return again;
    }

    private async Task<ModelAnswer> AskAsync(StagePolicy stage, GenerateRequest request, StageTrace trace, ISpending spend, Func<GenerateResponse, ValueTask>? live, CancellationToken cancellationToken)
    {
        var reserved = await spend.ReserveAsync(stage, MostCost(stage, request), cancellationToken);
        // What an error leaves open may have been spent.
        var answer = await models.AskAsync(stage.Model, request, live, cancellationToken);
        var cost = stage.Cost.Of(1, answer.PromptTokens, answer.CompletionTokens);
        await spend.SettleAsync(reserved, cost);
        lock (trace)
        {
            trace.PromptTokens += answer.PromptTokens;
            trace.CompletionTokens += answer.CompletionTokens;
            trace.Cost += cost;
            trace.DraftedTokens += answer.Usage.DraftedTokens;
            trace.AcceptedDraftTokens += answer.Usage.AcceptedDraftTokens;
        }

        return answer;
    }

    /// <summary>An upper bound: a token has at least one byte.</summary>
    private static double MostCost(StagePolicy stage, GenerateRequest request)
    {
        long prompt = request.PromptCase == GenerateRequest.PromptOneofCase.TokenIds ? request.TokenIds.Ids.Count : System.Text.Encoding.UTF8.GetByteCount(RequestFeatures.Text(request));
        return stage.Cost.Of(1, prompt, request.Sampling.HasMaxTokens ? request.Sampling.MaxTokens : 0);
    }

    private async Task<string[]> SampleAsync(RoutePolicy policy, StagePolicy stage, GenerateRequest request, StageTrace trace, ISpending spend, CancellationToken cancellationToken)
    {
        var texts = await Task.WhenAll(Enumerable.Range(1, stage.Samples).Select(async sample =>
        {
            var own = request.Clone();
            own.Sampling.Temperature = stage.SampleTemperature;
            own.Sampling.Seed = Statistics.SeededRandom.Mix(request.Sampling.Seed + (ulong)sample) >> 11;
            own.Sampling.ClearLogprobs();
            own.Sampling.ClearTopLogprobs();
            own.DraftTokenIds.Clear();
            return (await AskAsync(stage, own, trace, spend, null, cancellationToken)).Text;
        }));
        return [.. texts.Select(t => AnswerReading.Of(t, policy).Canonical)];
    }

    private async Task<double> TruthAsync(TruthQuestion question, StagePolicy stage, string prompt, string answer, SchedulingOptions? scheduling, StageTrace trace, CancellationToken cancellationToken)
    {
        var model = question.Model ?? stage.Model;
        var context = question.Template.Replace("{prompt}", prompt, StringComparison.Ordinal).Replace("{answer}", answer, StringComparison.Ordinal);
        var (yes, yesTokens) = await models.ScoreAsync(model.Model, context, question.Yes, scheduling, cancellationToken);
        var (no, noTokens) = await models.ScoreAsync(model.Model, context, question.No, scheduling, cancellationToken);
        trace.PromptTokens += yesTokens + noTokens;
        trace.Cost += stage.Cost.Of(2, yesTokens + noTokens, 0);
        return 1 / (1 + Math.Exp(no - yes));
    }

    private async Task VerifyAsync(StagePolicy stage, string prompt, ModelAnswer answer, AnswerReading reading, SchedulingOptions? scheduling, StageTrace trace, CancellationToken cancellationToken)
    {
        trace.Verifiers.Clear();
        double? agreement = trace.Signals.TryGetValue(SignalNames.Consistency, out var share) ? share : null;
        foreach (var spec in stage.Verify)
        {
            var result = FormVerifiers.Check(spec, answer.Text, reading, agreement);
            if (result is null && spec is VerifierSpec.Judge judge)
            {
                var probability = await TruthAsync(judge.Question, stage, prompt, answer.Text, scheduling, trace, cancellationToken);
                result = FormVerifiers.Scored(spec, probability, judge.AtLeast, "is the judge's probability that it is right");
            }

            trace.Verifiers.Add(result!);
            // What comes after would judge something that is wrong already, maybe at a cost.
            if (!result!.Passed)
                break;
        }
    }
}
