using System.Globalization;
using System.Text.Json;

namespace Slm.JsonSchema;

/// <summary>
/// Checks finished documents against a JSON Schema (draft 2020-12, https://json-schema.org/draft/2020-12), reporting everything
/// that is wrong at once. References stay within the document; keywords it cannot check are refused when the schema is read, and
/// <c>format</c> is an annotation, as the draft has it by default.
/// </summary>
public sealed class JsonSchemaValidator
{
    private const int MostErrors = 32;
    private const int MostDepth = 256;

    private readonly SchemaNode _root;

    private JsonSchemaValidator(SchemaNode root, int difficulty) => (_root, Difficulty) = (root, difficulty);

    /// <summary>Number of keywords in the schema that constrain documents: a rough measure of how much a writer has to heed.</summary>
    public int Difficulty { get; }

    /// <summary>Reads a schema.</summary>
    /// <exception cref="SchemaException">It is no schema, or has what cannot be checked; the message names the keyword.</exception>
    public static JsonSchemaValidator Parse(string schema)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(schema);
        }
        catch (JsonException error)
        {
            throw new SchemaException("", $"it is no JSON (line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}).");
        }

        using (document)
        {
            var root = document.RootElement.Clone();
            return new(new SchemaCompiler(root).Compile(), Keywords(root));
        }
    }

    /// <summary>What is wrong with a document; nothing if it is valid.</summary>
    public IReadOnlyList<SchemaError> Validate(JsonElement document)
    {
        var errors = new List<SchemaError>();
        Check(_root, document, "", errors, 0);
        return errors;
    }

    private static int Keywords(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().Sum(m => m.Name is "title" or "description" or "default" or "examples" or "$schema" or "$id" or "$comment" ? 0 : 1 + Keywords(m.Value)),
        JsonValueKind.Array => element.EnumerateArray().Sum(Keywords),
        _ => 0,
    };

    private static bool Holds(SchemaNode node, JsonElement value, int depth)
    {
        var errors = new List<SchemaError>();
        Check(node, value, "", errors, depth);
        return errors.Count == 0;
    }

    private static void Check(SchemaNode node, JsonElement value, string at, List<SchemaError> errors, int depth)
    {
        if (errors.Count >= MostErrors)
            return;
        if (depth > MostDepth)
        {
            errors.Add(new(at, "$ref", $"is nested more than {MostDepth} deep."));
            return;
        }

        if (node.Constant is false)
            errors.Add(new(at, "false", "is not allowed."));
        if (node.Types is { } types && !types.Any(t => Is(t, value)))
            errors.Add(new(at, "type", $"is {Kind(value)} but must be {string.Join(" or ", types)}."));
        if (node.Enum is { } values && !values.Any(v => AreEqual(v, value)))
            errors.Add(new(at, node.EnumKeyword, $"is {Short(value)} but must be {(values.Length == 1 ? "" : "one of ")}{string.Join(", ", values.Take(20).Select(Short))}."));
        switch (value.ValueKind)
        {
            case JsonValueKind.Number: CheckNumber(node, value, at, errors); break;
            case JsonValueKind.String: CheckString(node, value.GetString()!, at, errors); break;
            case JsonValueKind.Object: CheckObject(node, value, at, errors, depth); break;
            case JsonValueKind.Array: CheckArray(node, value, at, errors, depth); break;
        }

        if (node.Reference is { } reference)
            Check(reference, value, at, errors, depth + 1);
        foreach (var all in node.AllOf)
            Check(all, value, at, errors, depth + 1);
        if (node.AnyOf is { } any && !any.Any(n => Holds(n, value, depth + 1)))
            errors.Add(new(at, "anyOf", Nearest(any, value, depth) ?? "fits none of the allowed forms."));
        if (node.OneOf is { } one && one.Count(n => Holds(n, value, depth + 1)) is var fitting && fitting != 1)
            errors.Add(new(at, "oneOf", fitting == 0 ? Nearest(one, value, depth) ?? "fits none of the allowed forms." : $"fits {fitting} of the forms, of which exactly one must fit."));
        if (node.Not is { } not && Holds(not, value, depth + 1))
            errors.Add(new(at, "not", "has a form that is not allowed."));
        if (node.If is { } condition && (Holds(condition, value, depth + 1) ? node.Then : node.Else) is { } consequence)
            Check(consequence, value, at, errors, depth + 1);
    }

    /// <summary>What is wrong in the form that fits best.</summary>
    private static string? Nearest(SchemaNode[] forms, JsonElement value, int depth)
    {
        var best = forms.Select(form =>
        {
            var errors = new List<SchemaError>();
            Check(form, value, "", errors, depth + 1);
            return errors;
        }).MinBy(e => (e.Any(x => x is { Location: "", Keyword: "type" }) ? 1 : 0, e.Count));
        return best is [var first, ..] ? $"fits none of the allowed forms; in the nearest, {first}" : null;
    }

    private static void CheckNumber(SchemaNode node, JsonElement value, string at, List<SchemaError> errors)
    {
        var number = JsonNumbers.Of(value);
        Require(node.Minimum, n => number.CompareTo(n) >= 0, "minimum", "must be at least");
        Require(node.Maximum, n => number.CompareTo(n) <= 0, "maximum", "must be at most");
        Require(node.ExclusiveMinimum, n => number.CompareTo(n) > 0, "exclusiveMinimum", "must be above");
        Require(node.ExclusiveMaximum, n => number.CompareTo(n) < 0, "exclusiveMaximum", "must be below");
        Require(node.MultipleOf, number.IsMultipleOf, "multipleOf", "must be a multiple of");

        void Require(JsonNumbers? bound, Func<JsonNumbers, bool> holds, string keyword, string rule)
        {
            if (bound is { } limit && !holds(limit))
                errors.Add(new(at, keyword, $"is {Short(value)} but {rule} {limit.Digits}{(limit.Exponent == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"e{limit.Exponent}"))}."));
        }
    }

    private static void CheckString(SchemaNode node, string text, string at, List<SchemaError> errors)
    {
        if (node.MinLength is not null || node.MaxLength is not null)
        {
            long length = text.EnumerateRunes().Count();
            if (length < node.MinLength)
                errors.Add(new(at, "minLength", $"has {length} characters but must have at least {node.MinLength}."));
            if (length > node.MaxLength)
                errors.Add(new(at, "maxLength", $"has {length} characters but must have at most {node.MaxLength}."));
        }

        if (node.Pattern is { } pattern && !Matches(pattern, text))
            errors.Add(new(at, "pattern", $"must match {pattern}."));
    }

    private static void CheckObject(SchemaNode node, JsonElement value, string at, List<SchemaError> errors, int depth)
    {
        var members = value.EnumerateObject().ToArray();
        var names = members.Select(m => m.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var name in node.Required.Where(n => !names.Contains(n)))
            errors.Add(new(at, "required", $"lacks \"{name}\"."));
        if (names.Count < node.MinProperties)
            errors.Add(new(at, "minProperties", $"has {names.Count} members but must have at least {node.MinProperties}."));
        if (names.Count > node.MaxProperties)
            errors.Add(new(at, "maxProperties", $"has {names.Count} members but must have at most {node.MaxProperties}."));
        foreach (var (name, needs) in node.DependentRequired.Where(d => names.Contains(d.Name)))
        {
            foreach (var need in needs.Where(n => !names.Contains(n)))
                errors.Add(new(at, "dependentRequired", $"lacks \"{need}\", which goes with \"{name}\"."));
        }

        foreach (var (_, schema) in node.DependentSchemas.Where(d => names.Contains(d.Name)))
            Check(schema, value, at, errors, depth + 1);
        foreach (var member in members)
        {
            var place = $"{at}/{member.Name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}";
            if (node.PropertyNames is { } nameSchema)
            {
                using var name = JsonDocument.Parse(JsonSerializer.Serialize(member.Name, NameContext.Default.String));
                Check(nameSchema, name.RootElement, place, errors, depth + 1);
            }

            var known = false;
            foreach (var (name, schema) in node.Properties)
            {
                if (name != member.Name)
                    continue;
                known = true;
                Check(schema, member.Value, place, errors, depth + 1);
            }

            foreach (var (pattern, schema) in node.PatternProperties)
            {
                if (!Matches(pattern, member.Name))
                    continue;
                known = true;
                Check(schema, member.Value, place, errors, depth + 1);
            }

            if (known || node.AdditionalProperties is not { } additional)
                continue;
            if (additional.Constant is false)
                errors.Add(new(at, "additionalProperties", $"has \"{member.Name}\", which is not allowed."));
            else
                Check(additional, member.Value, place, errors, depth + 1);
        }
    }

    private static void CheckArray(SchemaNode node, JsonElement value, string at, List<SchemaError> errors, int depth)
    {
        var items = value.EnumerateArray().ToArray();
        if (items.Length < node.MinItems)
            errors.Add(new(at, "minItems", $"has {items.Length} items but must have at least {node.MinItems}."));
        if (items.Length > node.MaxItems)
            errors.Add(new(at, "maxItems", $"has {items.Length} items but must have at most {node.MaxItems}."));
        for (var i = 0; i < items.Length; i++)
        {
            if ((i < node.PrefixItems.Length ? node.PrefixItems[i] : node.Items) is { } schema)
                Check(schema, items[i], $"{at}/{i}", errors, depth + 1);
        }

        if (node.Contains is { } contains)
        {
            var found = items.Count(item => Holds(contains, item, depth + 1));
            if (found < node.MinContains)
                errors.Add(new(at, "contains", $"has {found} items of the form that at least {node.MinContains} must have."));
            if (found > node.MaxContains)
                errors.Add(new(at, "maxContains", $"has {found} items of the form that at most {node.MaxContains} may have."));
        }

        if (!node.UniqueItems)
            return;
        for (var i = 0; i < items.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                if (!AreEqual(items[i], items[j]))
                    continue;
                errors.Add(new($"{at}/{i}", "uniqueItems", $"is the same as item {j}."));
                break;
            }
        }
    }

    /// <summary>Equal as JSON values: numbers by value, members in any order.</summary>
    public static bool AreEqual(JsonElement a, JsonElement b)
    {
        if (a.ValueKind != b.ValueKind)
            return false;
        switch (a.ValueKind)
        {
            case JsonValueKind.Number:
                return JsonNumbers.Of(a) == JsonNumbers.Of(b);
            case JsonValueKind.String:
                return a.GetString() == b.GetString();
            case JsonValueKind.Array:
                return a.GetArrayLength() == b.GetArrayLength() && a.EnumerateArray().Zip(b.EnumerateArray()).All(p => AreEqual(p.First, p.Second));
            case JsonValueKind.Object:
                return a.EnumerateObject().Count() == b.EnumerateObject().Count() && a.EnumerateObject().All(m => b.TryGetProperty(m.Name, out var other) && AreEqual(m.Value, other));
            default:
                return true;
        }
    }

    private static bool Matches(System.Text.RegularExpressions.Regex pattern, string text)
    {
        try
        {
            return pattern.IsMatch(text);
        }
        catch (System.Text.RegularExpressions.RegexMatchTimeoutException)
        {
            // What cannot be shown to match does not count as matching.
            return false;
        }
    }

    private static bool Is(string type, JsonElement value) => type switch
    {
        "integer" => value.ValueKind == JsonValueKind.Number && JsonNumbers.Of(value).IsInteger,
        _ => type == Kind(value),
    };

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => "null",
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.Number => "number",
        _ => "string",
    };

    private static string Short(JsonElement value) => value.GetRawText() is var text && text.Length > 60 ? text[..57] + "..." : text;
}

/// <summary>Writes member names as JSON without reflection.</summary>
[System.Text.Json.Serialization.JsonSerializable(typeof(string))]
internal sealed partial class NameContext : System.Text.Json.Serialization.JsonSerializerContext;
