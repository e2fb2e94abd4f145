using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Slm.Tools.Schema;

/// <summary>Keywords of type, of given values, of numbers and of strings.</summary>
internal static class ValueKeywords
{
    public static void Check(SchemaValidator.Scope scope, JsonElement value)
    {
        if (scope.Has("type", out var type) && !IsType(type, value))
            scope.Fail("type", $"It must be {Types(type)} but is {TypeName(value)}.");
        if (scope.Has("const", out var constant) && !JsonElement.DeepEquals(constant, value))
            scope.Fail("const", $"It must be {constant.GetRawText()}.");
        if (scope.Has("enum", out var values) && !values.EnumerateArray().Any(v => JsonElement.DeepEquals(v, value)))
            scope.Fail("enum", $"It must be one of {string.Join(", ", values.EnumerateArray().Select(v => v.GetRawText()))}.");
        if (value.ValueKind == JsonValueKind.Number)
            Number(scope, value);
        else if (value.ValueKind == JsonValueKind.String)
            Text(scope, value.GetString()!);
    }

    private static void Number(SchemaValidator.Scope scope, JsonElement value)
    {
        var number = value.GetDouble();
        if (scope.HasNumber("minimum", out var min) && number < min)
            scope.Fail("minimum", $"It is {value.GetRawText()}; it must be at least {SchemaValidator.Number(min)}.");
        if (scope.HasNumber("maximum", out var max) && number > max)
            scope.Fail("maximum", $"It is {value.GetRawText()}; it must be at most {SchemaValidator.Number(max)}.");
        if (scope.HasNumber("exclusiveMinimum", out var above) && number <= above)
            scope.Fail("exclusiveMinimum", $"It is {value.GetRawText()}; it must be above {SchemaValidator.Number(above)}.");
        if (scope.HasNumber("exclusiveMaximum", out var below) && number >= below)
            scope.Fail("exclusiveMaximum", $"It is {value.GetRawText()}; it must be below {SchemaValidator.Number(below)}.");
        if (scope.Has("multipleOf", out var step) && step.ValueKind == JsonValueKind.Number && !IsMultiple(value, step))
            scope.Fail("multipleOf", $"It is {value.GetRawText()}; it must be a multiple of {step.GetRawText()}.");
    }

    private static void Text(SchemaValidator.Scope scope, string text)
    {
        // Lengths count code points.
        var length = text.EnumerateRunes().Count();
        if (scope.HasNumber("minLength", out var min) && length < min)
            scope.Fail("minLength", $"It has {length} characters; it must have at least {SchemaValidator.Number(min)}.");
        if (scope.HasNumber("maxLength", out var max) && length > max)
            scope.Fail("maxLength", $"It has {length} characters; it must have at most {SchemaValidator.Number(max)}.");
        if (scope.Has("pattern", out var pattern) && pattern.ValueKind == JsonValueKind.String && !scope.Matches(pattern.GetString()!, text))
            scope.Fail("pattern", $"It must match the pattern {pattern.GetRawText()}.");
    }

    private static bool IsMultiple(JsonElement value, JsonElement step)
    {
        // Decimal is exact for what people write; beyond its range only whole numbers are left.
        if (value.TryGetDecimal(out var exact) && step.TryGetDecimal(out var unit) && unit != 0)
        {
            try
            {
                return exact % unit == 0;
            }
            catch (OverflowException)
            {
                return false;
            }
        }
        var quotient = value.GetDouble() / step.GetDouble();
        return double.IsFinite(quotient) && quotient == Math.Floor(quotient);
    }

    private static bool IsType(JsonElement type, JsonElement value) => type.ValueKind == JsonValueKind.Array
        ? type.EnumerateArray().Any(t => IsType(t, value))
        : type.ValueKind == JsonValueKind.String && type.GetString() switch
        {
            "null" => value.ValueKind == JsonValueKind.Null,
            "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
            "object" => value.ValueKind == JsonValueKind.Object,
            "array" => value.ValueKind == JsonValueKind.Array,
            "string" => value.ValueKind == JsonValueKind.String,
            "number" => value.ValueKind == JsonValueKind.Number,
            "integer" => value.ValueKind == JsonValueKind.Number && IsInteger(value),
            var name => throw new SchemaException($"There is no type \"{name}\"."),
        };

    private static bool IsInteger(JsonElement value) =>
        value.TryGetInt64(out _) || BigInteger.TryParse(value.GetRawText(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _)
        || (value.GetDouble() is var number && double.IsFinite(number) && number == Math.Floor(number));

    private static string Types(JsonElement type) => type.ValueKind == JsonValueKind.Array
        ? string.Join(" or ", type.EnumerateArray().Select(t => t.GetString())) : $"of type {type.GetString()}";

    private static string TypeName(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => $"the number {value.GetRawText()}",
        _ => value.GetRawText(),
    };
}
