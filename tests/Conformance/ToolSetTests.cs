using System.Text.Json.Nodes;
using Slm.ToolBenchmarks;
using Slm.Tools.Calls;

namespace Slm.Conformance;

/// <summary>The set of function calls: that its checker tells right from wrong, and what the shipped model makes of it.</summary>
public sealed class ToolSetTests(Platform platform)
{
    private const string Model = "stories-tools";

    private static string File { get; } = Path.Combine(Platform.Root, "tests", "ToolBenchmarks", "suite.jsonl");

    private static IReadOnlyList<ToolCase> Cases { get; } = ToolCase.ReadFile(File);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public void The_set_is_what_its_grammar_makes()
    {
        Assert.Equal(ToolData.Set().Select(c => c.ToLine()), System.IO.File.ReadLines(File));
        Assert.Equal(400, Cases.Count);
        Assert.Equal(ToolCase.Categories.ToDictionary(c => c, _ => 80), Cases.CountBy(c => c.Category).ToDictionary());
    }

    [Fact]
    public async Task Every_expected_answer_is_right_in_any_order()
    {
        foreach (var asked in Cases)
            Assert.Equal(new CaseVerdict(true, true, true, asked.Expected.Count > 0), await CaseChecker.CheckAsync(asked, "", [.. asked.Expected.Reverse()], Cancelled));
    }

    [Fact]
    public async Task No_answer_is_right_that_leaves_a_call_out_or_makes_another()
    {
        foreach (var asked in Cases)
        {
            var more = Toolbox.Function("light").Name;
            var added = new FunctionCall("more", more, """{"room": "hall", "on": false}""");
            var verdict = await CaseChecker.CheckAsync(asked, "", [.. asked.Expected, added], Cancelled);
            Assert.False(verdict.Right);
            Assert.Equal(asked.Tools.Contains(more), verdict.Valid);
            if (asked.Expected.Count > 0)
                Assert.False((await CaseChecker.CheckAsync(asked, "", [.. asked.Expected.Skip(1)], Cancelled)).Right);
        }
    }

    [Fact]
    public async Task Every_argument_counts()
    {
        foreach (var asked in Cases.Where(c => c.Expected.Count > 0))
        {
            var first = asked.Expected[0];
            foreach (var (name, value) in JsonNode.Parse(first.ArgumentsJson)!.AsObject().ToArray())
            {
                var arguments = JsonNode.Parse(first.ArgumentsJson)!.AsObject();
                arguments[name] = value!.GetValueKind() == System.Text.Json.JsonValueKind.String ? "nothing" : JsonValue.Create(-1);
                var verdict = await CaseChecker.CheckAsync(asked, "", [first with { ArgumentsJson = arguments.ToJsonString() }, .. asked.Expected.Skip(1)], Cancelled);
                Assert.False(verdict.Right, $"{asked.Id}: {name}");
            }
        }
    }

    [Theory]
    [InlineData("""{"value": 3, "from": "km", "to": "kg"}""", true, false)]
    [InlineData("""{"value": 3, "from": "km"}""", false, false)]
    [InlineData("""{"value": 3, "from": "km", "to": "yards"}""", false, false)]
    [InlineData("""{"value": 3, "from": "km", "to": "m", "exactly": true}""", false, false)]
    [InlineData("""{"value": 3, "from": "km", "to": """, false, false)]
    [InlineData("""{"value": 3.0, "from": "km", "to": "m"}""", true, true)]
    public async Task What_breaks_the_schema_is_not_valid_and_what_fails_is_not_executable(string arguments, bool valid, bool executable)
    {
        var asked = new ToolCase("x", "simple", ["convert"], "Convert 3 km to metres.", [new FunctionCall("a", "convert", """{"value": 3, "from": "km", "to": "m"}""")]);
        Assert.Equal(new CaseVerdict(valid, executable, executable, true), await CaseChecker.CheckAsync(asked, "", [new FunctionCall("a", "convert", arguments)], Cancelled));
    }

    [Fact]
    public async Task What_begins_like_a_call_and_is_none_is_not_valid()
    {
        var asked = new ToolCase("x", "irrelevance", ["convert"], "Hello.", []);
        Assert.False((await CaseChecker.CheckAsync(asked, "<tool_call>\n{\"name\": ", [], Cancelled)).Valid);
        Assert.True((await CaseChecker.CheckAsync(asked, "Good morning.", [], Cancelled)).Right);
    }

    /// <summary>A quarter of the set; tests/ToolBenchmarks/README.md has the figures of all of it.</summary>
    [Fact]
    public async Task Calls_of_the_shipped_model_are_valid_where_they_are_enforced_and_mostly_right()
    {
        var cases = Cases.Where((_, i) => i % 4 == 0).ToArray();
        var way = await SetMeasurement.EnforcedAsync(cases, platform.Http, Model, 0, Cancelled);
        Assert.All(way.Verdicts.Zip(cases), pair => Assert.True(pair.First.Valid, pair.Second.Id));
        Assert.InRange(way.Verdicts.Count(v => v.Right), RightOfAQuarter, cases.Length);
        var free = await SetMeasurement.FreeAsync(cases, platform.Grpc, Model, 0, Cancelled);
        Assert.True(way.Verdicts.Count(v => v.Right) >= free.Verdicts.Count(v => v.Right));
    }

    /// <summary>Right answers of the hundred cases, less what another numerical path may change.</summary>
    private const int RightOfAQuarter = 95;
}
