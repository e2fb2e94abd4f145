using System.Text.Json;
using System.Text.RegularExpressions;

namespace Slm.JsonSchema;

/// <summary>Turns a schema document into nodes; what it cannot check it refuses.</summary>
internal sealed class SchemaCompiler(JsonElement root)
{
    private static readonly Dictionary<string, string> Categories = new(StringComparer.Ordinal)
    {
        ["Letter"] = "L",
        ["Uppercase_Letter"] = "Lu",
        ["Lowercase_Letter"] = "Ll",
        ["Titlecase_Letter"] = "Lt",
        ["Modifier_Letter"] = "Lm",
        ["Other_Letter"] = "Lo",
        ["Mark"] = "M",
        ["Number"] = "N",
        ["Decimal_Number"] = "Nd",
        ["digit"] = "Nd",
        ["Letter_Number"] = "Nl",
        ["Other_Number"] = "No",
        ["Punctuation"] = "P",
        ["punct"] = "P",
        ["Symbol"] = "S",
        ["Separator"] = "Z",
        ["Space_Separator"] = "Zs",
        ["Other"] = "C",
        ["Control"] = "Cc",
    };

    private const int MostDepth = 128;

    private static readonly string[] TypeNames = ["null", "boolean", "object", "array", "number", "string", "integer"];

    private readonly Dictionary<string, SchemaNode> _nodes = new(StringComparer.Ordinal);
    private int _depth;

    public SchemaNode Compile() => Node(root, "");

    private SchemaNode Node(JsonElement schema, string at)
    {
        if (_nodes.TryGetValue(at, out var known))
            return known;
        var node = new SchemaNode();
        _nodes.Add(at, node);
        if (++_depth > MostDepth)
            throw new SchemaException(at, $"schemas are nested more than {MostDepth} deep.");
        switch (schema.ValueKind)
        {
            case JsonValueKind.True or JsonValueKind.False:
                node.Constant = schema.GetBoolean();
                break;
            case JsonValueKind.Object:
                foreach (var keyword in schema.EnumerateObject())
                    Read(node, schema, keyword.Name, keyword.Value, $"{at}/{Escape(keyword.Name)}");
                break;
            default:
                throw new SchemaException(at, "a schema must be an object, true or false.");
        }

        _depth--;
        return node;
    }

    private void Read(SchemaNode node, JsonElement schema, string keyword, JsonElement value, string at)
    {
        switch (keyword)
        {
            case "type": node.Types = Types(value, at); break;
            case "enum": node.Enum = [.. Array(value, at)]; break;
            case "const": (node.Enum, node.EnumKeyword) = ([value], "const"); break;
            case "minimum": node.Minimum = Number(value, at); break;
            case "maximum": node.Maximum = Number(value, at); break;
            case "exclusiveMinimum": node.ExclusiveMinimum = Number(value, at); break;
            case "exclusiveMaximum": node.ExclusiveMaximum = Number(value, at); break;
            case "multipleOf":
                var unit = Number(value, at);
                node.MultipleOf = unit.Digits.Sign > 0 ? unit : throw new SchemaException(at, "multipleOf must be above 0.");
                break;
            case "minLength": node.MinLength = Count(value, at); break;
            case "maxLength": node.MaxLength = Count(value, at); break;
            case "pattern": node.Pattern = Pattern(value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new SchemaException(at, "pattern must be a string."), at); break;
            case "properties": node.Properties = Members(value, at); break;
            case "patternProperties": node.PatternProperties = [.. Members(value, at).Select(m => (Pattern(m.Name, at), m.Node))]; break;
            case "additionalProperties": node.AdditionalProperties = Node(value, at); break;
            case "propertyNames": node.PropertyNames = Node(value, at); break;
            case "required": node.Required = Names(value, at); break;
            case "minProperties": node.MinProperties = Count(value, at); break;
            case "maxProperties": node.MaxProperties = Count(value, at); break;
            case "dependentRequired": node.DependentRequired = [.. Object(value, at).Select(m => (m.Name, Names(m.Value, at)))]; break;
            case "dependentSchemas": node.DependentSchemas = Members(value, at); break;
            case "prefixItems": node.PrefixItems = Several(value, at); break;
            case "items" when value.ValueKind == JsonValueKind.Array:
                throw new SchemaException(at, "a list of schemas in items is prefixItems since draft 2020-12; write it so.");
            case "items": node.Items = Node(value, at); break;
            case "contains":
                node.Contains = Node(value, at);
                node.MinContains = schema.TryGetProperty("minContains", out var least) ? Count(least, at) : 1;
                node.MaxContains = schema.TryGetProperty("maxContains", out var most) ? Count(most, at) : null;
                break;
            case "minItems": node.MinItems = Count(value, at); break;
            case "maxItems": node.MaxItems = Count(value, at); break;
            case "uniqueItems":
                node.UniqueItems = value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw new SchemaException(at, "uniqueItems must be true or false.");
                break;
            case "allOf": node.AllOf = Several(value, at); break;
            case "anyOf": node.AnyOf = Several(value, at); break;
            case "oneOf": node.OneOf = Several(value, at); break;
            case "not": node.Not = Node(value, at); break;
            case "if":
                node.If = Node(value, at);
                node.Then = schema.TryGetProperty("then", out var then) ? Node(then, Sibling(at, "then")) : null;
                node.Else = schema.TryGetProperty("else", out var otherwise) ? Node(otherwise, Sibling(at, "else")) : null;
                break;
            case "$ref": node.Reference = Resolve(value, at); break;
            default:
                // Unknown keywords are annotations; these are known, and would be ignored.
                if (keyword is "$dynamicRef" or "$dynamicAnchor" or "$recursiveRef" or "unevaluatedProperties" or "unevaluatedItems" or "dependencies" or "additionalItems")
                    throw new SchemaException(at, $"'{keyword}' cannot be checked here. Leave it out, or say the same with properties, required, additionalProperties and items.");
                break;
        }
    }

    private SchemaNode Resolve(JsonElement value, string at)
    {
        var reference = value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new SchemaException(at, "$ref must be a string.");
        if (!reference.StartsWith('#'))
            throw new SchemaException(at, $"'{reference}' is outside of this document, where nothing is fetched from. Copy it into $defs and refer to '#/$defs/NAME'.");
        var fragment = Uri.UnescapeDataString(reference[1..]);
        if (fragment.Length > 0 && fragment[0] != '/')
        {
            var anchored = Anchored(root, fragment, "");
            return anchored is { } found ? Node(found.Schema, found.At) : throw new SchemaException(at, $"there is no \"$anchor\": \"{fragment}\" for '{reference}'.");
        }

        var current = root;
        foreach (var part in fragment.Split('/').Skip(1).Select(p => p.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)))
        {
            if (current.ValueKind == JsonValueKind.Object && current.TryGetProperty(part, out var member))
                current = member;
            else if (current.ValueKind == JsonValueKind.Array && int.TryParse(part, out var index) && index >= 0 && index < current.GetArrayLength())
                current = current[index];
            else
                throw new SchemaException(at, $"'{reference}' leads nowhere: there is no '{part}'.");
        }

        return Node(current, fragment);
    }

    private static (JsonElement Schema, string At)? Anchored(JsonElement element, string name, string at)
    {
        if (element.ValueKind == JsonValueKind.Object)
        {
            if (element.TryGetProperty("$anchor", out var anchor) && anchor.ValueKind == JsonValueKind.String && anchor.GetString() == name)
                return (element, at);
            foreach (var member in element.EnumerateObject())
            {
                if (member.Name is not ("enum" or "const") && Anchored(member.Value, name, $"{at}/{Escape(member.Name)}") is { } found)
                    return found;
            }
        }
        else if (element.ValueKind == JsonValueKind.Array)
        {
            for (var i = 0; i < element.GetArrayLength(); i++)
            {
                if (Anchored(element[i], name, $"{at}/{i}") is { } found)
                    return found;
            }
        }

        return null;
    }

    private static string[] Types(JsonElement value, string at)
    {
        var names = value.ValueKind == JsonValueKind.String ? [value.GetString()!] : Names(value, at);
        return names.FirstOrDefault(n => !TypeNames.Contains(n)) is { } wrong ? throw new SchemaException(at, $"'{wrong}' is no type; the types are {string.Join(", ", TypeNames)}.") : names;
    }

    /// <summary>.NET knows general categories by their short names only.</summary>
    private static string WithShortNames(string pattern) => Regex.Replace(
        pattern, @"\\([pP])\{(\w+)\}", static m => Categories.TryGetValue(m.Groups[2].Value, out var name) ? $@"\{m.Groups[1].Value}{{{name}}}" : m.Value, RegexOptions.CultureInvariant);

    private static Regex Pattern(string pattern, string at)
    {
        try
        {
            return new Regex(pattern, RegexOptions.ECMAScript, TimeSpan.FromSeconds(1));
        }
        catch (ArgumentException)
        {
            // ECMAScript mode knows no Unicode properties and no lookbehind.
            try
            {
                return new Regex(WithShortNames(pattern), RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
            }
            catch (ArgumentException error)
            {
                throw new SchemaException(at, $"'{pattern}' is no regular expression: {error.Message}");
            }
        }
    }

    private static JsonNumbers Number(JsonElement value, string at) => value.ValueKind == JsonValueKind.Number ? JsonNumbers.Of(value) : throw new SchemaException(at, "a number is needed.");

    private static long Count(JsonElement value, string at) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= 0 && number == Math.Floor(number) && number < 1e15
            ? (long)number : throw new SchemaException(at, "a whole number of at least 0 is needed.");

    private static JsonElement.ArrayEnumerator Array(JsonElement value, string at) => value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : throw new SchemaException(at, "a list is needed.");

    private static JsonElement.ObjectEnumerator Object(JsonElement value, string at) => value.ValueKind == JsonValueKind.Object ? value.EnumerateObject() : throw new SchemaException(at, "an object is needed.");

    private static string[] Names(JsonElement value, string at) =>
        [.. Array(value, at).Select(v => v.ValueKind == JsonValueKind.String ? v.GetString()! : throw new SchemaException(at, "a list of names is needed."))];

    private SchemaNode[] Several(JsonElement value, string at)
    {
        SchemaNode[] nodes = [.. Array(value, at).Select((v, i) => Node(v, $"{at}/{i}"))];
        return nodes.Length > 0 ? nodes : throw new SchemaException(at, "the list of schemas is empty.");
    }

    private (string Name, SchemaNode Node)[] Members(JsonElement value, string at) =>
        [.. Object(value, at).Select(m => (m.Name, Node(m.Value, $"{at}/{Escape(m.Name)}")))];

    private static string Sibling(string at, string keyword) => at[..at.LastIndexOf('/')] + "/" + keyword;

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
