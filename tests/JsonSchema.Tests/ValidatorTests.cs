using System.Text.Json;

namespace Slm.JsonSchema.Tests;

public sealed class ValidatorTests
{
    private const string Call = """
        {
          "type": "object", "required": ["value", "unit"], "additionalProperties": false,
          "properties": { "value": { "type": "integer", "minimum": 1 }, "unit": { "enum": ["km", "mi"] }, "note": { "type": "string", "maxLength": 3 } }
        }
        """;

    [Fact]
    public void A_valid_document_has_no_errors() => Assert.Empty(Validate(Call, """{"unit": "km", "value": 3.0, "note": "äöü"}"""));

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once()
    {
        var errors = Validate(Call, """{"value": 0, "note": "long", "x": 1}""");
        Assert.Equal(["required", "minimum", "maxLength", "additionalProperties"], errors.Select(e => e.Keyword));
        Assert.Equal("/value", errors[1].Location);
        Assert.Equal("the document lacks \"unit\".", errors[0].ToString());
        Assert.Equal("/value is 0 but must be at least 1.", errors[1].ToString());
    }

    [Fact]
    public void The_nearest_of_several_forms_says_what_it_lacks()
    {
        var error = Assert.Single(Validate("""{"anyOf": [{"type": "string"}, {"properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["a", "b"], "type": "object"}]}""", """{"a": 1}"""));
        Assert.Contains("lacks \"b\"", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1e2", "100", true)]
    [InlineData("0.30", "3e-1", true)]
    [InlineData("9007199254740993", "9007199254740992", false)]
    [InlineData("-0", "0.0", true)]
    public void Numbers_are_compared_by_value(string constant, string document, bool equal) =>
        Assert.Equal(equal, Validate($$"""{"const": {{constant}}}""", document).Count == 0);

    [Theory]
    [InlineData("""{"$ref": "https://example.com/x.json"}""", "/$ref")]
    [InlineData("""{"properties": {"a": {"$ref": "#/$defs/missing"}}}""", "/properties/a/$ref")]
    [InlineData("""{"unevaluatedProperties": false}""", "/unevaluatedProperties")]
    [InlineData("""{"type": "text"}""", "/type")]
    [InlineData("""{"pattern": "("}""", "/pattern")]
    [InlineData("""{"items": {"multipleOf": 0}}""", "/items/multipleOf")]
    [InlineData("""[]""", "")]
    [InlineData("""{""", "")]
    public void A_schema_that_cannot_be_used_is_refused_by_its_pointer(string schema, string location) =>
        Assert.Equal(location, Assert.Throws<SchemaException>(() => JsonSchemaValidator.Parse(schema)).Location);

    [Fact]
    public void A_recursive_schema_checks_every_level()
    {
        const string Tree = """{"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": false}""";
        Assert.Empty(Validate(Tree, """{"next": {"next": {}}}"""));
        Assert.Equal("/next/next", Assert.Single(Validate(Tree, """{"next": {"next": {"x": 1}}}""")).Location);
    }

    [Fact]
    public void A_schema_that_refers_to_itself_without_end_ends() => Assert.NotEmpty(Validate("""{"$ref": "#"}""", "1"));

    [Fact]
    public void Difficulty_counts_what_constrains()
    {
        Assert.Equal(0, JsonSchemaValidator.Parse("""{"title": "x", "description": "y"}""").Difficulty);
        Assert.True(JsonSchemaValidator.Parse(Call).Difficulty > JsonSchemaValidator.Parse("""{"type": "object"}""").Difficulty);
    }

    private static IReadOnlyList<SchemaError> Validate(string schema, string document)
    {
        using var parsed = JsonDocument.Parse(document);
        return JsonSchemaValidator.Parse(schema).Validate(parsed.RootElement);
    }
}
