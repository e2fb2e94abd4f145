using System.Text.Json;
using Slm.Gateway.OpenAi;
using Slm.Gateway.OpenAi.Constraints;
using Slm.V1;

namespace Slm.Gateway.Tests;

public sealed class ConstraintFieldsTests
{
    private const string Schema = """{"type":"object","properties":{"a":{"type":"integer"}}}""";

    [Fact]
    public void A_strict_schema_is_enforced_whole_in_its_order()
    {
        var constraint = Read($$"""{"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {{Schema}} } } }""").Constraint;
        Assert.Equal(Schema, constraint.JsonSchema);
        Assert.True(constraint.JsonForm is { SchemaOrder: true, PlainIntegers: true });
        Assert.False(constraint.Lenient);
    }

    [Fact]
    public void A_schema_that_is_not_strict_is_enforced_as_far_as_it_can_be()
    {
        var constraint = Read($$"""{"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {{Schema}} } } }""").Constraint;
        Assert.Equal(Schema, constraint.JsonSchema);
        Assert.True(constraint.Lenient);
        Assert.True(constraint.JsonForm is { SchemaOrder: false, PlainIntegers: false, PlainStrings: true });
    }

    [Fact]
    public void A_JSON_object_is_any_object() =>
        Assert.Equal("object", JsonElement.Parse(Read("""{"response_format": {"type": "json_object"}}""").Constraint.JsonSchema).GetProperty("type").GetString());

    [Theory]
    [InlineData("""{"grammar": "root ::= \"a\""}""", Constraint.LanguageOneofCase.Grammar, "grammar")]
    [InlineData("""{"guided_grammar": "root ::= \"a\""}""", Constraint.LanguageOneofCase.Grammar, "guided_grammar")]
    [InlineData("""{"json_schema": {"type": "null"}}""", Constraint.LanguageOneofCase.JsonSchema, "json_schema")]
    [InlineData("""{"guided_json": "{\"type\": \"null\"}"}""", Constraint.LanguageOneofCase.JsonSchema, "guided_json")]
    [InlineData("""{"guided_regex": "a+"}""", Constraint.LanguageOneofCase.Regex, "guided_regex")]
    [InlineData("""{"guided_choice": ["a", "b"]}""", Constraint.LanguageOneofCase.Choice, "guided_choice")]
    [InlineData("""{"structured_outputs": {"regex": "a+"}}""", Constraint.LanguageOneofCase.Regex, "structured_outputs.regex")]
    [InlineData("""{"structured_outputs": {"json": {}, "disable_any_whitespace": true}}""", Constraint.LanguageOneofCase.JsonSchema, "structured_outputs.json")]
    [InlineData("""{"structured_outputs": {"structural_tag": "{\"type\": \"structural_tag\", \"structures\": [{\"begin\": \"<a>\", \"schema\": {}, \"end\": \"</a>\"}], \"triggers\": [\"<a>\"]}"}}""", Constraint.LanguageOneofCase.TaggedText, "structured_outputs.structural_tag")]
    [InlineData("""{"response_format": {"type": "structural_tag", "format": {"type": "tags_with_separator", "separator": ",", "at_least_one": true, "tags": [{"begin": "<a>", "content": {"type": "json_schema", "json_schema": {}}, "end": "</a>"}]}}}""", Constraint.LanguageOneofCase.TaggedText, "response_format")]
    public void Each_dialect_is_read(string body, Constraint.LanguageOneofCase language, string field)
    {
        var asked = Read(body);
        Assert.Equal((language, field), (asked.Constraint.LanguageCase, asked.Field));
    }

    [Theory]
    [InlineData("""{"response_format": {"type": "yaml"}}""", "response_format.type")]
    [InlineData("""{"response_format": {"type": "json_schema"}}""", "response_format.json_schema")]
    [InlineData("""{"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}""", "response_format.json_schema.name")]
    [InlineData("""{"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": 3}}}""", "response_format.json_schema.schema")]
    [InlineData("""{"response_format": {"type": "json_object"}, "grammar": "root ::= [a-z]"}""", "grammar")]
    [InlineData("""{"structured_outputs": {}}""", "structured_outputs")]
    [InlineData("""{"structured_outputs": {"json": {}, "regex": "a"}}""", "structured_outputs")]
    [InlineData("""{"structured_outputs": {"xml": {}}}""", "structured_outputs.xml")]
    [InlineData("""{"guided_choice": []}""", "guided_choice")]
    [InlineData("""{"structured_outputs": {"structural_tag": {"type": "structural_tag", "structures": [{"begin": "<a=b>", "schema": 1, "end": ""}], "triggers": ["<a="]}}}""", "structured_outputs.structural_tag.structures[0].schema")]
    public void What_is_wrong_is_named(string body, string param)
    {
        var error = Assert.Throws<OpenAiException>(() => ConstraintFields.Read(new RequestFields(JsonElement.Parse(body))));
        Assert.Equal((param, 400), (error.Param, error.Status));
    }

    [Fact]
    public void Text_is_free() => Assert.Null(ConstraintFields.Read(new RequestFields(JsonElement.Parse("""{"response_format": {"type": "text"}}"""))));

    private static AskedConstraint Read(string body) => ConstraintFields.Read(new RequestFields(JsonElement.Parse(body)))!;
}
