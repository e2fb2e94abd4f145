using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;
using Slm.ServiceDefaults.Errors;
using Slm.V1;
using JsonForm = Slm.Engine.Constraints.Json.JsonForm;
using JsonWhitespace = Slm.Engine.Constraints.Json.JsonWhitespace;

namespace Slm.Inference.Mapping;

/// <summary>Constraints of the contract as the engine takes them, and what it says of them.</summary>
internal static class ConstraintMapping
{
    private const int MaxTexts = 10_000;
    private const int MaxTags = 512;

    /// <summary>A constraint.</summary>
    /// <exception cref="FieldException">A field is missing or wrong.</exception>
    public static ConstraintSource ToSource(Constraint constraint)
    {
        ConstraintSource source = constraint.LanguageCase switch
        {
            Constraint.LanguageOneofCase.JsonSchema => new ConstraintSource.JsonSchema(constraint.JsonSchema, ToForm(constraint.JsonForm)),
            Constraint.LanguageOneofCase.Regex => new ConstraintSource.Regex(constraint.Regex),
            Constraint.LanguageOneofCase.Grammar => new ConstraintSource.Grammar(constraint.Grammar),
            Constraint.LanguageOneofCase.Choice when constraint.Choice.Texts.Count is 0 or > MaxTexts =>
                throw new FieldException("constraint.choice.texts", $"constraint.choice.texts has {constraint.Choice.Texts.Count} entries; it must have 1 to {MaxTexts}."),
            Constraint.LanguageOneofCase.Choice => new ConstraintSource.Choice([.. constraint.Choice.Texts]),
            Constraint.LanguageOneofCase.TaggedText when constraint.TaggedText.Tags.Count is 0 or > MaxTags =>
                throw new FieldException("constraint.tagged_text.tags", $"constraint.tagged_text.tags has {constraint.TaggedText.Tags.Count} entries; it must have 1 to {MaxTags}."),
            Constraint.LanguageOneofCase.TaggedText => new ConstraintSource.TaggedText(
                [.. constraint.TaggedText.Tags.Select(t => new TextTag(t.Begin, t.JsonSchema, t.End))], ToForm(constraint.JsonForm))
            {
                Required = constraint.TaggedText.Required,
                MaxTags = constraint.TaggedText.MaxTags,
                Separator = constraint.TaggedText.Separator,
                Triggers = [.. constraint.TaggedText.Triggers],
            },
            _ => throw new FieldException("constraint", "constraint is empty; it must have one of json_schema, regex, grammar, choice and tagged_text."),
        };
        return source with { Lenient = constraint.Lenient };
    }

    /// <summary>What is done about each keyword.</summary>
    public static IEnumerable<V1.KeywordReport> ToReports(IEnumerable<Engine.Constraints.KeywordReport> reports) => reports.Select(r => new V1.KeywordReport
    {
        Pointer = r.Place,
        Keyword = r.Keyword,
        Reason = r.Reason,
        Enforcement = r.Enforcement switch
        {
            Engine.Constraints.Enforcement.Enforced => V1.Enforcement.Enforced,
            Engine.Constraints.Enforcement.Annotation => V1.Enforcement.Annotation,
            Engine.Constraints.Enforcement.Ignored => V1.Enforcement.Ignored,
            _ => V1.Enforcement.Refused,
        },
    });

    private static JsonForm ToForm(V1.JsonForm? form)
    {
        var defaults = new JsonForm();
        return form is null ? defaults : new JsonForm
        {
            Whitespace = form.Whitespace switch
            {
                V1.JsonWhitespace.Unspecified or V1.JsonWhitespace.Flexible => JsonWhitespace.Flexible,
                V1.JsonWhitespace.Compact => JsonWhitespace.Compact,
                V1.JsonWhitespace.Spaced => JsonWhitespace.Spaced,
                _ => throw new FieldException("constraint.json_form.whitespace", $"constraint.json_form.whitespace is {(int)form.Whitespace}; it must be 1 (flexible), 2 (compact) or 3 (spaced)."),
            },
            MaxWhitespace = form.HasMaxWhitespace ? form.MaxWhitespace : defaults.MaxWhitespace,
            SchemaOrder = form.SchemaOrder,
            PlainIntegers = form.PlainIntegers,
            IgnoreFormat = form.IgnoreFormat,
            PlainStrings = form.PlainStrings,
        };
    }
}
