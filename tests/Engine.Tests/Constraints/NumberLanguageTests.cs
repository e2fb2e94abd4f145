using System.Globalization;
using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;
using Xunit;

namespace Slm.Engine.Tests.Constraints;

/// <summary>Bounds and multiples against decimal arithmetic, over all numbers of a few digits.</summary>
public sealed class NumberLanguageTests
{
    [Theory]
    [InlineData("""{"type":"number","minimum":-1.5,"maximum":12}""")]
    [InlineData("""{"type":"number","exclusiveMinimum":-0.05,"exclusiveMaximum":3.07}""")]
    [InlineData("""{"type":"integer","minimum":-12,"exclusiveMaximum":101}""")]
    [InlineData("""{"type":"number","multipleOf":0.25,"minimum":0.3}""")]
    [InlineData("""{"type":"number","multipleOf":7,"maximum":60}""")]
    [InlineData("""{"type":"number","not":{"multipleOf":0.1},"maximum":2}""")]
    [InlineData("""{"type":"number","anyOf":[{"multipleOf":3},{"maximum":-2}],"not":{"const":9}}""")]
    [InlineData("""{"enum":[0,1.5,-3,20]}""")]
    public void AgreesWithArithmetic(string schema)
    {
        var constraint = new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.JsonSchema(schema, new JsonForm())), Bytes.Vocabulary);
        using var document = System.Text.Json.JsonDocument.Parse(schema);
        for (var scaled = -15_000; scaled <= 15_000; scaled++)
        {
            var value = scaled / 100m;
            foreach (var text in (string[])[value.ToString("0.00", CultureInfo.InvariantCulture), value.ToString("0.##", CultureInfo.InvariantCulture)])
                Assert.True(Valid(document.RootElement, value) == Bytes.Accepts(constraint, text), $"{text} under {schema}");
        }
    }

    private static bool Valid(System.Text.Json.JsonElement schema, decimal value)
    {
        foreach (var rule in schema.EnumerateObject())
        {
            var holds = rule.Name switch
            {
                "type" => rule.Value.GetString() == "number" || value == decimal.Truncate(value),
                "minimum" => value >= rule.Value.GetDecimal(),
                "maximum" => value <= rule.Value.GetDecimal(),
                "exclusiveMinimum" => value > rule.Value.GetDecimal(),
                "exclusiveMaximum" => value < rule.Value.GetDecimal(),
                "multipleOf" => value % rule.Value.GetDecimal() == 0,
                "not" => !Valid(rule.Value, value),
                "anyOf" => rule.Value.EnumerateArray().Any(s => Valid(s, value)),
                "const" => value == rule.Value.GetDecimal(),
                "enum" => rule.Value.EnumerateArray().Any(v => v.GetDecimal() == value),
                _ => throw new InvalidOperationException(rule.Name),
            };
            if (!holds)
                return false;
        }

        return true;
    }
}
