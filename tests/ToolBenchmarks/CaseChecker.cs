using System.Text.Json;
using Slm.Tools.Calls;
using Slm.Tools.Functions;

namespace Slm.ToolBenchmarks;

/// <summary>What is true of an answer.</summary>
/// <param name="Valid">All its calls are of offered functions, with arguments of their schemas.</param>
/// <param name="Executable">All its calls ran and gave a result.</param>
/// <param name="Right">Its calls gave the results of the expected ones, each as often, in any order; none where none helps.</param>
/// <param name="Called">It has calls.</param>
public sealed record CaseVerdict(bool Valid, bool Executable, bool Right, bool Called);

/// <summary>Runs the calls of an answer and those that were expected, and compares what came of them.</summary>
public static class CaseChecker
{
    /// <summary>Checks an answer.</summary>
    /// <param name="asked">The case.</param>
    /// <param name="text">What it says beside its calls.</param>
    /// <param name="calls">Its calls.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<CaseVerdict> CheckAsync(ToolCase asked, string text, IReadOnlyList<FunctionCall> calls, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(asked);
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(calls);
        var registry = Toolbox.Registry(asked.Tools);
        var outcomes = new List<FunctionOutcome>();
        foreach (var call in calls)
            outcomes.Add(await registry.InvokeAsync(call, cancellationToken));
        var wanted = new List<string>();
        foreach (var call in asked.Expected)
            wanted.Add(await ResultAsync(registry, call, cancellationToken));
        // What begins like a call and was not understood as one is a call that is not valid.
        var broken = text.Contains("<tool_call>", StringComparison.Ordinal) || calls.Any(c => !IsJson(c.ArgumentsJson));
        var valid = !broken && outcomes.TrueForAll(o => o.Error is null or { Kind: FunctionErrorKind.Failed or FunctionErrorKind.TimedOut });
        var executable = valid && outcomes.TrueForAll(o => o.Error is null);
        var right = executable && outcomes.Select(o => o.Output).Order(StringComparer.Ordinal).SequenceEqual(wanted.Order(StringComparer.Ordinal), StringComparer.Ordinal);
        return new CaseVerdict(valid, executable, right, calls.Count > 0);
    }

    private static async Task<string> ResultAsync(FunctionRegistry registry, FunctionCall call, CancellationToken cancellationToken)
    {
        var outcome = await registry.InvokeAsync(call, cancellationToken);
        return outcome.Error is null ? outcome.Output : throw new InvalidDataException($"An expected call does not run: {call.Name} {call.ArgumentsJson}: {outcome.Error.Message}");
    }

    private static bool IsJson(string text)
    {
        try
        {
            JsonElement.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
