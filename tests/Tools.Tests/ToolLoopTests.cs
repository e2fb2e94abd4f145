using Slm.Tools.Calls;
using Slm.Tools.Functions;

namespace Slm.Tools.Tests;

public sealed class ToolLoopTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Calls_are_run_and_their_results_read_until_the_model_answers()
    {
        var asked = new List<int>();
        var ran = new List<string>();
        var result = await new ToolLoop(Registry()).RunAsync([new ToolTurn("user", "hi")], (turns, _) =>
        {
            asked.Add(turns.Count);
            return Task.FromResult(turns[^1].Role == "user"
                ? new ToolTurn("assistant", "") { Calls = [new("a", "echo", """{"x":1}"""), new("b", "echo", """{"y":2}""")] }
                : new ToolTurn("assistant", $"done {turns[^2].Content} {turns[^1].Content}"));
        }, outcome =>
        {
            ran.Add(outcome.Call.Id);
            return Task.CompletedTask;
        }, Cancellation);
        Assert.Equal(ToolLoopEnd.Answered, result.End);
        Assert.Equal([1, 4], asked);
        Assert.Equal(["a", "b"], ran);
        Assert.Equal("done {\"x\":1} {\"y\":2}", result.Turns[^1].Content);
        Assert.Equal(["a", "b"], result.Turns.Where(t => t.Role == "tool").Select(t => t.CallId!));
    }

    [Fact]
    public async Task A_wrong_call_is_told_to_the_model_which_may_correct_it()
    {
        var result = await new ToolLoop(Registry()).RunAsync([new ToolTurn("user", "hi")], (turns, _) => Task.FromResult(turns[^1].Content switch
        {
            "hi" => new ToolTurn("assistant", "") { Calls = [new("a", "echo", "{")] },
            var error when error.Contains("invalid_json", StringComparison.Ordinal) => new ToolTurn("assistant", "") { Calls = [new("b", "echo", "{}")] },
            _ => new ToolTurn("assistant", "corrected"),
        }), null, Cancellation);
        Assert.Equal("corrected", result.Turns[^1].Content);
    }

    [Fact]
    public async Task Functions_of_the_caller_end_the_loop_after_those_of_the_registry()
    {
        var result = await new ToolLoop(Registry()).RunAsync([new ToolTurn("user", "hi")],
            (_, _) => Task.FromResult(new ToolTurn("assistant", "") { Calls = [new("a", "echo", "{}"), new("b", "elsewhere", "{}")] }), null, Cancellation);
        Assert.Equal(ToolLoopEnd.CallerCalls, result.End);
        Assert.Equal(["user", "assistant", "tool"], result.Turns.Select(t => t.Role));
    }

    [Fact]
    public async Task A_model_that_never_stops_calling_is_stopped()
    {
        var asked = 0;
        var result = await new ToolLoop(Registry(), maxRounds: 3).RunAsync([new ToolTurn("user", "hi")], (_, _) =>
        {
            asked++;
            return Task.FromResult(new ToolTurn("assistant", "") { Calls = [new("a", "echo", "{}")] });
        }, null, Cancellation);
        Assert.Equal((ToolLoopEnd.TooManyRounds, 3), (result.End, asked));
    }

    private static FunctionRegistry Registry()
    {
        var registry = new FunctionRegistry();
        registry.Register(new FunctionSpec("echo", "", "{}"), (arguments, _) => Task.FromResult(arguments.GetRawText()));
        return registry;
    }
}
