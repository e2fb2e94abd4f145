using System.Text.Json;

namespace Slm.Engine.Constraints.Json;

/// <content>What is reported about keywords.</content>
internal sealed partial class SchemaCompiler
{
    private static readonly HashSet<string> Enforced =
    [
        "$ref", "$dynamicRef", "type", "enum", "const", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern", "format",
        "properties", "patternProperties", "additionalProperties", "propertyNames", "required", "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "dependencies",
        "prefixItems", "items", "additionalItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
        "unevaluatedProperties", "unevaluatedItems",
    ];

    private readonly HashSet<Schema> _noted = [];

    private void Note(Schema schema, string keyword, string? annotation) => Annotated?.Invoke(schema, keyword, annotation);

    private void NoteKeywords(Schema schema)
    {
        if (Annotated is null || schema.Element.ValueKind != JsonValueKind.Object || !_noted.Add(schema))
            return;
        foreach (var member in schema.Element.EnumerateObject())
        {
            if (!schema.TryGet(member.Name, out _) || member.Name == "$ref")
                continue;
            var annotation = !Enforced.Contains(member.Name) ? "It says nothing about which values are valid."
                : member.Name != "format" || member.Value.ValueKind != JsonValueKind.String ? null
                : _form.IgnoreFormat ? "Formats are not to be enforced."
                : Formats.Find(Pool, member.Value.GetString()!) is null && !Formats.IsUnsupported(member.Value.GetString()!)
                    ? $"\"{member.Value.GetString()}\" is no format of JSON Schema, so it says nothing about which values are valid." : null;
            Note(schema, member.Name, annotation);
        }
    }
}
