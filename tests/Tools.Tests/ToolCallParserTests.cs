using CsCheck;
using Slm.Tools.Calls;
using Slm.Tools.Calls.Formats;

namespace Slm.Tools.Tests;

public sealed class ToolCallParserTests
{
    private static readonly FunctionSpec[] Functions =
    [
        new("get_weather", "The weather.", """{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"""),
        new("add", "", """{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}}}"""),
    ];

    public static IEnumerable<TheoryDataRow<string>> FormatNames => ToolCallStyle.Formats.Select(f => new TheoryDataRow<string>(f.Name));

    [Theory]
    [MemberData(nameof(FormatNames))]
    public void What_a_format_writes_is_read_back_however_it_is_cut(string name)
    {
        var format = ToolCallStyle.Formats.Single(f => f.Name == name);
        var tags = format.Tags(Functions, parallel: true);
        FunctionCall[] all =
        [
            new("", "get_weather", """{"city": "S\u00e3o \"Paulo\" {[<tool_call>]}"}"""),
            new("", "add", """{"a": 1.5e3, "b": [-2, {"c": null}]}"""),
            new("", "add", "{}"),
        ];
        var calls = format.SingleCall ? all[..1] : all;
        var answer = "Let me see.\n" + format.Write(calls);
        Gen.Int[1, 12].Array[1, 40].Sample(sizes =>
        {
            var (text, read) = Collect(answer, sizes, tags, format);
            Assert.Equal("Let me see.", text);
            Assert.Equal(calls.Select(c => (c.Name, c.ArgumentsJson)), read.Select(c => (c.Name, c.ArgumentsJson)));
            Assert.Equal(read.Count, read.Select(c => c.Id).Distinct().Count());
        }, iter: 200);
    }

    [Fact]
    public void Arguments_leave_as_they_come()
    {
        var format = new HermesFormat();
        var parser = new ToolCallParser(format.Tags(Functions, true), format);
        Assert.Equal([new AnswerPart.Text("Hi")], parser.Append("Hi <tool"));
        Assert.Empty(parser.Append("_call>\n{\"name\": \"ad"));
        var begin = Assert.Single(parser.Append("d\", \"arguments\": "));
        Assert.Equal("add", Assert.IsType<AnswerPart.CallBegin>(begin).Function);
        Assert.Equal([new AnswerPart.ArgumentsMore(0, "{\"a\": ")], parser.Append("{\"a\": "));
        Assert.Equal([new AnswerPart.ArgumentsMore(0, "1}")], parser.Append("1}}\n</tool"));
        Assert.Empty(parser.Append("_call>"));
        Assert.Empty(parser.End());
        Assert.Equal(1, parser.Calls);
    }

    [Fact]
    public void Text_that_only_looks_like_a_tag_stays_text()
    {
        var format = new HermesFormat();
        var parser = new ToolCallParser(format.Tags(Functions, true), format);
        var text = string.Concat(((IEnumerable<AnswerPart>)[.. parser.Append("a <tool_cal"), .. parser.Append(" b <"), .. parser.End()]).Cast<AnswerPart.Text>().Select(t => t.Value));
        Assert.Equal("a <tool_cal b <", text);
        Assert.Equal(0, parser.Calls);
    }

    [Fact]
    public void A_document_beside_calls_is_text_however_it_is_cut()
    {
        var format = new HermesFormat();
        var tags = format.Language(Functions, new ToolChoice(ToolChoiceMode.Auto)).Or("{}").Tags;
        Gen.Int[1, 9].Array[1, 20].Sample(sizes =>
        {
            var (text, calls) = Collect("```json\n{\"a\": \"\\n``` \"}\n```", sizes, tags, format);
            Assert.Equal("{\"a\": \"\\n``` \"}", text);
            Assert.Empty(calls);
        }, iter: 100);
    }

    [Fact]
    public void Every_tag_begins_with_the_trigger()
    {
        foreach (var format in ToolCallStyle.Formats)
            Assert.All(format.Tags(Functions, true), tag => Assert.StartsWith(format.Trigger, tag.Begin));
    }

    [Fact]
    public void Without_tags_everything_is_text_at_once()
    {
        var parser = new ToolCallParser([], new HermesFormat());
        Assert.Equal([new AnswerPart.Text("<tool_call>\n ")], parser.Append("<tool_call>\n "));
    }

    [Fact]
    public void An_answer_that_is_cut_short_keeps_the_fragments_it_has()
    {
        var format = new HermesFormat();
        var (text, calls) = ToolCallParser.Read("<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": 12", format.Tags(Functions, true), format);
        Assert.Equal("", text);
        Assert.Equal("{\"a\": 12", Assert.Single(calls).ArgumentsJson);
    }

    private static (string Text, List<FunctionCall> Calls) Collect(string answer, int[] sizes, IReadOnlyList<ToolTag> tags, ToolCallFormat format)
    {
        var parser = new ToolCallParser(tags, format);
        var parts = new List<AnswerPart>();
        for (int at = 0, i = 0; at < answer.Length; i++)
        {
            var size = Math.Min(sizes[i % sizes.Length], answer.Length - at);
            parts.AddRange(parser.Append(answer.Substring(at, size)));
            at += size;
        }
        parts.AddRange(parser.End());
        var begins = parts.OfType<AnswerPart.CallBegin>().ToList();
        return (string.Concat(parts.OfType<AnswerPart.Text>().Select(t => t.Value)),
            [.. begins.Select(b => new FunctionCall(b.Id, b.Function, string.Concat(parts.OfType<AnswerPart.ArgumentsMore>().Where(a => a.Index == b.Index).Select(a => a.Json))))]);
    }
}
