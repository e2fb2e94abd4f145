using Slm.Engine.Constraints;
using Slm.V1;

namespace Slm.Cli.Backends;

/// <summary>Constraints as the contract has them.</summary>
internal static class ConstraintContract
{
    public static Constraint? Of(ConstraintSource? source)
    {
        if (source is null)
            return null;
        var constraint = new Constraint();
        if (source.Lenient)
            constraint.Lenient = true;
        switch (source)
        {
            case ConstraintSource.JsonSchema schema:
                constraint.JsonSchema = schema.Schema;
                constraint.JsonForm = new JsonForm { SchemaOrder = schema.Form.SchemaOrder, PlainIntegers = schema.Form.PlainIntegers, PlainStrings = schema.Form.PlainStrings, Whitespace = (JsonWhitespace)((int)schema.Form.Whitespace + 1) };
                break;
            case ConstraintSource.Regex regex:
                constraint.Regex = regex.Pattern;
                break;
            case ConstraintSource.Grammar grammar:
                constraint.Grammar = grammar.Rules;
                break;
            case ConstraintSource.Choice choice:
                constraint.Choice = new Choices { Texts = { choice.Texts } };
                break;
            default:
                throw new NotSupportedException("unknown kind of constraint");
        }

        return constraint;
    }
}
