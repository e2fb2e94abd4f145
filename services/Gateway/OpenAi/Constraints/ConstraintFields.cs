using System.Text.Json;
using Slm.V1;

namespace Slm.Gateway.OpenAi.Constraints;

/// <summary>The fields that say what an answer must be: OpenAI's <c>response_format</c>, and those of llama.cpp and vLLM.</summary>
internal static class ConstraintFields
{
    private const string AnyObject = """{"type":"object"}""";

    /// <summary>Where a request keeps the field its constraint came from, so that errors of the constraint name it.</summary>
    private static readonly object ItemKey = new();

    /// <summary>Reads them; null if the answer is free.</summary>
    public static AskedConstraint? Read(RequestFields fields)
    {
        var asked = new AskedConstraint?[]
        {
            fields.Get("response_format") is { } format ? ResponseFormat(new RequestFields(format, fields.Path("response_format"))) : null,
            fields.String("grammar") is { Length: > 0 } grammar ? new(new Constraint { Grammar = grammar }, "grammar") : null,
            Schema(fields, "json_schema"),
            Schema(fields, "guided_json"),
            fields.String("guided_regex") is { } regex ? new(new Constraint { Regex = regex }, "guided_regex") : null,
            Choice(fields, "guided_choice"),
            fields.String("guided_grammar") is { } guided ? new(new Constraint { Grammar = guided }, "guided_grammar") : null,
            fields.Get("structured_outputs") is { } outputs ? StructuredOutputs(new RequestFields(outputs, "structured_outputs")) : null,
        }.OfType<AskedConstraint>().ToList();
        fields.Harmless("guided_decoding_backend");
        return asked.Count < 2 ? asked.FirstOrDefault()
            : throw OpenAiException.Invalid(asked[1].Field, $"'{asked[0].Field}' and '{asked[1].Field}' both say what the answer must be; leave one of them out.");
    }

    /// <summary>Reads <c>response_format</c>, or <c>text.format</c> of responses, where the schema is not nested.</summary>
    public static AskedConstraint? ResponseFormat(RequestFields format, bool nested = true)
    {
        var type = format.RequiredString("type");
        var field = format.Path("type")[..^".type".Length];
        switch (type)
        {
            case "text":
                format.RefuseUnknown();
                return null;
            case "json_object":
                // Not OpenAI's, but llama.cpp's and others'.
                var schema = format.Get("schema");
                format.RefuseUnknown();
                return new(new Constraint { JsonSchema = schema is { } given ? SchemaText(format, "schema", given) : AnyObject, Lenient = schema is null }, field);
            case "json_schema":
                var inner = nested ? new RequestFields(format.Get("json_schema") ?? throw format.Missing("json_schema"), format.Path("json_schema")) : format;
                var asked = JsonSchema(inner, field);
                format.RefuseUnknown();
                return asked;
            case "structural_tag":
                return StructuralTag.Read(format, field);
            default:
                throw OpenAiException.Invalid(format.Path("type"), $"'{format.Path("type")}' is '{type}'; it must be text, json_object, json_schema or structural_tag.");
        }
    }

    /// <summary>Notes how the fields of the request's constraint are called, for errors of the services behind.</summary>
    public static void NameErrors(HttpContext context, Func<string, string?> names) => context.Items[ItemKey] = names;

    /// <summary>The HTTP name of a field of the contract, as errors name it.</summary>
    public static string? HttpName(HttpContext context, string contractField) =>
        contractField.StartsWith("constraint", StringComparison.Ordinal) && context.Items[ItemKey] is Func<string, string?> names
            ? names(contractField)
            : SamplingFields.HttpName(contractField);

    private static AskedConstraint JsonSchema(RequestFields fields, string field)
    {
        var name = fields.RequiredString("name");
        if (!Slm.Tools.Calls.FunctionSpec.IsName(name))
            throw OpenAiException.Invalid(fields.Path("name"), $"'{fields.Path("name")}' is '{name}'; it must be 1 to 64 letters, digits, '_' or '-'.");
        var strict = fields.Bool("strict") ?? false;
        var schema = fields.Get("schema") is { } given ? SchemaText(fields, "schema", given) : AnyObject;
        fields.Harmless("description", "type");
        fields.RefuseUnknown();
        var constraint = new Constraint { JsonSchema = schema, JsonForm = new JsonForm { Whitespace = JsonWhitespace.Spaced, SchemaOrder = strict, PlainIntegers = strict, PlainStrings = true } };
        if (!strict)
            constraint.Lenient = true;
        return new AskedConstraint(constraint, field);
    }

    private static AskedConstraint? Schema(RequestFields fields, string name) =>
        fields.Get(name) is not { } value ? null : new(new Constraint { JsonSchema = SchemaText(fields, name, value), JsonForm = new JsonForm { Whitespace = JsonWhitespace.Spaced, PlainStrings = true } }, fields.Path(name));

    /// <summary>A schema as an object, as true or false, or as a string that holds it.</summary>
    private static string SchemaText(RequestFields fields, string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        JsonValueKind.String => value.GetString()!,
        _ => throw fields.Wrong(name, value, "a JSON Schema"),
    };

    private static AskedConstraint? Choice(RequestFields fields, string name)
    {
        if (fields.Get(name) is null)
            return null;
        var texts = fields.Strings(name, 10_000);
        if (texts.Count == 0)
            throw OpenAiException.Invalid(fields.Path(name), $"'{fields.Path(name)}' is empty; it must have at least one text.");
        var choices = new Choices();
        choices.Texts.AddRange(texts);
        return new(new Constraint { Choice = choices }, fields.Path(name));
    }

    private static AskedConstraint? StructuredOutputs(RequestFields fields)
    {
        var asked = new AskedConstraint?[]
        {
            Schema(fields, "json"),
            fields.String("regex") is { } regex ? new(new Constraint { Regex = regex }, fields.Path("regex")) : null,
            Choice(fields, "choice"),
            fields.String("grammar") is { } grammar ? new(new Constraint { Grammar = grammar }, fields.Path("grammar")) : null,
            fields.Bool("json_object") is true ? new(new Constraint { JsonSchema = AnyObject, JsonForm = new JsonForm { Whitespace = JsonWhitespace.Spaced, PlainStrings = true } }, fields.Path("json_object")) : null,
            Structural(fields),
        }.OfType<AskedConstraint>().ToList();
        if (fields.Bool("disable_any_whitespace") is true && asked is [{ Constraint: { HasJsonSchema: true } json }])
            json.JsonForm = new JsonForm { Whitespace = JsonWhitespace.Spaced };
        fields.Harmless("backend", "disable_fallback");
        fields.RefuseUnknown();
        return asked.Count == 1 ? asked[0]
            : throw OpenAiException.Invalid("structured_outputs", $"'structured_outputs' names {asked.Count} languages; it must name one of json, regex, choice, grammar, json_object and structural_tag.");
    }

    private static AskedConstraint? Structural(RequestFields fields)
    {
        if (fields.Get("structural_tag") is not { } value)
            return null;
        var path = fields.Path("structural_tag");
        if (value.ValueKind != JsonValueKind.String)
            return StructuralTag.Read(new RequestFields(value, path), path);
        try
        {
            return StructuralTag.Read(new RequestFields(JsonElement.Parse(value.GetString()!), path), path);
        }
        catch (JsonException error)
        {
            throw OpenAiException.Invalid(path, $"'{path}' is a string that is not valid JSON: {error.Message}");
        }
    }
}
