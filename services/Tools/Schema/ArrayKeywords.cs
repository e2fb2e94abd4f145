using System.Globalization;
using System.Text.Json;

namespace Slm.Tools.Schema;

/// <summary>Keywords of arrays.</summary>
internal static class ArrayKeywords
{
    public static void Check(SchemaValidator.Scope scope, JsonElement value, SchemaValidator.Evaluated evaluated)
    {
        var count = value.GetArrayLength();
        if (scope.HasNumber("minItems", out var min) && count < min)
            scope.Fail("minItems", $"It has {count} items; it must have at least {SchemaValidator.Number(min)}.");
        if (scope.HasNumber("maxItems", out var max) && count > max)
            scope.Fail("maxItems", $"It has {count} items; it must have at most {SchemaValidator.Number(max)}.");
        if (scope.Has("uniqueItems", out var unique) && unique.ValueKind == JsonValueKind.True && !AreUnique(value))
            scope.Fail("uniqueItems", "Its items must differ.");
        Items(scope, value, evaluated);
        Contains(scope, value, evaluated);
        if (!scope.Has("unevaluatedItems", out var rest))
            return;
        for (var i = 0; i < count; i++)
            if (evaluated.Items.Add(i))
                scope.Apply(rest, value[i], Step(i));
    }

    private static void Items(SchemaValidator.Scope scope, JsonElement value, SchemaValidator.Evaluated evaluated)
    {
        // Before 2020-12 an array of schemas stood in "items", and the rest in "additionalItems".
        var hasOld = scope.Has("items", out var items) && items.ValueKind == JsonValueKind.Array;
        var hasPrefix = scope.Has("prefixItems", out var prefix);
        if (hasOld && !hasPrefix)
            prefix = items;
        var first = hasOld || hasPrefix ? prefix.GetArrayLength() : 0;
        var hasRest = hasOld ? scope.Has("additionalItems", out items) : items.ValueKind != JsonValueKind.Undefined;
        for (var i = 0; i < value.GetArrayLength(); i++)
        {
            if (i < first)
                scope.Apply(prefix[i], value[i], Step(i));
            else if (hasRest)
                scope.Apply(items, value[i], Step(i));
            else
                break;
            evaluated.Items.Add(i);
        }
    }

    private static void Contains(SchemaValidator.Scope scope, JsonElement value, SchemaValidator.Evaluated evaluated)
    {
        if (!scope.Has("contains", out var schema))
            return;
        var found = 0;
        for (var i = 0; i < value.GetArrayLength(); i++)
        {
            if (!scope.Accepts(schema, value[i], out _))
                continue;
            found++;
            evaluated.Items.Add(i);
        }
        var least = scope.HasNumber("minContains", out var min) ? min : 1;
        if (found < least)
            scope.Fail("contains", $"{found} of its items are as they must be; at least {SchemaValidator.Number(least)} must be.");
        if (scope.HasNumber("maxContains", out var most) && found > most)
            scope.Fail("maxContains", $"{found} of its items are alike; at most {SchemaValidator.Number(most)} may be.");
    }

    private static bool AreUnique(JsonElement value)
    {
        var items = value.EnumerateArray().ToArray();
        for (var i = 0; i < items.Length; i++)
            for (var j = 0; j < i; j++)
                if (JsonElement.DeepEquals(items[i], items[j]))
                    return false;
        return true;
    }

    private static string Step(int index) => index.ToString(CultureInfo.InvariantCulture);
}
