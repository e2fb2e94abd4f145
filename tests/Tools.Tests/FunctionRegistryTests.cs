using System.Text.Json;
using Slm.JsonSchema;
using Slm.Tools.Calls;
using Slm.Tools.Functions;

namespace Slm.Tools.Tests;

public sealed class FunctionRegistryTests
{
    private const string Numbers = """{"type":"object","properties":{"a":{"type":"integer","minimum":0},"b":{"type":"integer"}},"required":["a","b"],"additionalProperties":false}""";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_that_matches_runs_with_its_arguments()
    {
        var outcome = await Registry().InvokeAsync(new FunctionCall("1", "add", """{"a": 2, "b": 3}"""), Cancellation);
        Assert.Equal(("5", null), (outcome.Output, outcome.Error));
    }

    [Theory]
    [InlineData("subtract", "{}", FunctionErrorKind.UnknownFunction, "add")]
    [InlineData("add", "{\"a\": 2", FunctionErrorKind.InvalidJson, "JSON")]
    [InlineData("add", "[1, 2]", FunctionErrorKind.InvalidJson, "object")]
    [InlineData("add", "{\"a\": -2, \"b\": \"x\", \"c\": 1}", FunctionErrorKind.InvalidArguments, "schema")]
    [InlineData("fail", "{}", FunctionErrorKind.Failed, "out of paper")]
    public async Task A_call_that_does_not_brings_a_typed_error(string function, string arguments, FunctionErrorKind kind, string says)
    {
        var outcome = await Registry().InvokeAsync(new FunctionCall("1", function, arguments), Cancellation);
        Assert.Equal(kind, outcome.Error!.Kind);
        Assert.Contains(says, outcome.Error.Message);
        var read = JsonElement.Parse(outcome.Output).GetProperty("error");
        Assert.Equal(JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString()), read.GetProperty("type").GetString());
        Assert.Equal(outcome.Error.Message, read.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Every_violation_says_where_and_which_keyword()
    {
        var outcome = await Registry().InvokeAsync(new FunctionCall("1", "add", """{"a": -2, "b": "x", "c": 1}"""), Cancellation);
        Assert.Equivalent(new[] { ("/a", "minimum"), ("/b", "type"), ("", "additionalProperties") }, outcome.Error!.Violations.Select(v => (v.Location, v.Keyword)), strict: true);
    }

    [Fact]
    public async Task A_function_that_takes_too_long_is_given_up()
    {
        var registry = new FunctionRegistry(new ElapsedTime());
        registry.Register(new FunctionSpec("wait", "", "{}"), async (_, token) =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return "";
        });
        var outcome = await registry.InvokeAsync(new FunctionCall("1", "wait", "{}"), Cancellation);
        Assert.Equal(FunctionErrorKind.TimedOut, outcome.Error!.Kind);
    }

    [Fact]
    public async Task The_caller_can_cancel()
    {
        using var source = new CancellationTokenSource();
        var registry = new FunctionRegistry();
        registry.Register(new FunctionSpec("wait", "", "{}"), async (_, token) =>
        {
            await source.CancelAsync();
            await Task.Delay(Timeout.Infinite, token);
            return "";
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => registry.InvokeAsync(new FunctionCall("1", "wait", "{}"), source.Token));
    }

    [Theory]
    [InlineData("a b", "{}")]
    [InlineData("add", "{}")]
    public void A_name_that_cannot_be_used_is_refused(string name, string schema) =>
        Assert.Throws<ArgumentException>(() => Registry().Register(new FunctionSpec(name, "", schema), (_, _) => Task.FromResult("")));

    [Theory]
    [InlineData("""{"$ref": "#/$defs/missing"}""")]
    [InlineData("""{"properties": {"a": {"pattern": "("}}}""")]
    [InlineData("""{"properties": {"a": 3}}""")]
    [InlineData("""{""")]
    public void A_schema_that_cannot_be_used_is_refused_before_any_call(string schema) =>
        Assert.Throws<SchemaException>(() => Registry().Register(new FunctionSpec("other", "", schema), (_, _) => Task.FromResult("")));

    private static FunctionRegistry Registry()
    {
        var registry = new FunctionRegistry();
        registry.Register(new FunctionSpec("add", "Adds.", Numbers), (arguments, _) => Task.FromResult(
            (arguments.GetProperty("a").GetInt32() + arguments.GetProperty("b").GetInt32()).ToString(System.Globalization.CultureInfo.InvariantCulture)));
        registry.Register(new FunctionSpec("fail", "", ""), (_, _) => throw new InvalidOperationException("out of paper"));
        return registry;
    }

    /// <summary>A clock on which every time has passed at once.</summary>
    private sealed class ElapsedTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, dueTime == Timeout.InfiniteTimeSpan ? dueTime : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }
}
