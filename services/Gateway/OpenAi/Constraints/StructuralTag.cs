using System.Text.Json;
using Slm.V1;

namespace Slm.Gateway.OpenAi.Constraints;

/// <summary>
/// vLLM's <c>structural_tag</c>: free text with tagged JSON in it. Both forms are read, <c>structures</c> with <c>triggers</c> and
/// <c>format</c>; what the contract cannot say exactly is refused.
/// </summary>
internal static class StructuralTag
{
    public static AskedConstraint Read(RequestFields fields, string field)
    {
        if (fields.RequiredString("type") is var type && type != "structural_tag")
            throw OpenAiException.Invalid(fields.Path("type"), $"'{fields.Path("type")}' is '{type}'; it must be structural_tag.");
        Constraint constraint;
        if (fields.Get("format") is { } format)
        {
            constraint = Format(new RequestFields(format, fields.Path("format")));
        }
        else
        {
            var tagged = new TaggedText();
            foreach (var tag in Objects(fields, "structures"))
            {
                tagged.Tags.Add(new Tag { Begin = tag.RequiredString("begin"), JsonSchema = Schema(tag, "schema"), End = tag.RequiredString("end") });
                tag.RefuseUnknown();
            }
            tagged.Triggers.AddRange(fields.Strings("triggers", 1000));
            constraint = new Constraint { TaggedText = tagged };
        }
        fields.RefuseUnknown();
        return new AskedConstraint(constraint, field);
    }

    private static Constraint Format(RequestFields format)
    {
        var constraint = new Constraint();
        switch (format.RequiredString("type"))
        {
            case "json_schema":
                constraint.JsonSchema = Schema(format, "json_schema");
                break;
            case "regex":
                constraint.Regex = format.RequiredString("pattern");
                break;
            case "grammar":
                constraint.Grammar = format.RequiredString("grammar");
                break;
            case "triggered_tags":
                constraint.TaggedText = Tags(format);
                constraint.TaggedText.Triggers.AddRange(format.Strings("triggers", 1000));
                if (format.Bool("at_least_one") is true)
                    format.Refuse("at_least_one", "Use tags_with_separator.");
                break;
            case "tags_with_separator":
                constraint.TaggedText = Tags(format);
                constraint.TaggedText.Separator = format.RequiredString("separator");
                if (format.Bool("at_least_one") is not true)
                    throw OpenAiException.Unsupported(format.Path("at_least_one"), "Set it to true: an answer without any tag would be empty.");
                constraint.TaggedText.Required = true;
                break;
            case var type:
                throw OpenAiException.Unsupported(format.Path("type"), $"It is '{type}'; json_schema, regex, grammar, triggered_tags and tags_with_separator are.");
        }
        format.RefuseUnknown();
        return constraint;
    }

    private static TaggedText Tags(RequestFields format)
    {
        var tagged = new TaggedText();
        foreach (var tag in Objects(format, "tags"))
        {
            var content = new RequestFields(tag.Get("content") ?? throw tag.Missing("content"), tag.Path("content"));
            if (content.RequiredString("type") is var type && type != "json_schema")
                throw OpenAiException.Unsupported(content.Path("type"), $"It is '{type}'; the content of a tag is a json_schema.");
            tagged.Tags.Add(new Tag { Begin = tag.RequiredString("begin"), JsonSchema = Schema(content, "json_schema"), End = tag.RequiredString("end") });
            tag.Harmless("type");
            tag.RefuseUnknown();
            content.RefuseUnknown();
        }
        if (format.Bool("stop_after_first") is true)
            tagged.MaxTags = 1;
        return tagged;
    }

    private static string Schema(RequestFields fields, string name) => fields.Get(name) switch
    {
        { ValueKind: JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False } schema => schema.GetRawText(),
        { } other => throw fields.Wrong(name, other, "a JSON Schema"),
        null => throw fields.Missing(name),
    };

    private static IEnumerable<RequestFields> Objects(RequestFields fields, string name)
    {
        if (fields.Get(name) is not { } array)
            throw fields.Missing(name);
        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() == 0)
            throw fields.Wrong(name, array, "an array with at least one entry");
        return array.EnumerateArray().Select((element, i) => new RequestFields(element, fields.Path($"{name}[{i}]")));
    }
}
