using System.Text;
using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;
using Xunit;

namespace Slm.Engine.Tests.Constraints;

/// <summary>Regular expressions, grammars, choices and tagged text; and what is refused.</summary>
public sealed class LanguageTests
{
    [Theory]
    [InlineData("^a+b?$")]
    [InlineData("a|^b$|c{2}")]
    [InlineData("^(?!ab)[abc]+$")]
    [InlineData("^(?=.*c)(a|b|c){2,3}$")]
    [InlineData("^([^c]+(c|$)){2,}$")]
    [InlineData("(^a|b)c$")]
    [InlineData("[^ab]")]
    [InlineData("^(a(b|c)*)?$")]
    [InlineData("^$|^abc")]
    [InlineData("a{0}b")]
    [InlineData("^.{2}$")]
    [InlineData("(ab|a)(c|bc)$")]
    public void PatternsSearchAsDotNetDoes(string pattern)
    {
        var schema = $$"""{"type":"string","pattern":{{System.Text.Json.JsonSerializer.Serialize(pattern)}}}""";
        var constraint = new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.JsonSchema(schema, new JsonForm())), Bytes.Vocabulary);
        var expected = new System.Text.RegularExpressions.Regex(pattern.Replace("$", "(?!\n)$", StringComparison.Ordinal), System.Text.RegularExpressions.RegexOptions.ECMAScript & 0);
        for (var length = 0; length <= 6; length++)
        {
            for (var number = 0; number < Math.Pow(3, length); number++)
            {
                var text = new StringBuilder();
                for (int i = 0, rest = number; i < length; i++, rest /= 3)
                    text.Append("abc"[rest % 3]);
                Assert.True(expected.IsMatch(text.ToString()) == Bytes.Accepts(constraint, $"\"{text}\""), $"{text} in {pattern}");
            }
        }
    }

    [Theory]
    [InlineData(@"\bword\b", "word boundary")]
    [InlineData(@"(a)\1", "back reference")]
    [InlineData("(?<=a)b", "lookbehind")]
    [InlineData("(", "not closed")]
    [InlineData("[b-a]", "out of order")]
    [InlineData(@"\p{Script=Greek}", "Script=Greek")]
    public void PatternsThatCannotBeEnforcedAreRefusedByName(string pattern, string named)
    {
        var error = Assert.Throws<ConstraintException>(() => CompiledConstraint.Compile(new ConstraintSource.JsonSchema("{\"properties\":{\"p\":{\"pattern\":" + System.Text.Json.JsonSerializer.Serialize(pattern) + "}}}", new JsonForm())));
        Assert.Equal("/properties/p/pattern", error.Place);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"\\u00e9t\\u00c9\"", true)]
    [InlineData("\"ét\\u00c9\"", true)]
    [InlineData("\"\\ud83d\\ude00tx\"", false)]
    [InlineData("\"\\ud83dtx\"", false)]
    [InlineData("\"ete\"", false)]
    public void EscapesStandForTheirCharacters(string text, bool valid) =>
        Assert.Equal(valid, Bytes.Accepts(new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.JsonSchema("""{"type":"string","pattern":"^.t[É😀]$","minLength":3,"maxLength":3,"not":{"pattern":"^😀"}}""", new JsonForm())), Bytes.Vocabulary), text));

    [Theory]
    [InlineData("\"a/b\"", true)]
    [InlineData("\"\\n\\\"\\\\\\u0001\"", true)]
    [InlineData("\"\\u0061\"", false)]
    [InlineData("\"\\u000a\"", false)]
    [InlineData("\"\\/\"", false)]
    public void PlainStringsAreEscapedOnlyWhereNeeded(string text, bool valid) =>
        Assert.Equal(valid, Bytes.Accepts(new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.JsonSchema("""{"type":"string"}""", new JsonForm { PlainStrings = true })), Bytes.Vocabulary), text));

    [Fact]
    public void GrammarsFollowTheirRecursion()
    {
        const string grammar = """
            # sums
            root  ::= sum ("=" [0-9]+)?
            sum   ::= value ("+" value)*
            value ::= [0-9]{1,3} |
                      "(" sum ")"
            """;
        var constraint = new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.Grammar(grammar)), Bytes.Vocabulary);
        Assert.True(Bytes.Accepts(constraint, "1+(22+(3))+4=30"));
        Assert.True(Bytes.Accepts(constraint, new string('(', 500) + "1" + new string(')', 500)));
        Assert.False(Bytes.Accepts(constraint, "1+"));
        Assert.False(Bytes.Accepts(constraint, "(1"));
        Assert.False(constraint.Start().Accept("1234"u8));
        Assert.False(constraint.Start().Accept("(1))"u8));
    }

    [Theory]
    [InlineData("root ::= root \"a\" | \"b\"", "left recursion")]
    [InlineData("root ::= a\na ::= b?", "\"b\" is used and not defined")]
    [InlineData("start ::= \"a\"", "no rule \"root\"")]
    [InlineData("root ::= \"a", "not closed")]
    [InlineData("root ::= \"(\" root \")\"", "never come to an end")]
    public void GrammarsThatCannotBeFollowedAreRefused(string grammar, string named) =>
        Assert.Contains(named, Assert.ThrowsAny<ConstraintException>(() => CompiledConstraint.Compile(new ConstraintSource.Grammar(grammar))).Message, StringComparison.Ordinal);

    [Fact]
    public void ChoicesAreTheirTextsOnly()
    {
        var constraint = new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.Choice(["yes", "yesterday", "no"])), Bytes.Vocabulary);
        Assert.True(Bytes.Accepts(constraint, "yes"));
        Assert.True(Bytes.Accepts(constraint, "yesterday"));
        Assert.False(constraint.Start().Accept("yesx"u8));
        var state = constraint.Start();
        Assert.True(state.Accept("n"u8));
        Assert.Equal("o"u8.ToArray(), state.Forced());
    }

    [Fact]
    public void TaggedTextHoldsTagsToTheirSchemas()
    {
        ConstraintSource.TaggedText Source(bool required) => new(
            [new TextTag("<tool>{\"name\": \"add\", \"arguments\": ", """{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}""", "}</tool>"),
             new TextTag("<tool>{\"name\": \"stop\", \"arguments\": ", """{"type":"object","additionalProperties":false}""", "}</tool>")], new JsonForm())
        {
            Triggers = ["<tool>"],
            Required = required,
            MaxTags = 2,
            Separator = "\n",
        };
        const string add = "<tool>{\"name\": \"add\", \"arguments\": {\"a\": 3}}</tool>", stop = "<tool>{\"name\": \"stop\", \"arguments\": {}}</tool>";
        var free = new TokenConstraint(CompiledConstraint.Compile(Source(false)), Bytes.Vocabulary);
        Assert.True(Bytes.Accepts(free, "No tool < is needed."));
        Assert.True(Bytes.Accepts(free, $"First {add} then {stop} done."));
        Assert.False(free.Start().Accept(Encoding.UTF8.GetBytes($"{add}{add}<tool>")));
        Assert.False(free.Start().Accept("<tool>{\"name\": \"sub"u8));
        Assert.False(free.Start().Accept("<tool>{\"name\": \"add\", \"arguments\": {\"a\": x"u8));
        var required = new TokenConstraint(CompiledConstraint.Compile(Source(true)), Bytes.Vocabulary);
        Assert.False(required.Start().Accept("No"u8));
        Assert.True(Bytes.Accepts(required, $"{add}\n{stop}"));
        Assert.False(required.Start().Accept(Encoding.UTF8.GetBytes($"{add} ")));
        Assert.False(required.Start().CanEnd);
    }

    [Fact]
    public void CheckSaysKeywordByKeyword()
    {
        const string schema = """{"title":"t","type":"object","properties":{"a":{"format":"color"},"b":{"type":"array","uniqueItems":true}},"unevaluatedProperties":false}""";
        var (accepted, keywords) = CompiledConstraint.Check(new ConstraintSource.JsonSchema(schema, new JsonForm()));
        Assert.False(accepted);
        Assert.Equal(Enforcement.Refused, keywords.Single(k => k.Place == "/unevaluatedProperties").Enforcement);
        Assert.Equal(Enforcement.Refused, keywords.Single(k => k.Place == "/properties/b/uniqueItems").Enforcement);
        Assert.Equal(Enforcement.Annotation, keywords.Single(k => k.Place == "/title").Enforcement);
        Assert.Equal(Enforcement.Annotation, keywords.Single(k => k.Place == "/properties/a/format").Enforcement);
        Assert.Equal(Enforcement.Enforced, keywords.First(k => k.Place == "/type").Enforcement);
        Assert.Throws<ConstraintException>(() => CompiledConstraint.Compile(new ConstraintSource.JsonSchema(schema, new JsonForm())));
        Assert.Contains(CompiledConstraint.Compile(new ConstraintSource.JsonSchema(schema, new JsonForm()) { Lenient = true }).Keywords, k => k.Enforcement == Enforcement.Ignored);
    }

    [Theory]
    [InlineData("""{"type":"string","minLength":3,"maxLength":2}""")]
    [InlineData("""{"type":"object","required":["a"],"properties":{"a":false}}""")]
    [InlineData("""{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/$defs/a"}}}}}""")]
    [InlineData("""{"type":"integer","exclusiveMinimum":1,"exclusiveMaximum":2}""")]
    public void WhatNothingSatisfiesIsSaidSo(string schema) =>
        Assert.Throws<UnsatisfiableConstraintException>(() => CompiledConstraint.Compile(new ConstraintSource.JsonSchema(schema, new JsonForm())));

    public static TheoryData<string> Hostile() => new()
    {
        // A name, a pattern and an enumeration of great length; nesting; counts; products of alternatives; growth of an automaton.
        "{\"type\":\"object\",\"properties\":{\"" + new string('n', 300_000) + "\":{}},\"additionalProperties\":false}",
        $$"""{"type":"string","pattern":"^{{string.Concat(Enumerable.Repeat("a?", 40_000))}}$"}""",
        $$"""{"type":"string","pattern":"^{{new string('(', 150)}}a{{new string(')', 150)}}$","maxLength":1000000}""",
        """{"type":"string","pattern":"^((a{900}){900}){900}$"}""",
        """{"type":"string","pattern":"^(a|b)*a(a|b){200}$","not":{"pattern":"^(b|a)*b(a|b){190}$"}}""",
        "{\"allOf\":[" + string.Join(',', Enumerable.Range(0, 40).Select(i => "{\"anyOf\":[{\"required\":[\"a" + i + "\"]},{\"required\":[\"b" + i + "\"]}]}")) + "]}",
        "{\"enum\":[" + string.Join(',', Enumerable.Range(0, 20_000).Select(i => $"\"value {i}\"")) + "]}",
        """{"type":"array","minItems":1000000,"items":{"type":"array","minItems":1000000}}""",
        """{"type":"string","minLength":999999,"maxLength":1000000}""",
        """{"type":"number","multipleOf":0.00000000019}""",
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void WhatIsLargeIsEnforcedOrRefusedAndNeverBreaks(string schema)
    {
        try
        {
            var state = new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.JsonSchema(schema, new JsonForm())), Bytes.Vocabulary).Start();
            var mask = new ulong[state.MaskLength];
            for (var i = 0; i < 50 && !state.IsComplete; i++)
            {
                state.FillMask(mask);
                var token = Enumerable.Range(0, 256).First(t => (mask[t >> 6] >> (t & 63) & 1) != 0);
                Assert.True(state.Accept(token));
            }
        }
        catch (ConstraintException refused)
        {
            Assert.NotEmpty(refused.Reason);
        }
    }

    [Fact]
    public void PropertiesComeInTheOrderOfTheSchemaIfWanted()
    {
        const string schema = """{"type":"object","properties":{"b":{"type":"integer"},"a":{"type":"integer"},"c":{"type":"integer"}},"required":["a"]}""";
        var ordered = new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.JsonSchema(schema, new JsonForm { SchemaOrder = true, PlainIntegers = true })), Bytes.Vocabulary);
        Assert.True(Bytes.Accepts(ordered, """{"b": 1, "a": 2, "x": 3}"""));
        Assert.True(Bytes.Accepts(ordered, """{"a": 2, "c": 3}"""));
        Assert.False(ordered.Start().Accept("{\"a\": 2, \"b\""u8));
        Assert.False(ordered.Start().Accept("{\"c\""u8));
        Assert.False(ordered.Start().Accept("""{"a": 2."""u8));
        Assert.False(ordered.Start().Accept("""{"a": 2, "x": 3, "x"}"""u8));
    }
}
