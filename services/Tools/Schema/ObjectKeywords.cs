using System.Text.Json;

namespace Slm.Tools.Schema;

/// <summary>Keywords of objects.</summary>
internal static class ObjectKeywords
{
    public static void Check(SchemaValidator.Scope scope, JsonElement value, SchemaValidator.Evaluated evaluated)
    {
        var count = value.EnumerateObject().Count();
        if (scope.HasNumber("minProperties", out var min) && count < min)
            scope.Fail("minProperties", $"It has {count} properties; it must have at least {SchemaValidator.Number(min)}.");
        if (scope.HasNumber("maxProperties", out var max) && count > max)
            scope.Fail("maxProperties", $"It has {count} properties; it must have at most {SchemaValidator.Number(max)}.");
        if (scope.Has("required", out var required))
            Require(scope, value, required, "required", "");
        Dependencies(scope, value, evaluated);
        if (scope.Has("propertyNames", out var names))
            foreach (var property in value.EnumerateObject())
                if (!scope.Accepts(names, JsonSerializer.SerializeToElement(property.Name), out _))
                    scope.Fail("propertyNames", $"\"{property.Name}\" is no allowed name of a property.");
        Properties(scope, value, evaluated);
        if (!scope.Has("unevaluatedProperties", out var rest))
            return;
        foreach (var property in value.EnumerateObject())
            if (evaluated.Properties.Add(property.Name))
                Rest(scope, rest, property, "unevaluatedProperties");
    }

    private static void Properties(SchemaValidator.Scope scope, JsonElement value, SchemaValidator.Evaluated evaluated)
    {
        var hasNamed = scope.Has("properties", out var named);
        var hasPatterns = scope.Has("patternProperties", out var patterns);
        var hasRest = scope.Has("additionalProperties", out var rest);
        foreach (var property in value.EnumerateObject())
        {
            var known = false;
            if (hasNamed && named.TryGetProperty(property.Name, out var schema))
            {
                known = true;
                scope.Apply(schema, property.Value, property.Name);
            }
            if (hasPatterns)
            {
                foreach (var pattern in patterns.EnumerateObject())
                {
                    if (!scope.Matches(pattern.Name, property.Name))
                        continue;
                    known = true;
                    scope.Apply(pattern.Value, property.Value, property.Name);
                }
            }
            if (!known && hasRest)
            {
                known = true;
                Rest(scope, rest, property, "additionalProperties");
            }
            if (known)
                evaluated.Properties.Add(property.Name);
        }
    }

    private static void Rest(SchemaValidator.Scope scope, JsonElement schema, JsonProperty property, string keyword)
    {
        if (schema.ValueKind == JsonValueKind.False)
            scope.Fail(keyword, $"The property \"{property.Name}\" is not allowed.");
        else
            scope.Apply(schema, property.Value, property.Name);
    }

    private static void Dependencies(SchemaValidator.Scope scope, JsonElement value, SchemaValidator.Evaluated evaluated)
    {
        foreach (var keyword in (ReadOnlySpan<string>)["dependentRequired", "dependentSchemas", "dependencies"])
        {
            if (!scope.Has(keyword, out var map) || map.ValueKind != JsonValueKind.Object)
                continue;
            foreach (var dependency in map.EnumerateObject())
            {
                if (!value.TryGetProperty(dependency.Name, out _))
                    continue;
                if (dependency.Value.ValueKind == JsonValueKind.Array)
                    Require(scope, value, dependency.Value, keyword, $" beside \"{dependency.Name}\"");
                else
                    evaluated.Add(scope.Apply(dependency.Value, value, ""));
            }
        }
    }

    private static void Require(SchemaValidator.Scope scope, JsonElement value, JsonElement names, string keyword, string where)
    {
        foreach (var name in names.EnumerateArray())
            if (!value.TryGetProperty(name.GetString()!, out _))
                scope.Fail(keyword, $"The property \"{name.GetString()}\" is required{where}.");
    }
}
