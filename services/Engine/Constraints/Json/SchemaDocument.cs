using System.Globalization;
using System.Text.Json;

namespace Slm.Engine.Constraints.Json;

/// <summary>A JSON Schema with its references resolved. References lead only within the document: nothing is ever fetched.</summary>
internal sealed class SchemaDocument
{
    private static readonly string[] SingleKeywords =
        ["additionalProperties", "propertyNames", "items", "additionalItems", "contains", "not", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties", "contentSchema"];

    private static readonly string[] ListKeywords = ["allOf", "anyOf", "oneOf", "prefixItems", "items"];
    private static readonly string[] MapKeywords = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
    private readonly Dictionary<string, Schema> _byPointer = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Schema> _byUri = new(StringComparer.Ordinal);
    private readonly HashSet<string> _ignored;

    /// <param name="root">The schema.</param>
    /// <param name="ignored">Pointers of keywords to act as if they were not there.</param>
    public SchemaDocument(JsonElement root, IEnumerable<string>? ignored = null)
    {
        _ignored = [.. ignored ?? []];
        Draft = DraftOf(root);
        if (root.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
            throw new ConstraintException("", "", $"A schema is an object, true or false; this one is {Name(root.ValueKind)}.");
        Root = Make(root, "", new Uri("schema:///root"));
        Index(Root, 0);
    }

    /// <summary>The outermost schema.</summary>
    public Schema Root { get; }

    /// <summary>By its "$schema"; 2020-12 if it names none.</summary>
    public SchemaDraft Draft { get; }

    private string IdKeyword => Draft == SchemaDraft.Draft4 ? "id" : "$id";

    /// <summary>Whether to act as if a keyword was not there.</summary>
    public bool IsIgnored(Schema schema, string keyword) => _ignored.Count > 0 && _ignored.Contains($"{schema.Pointer}/{Escape(keyword)}");

    /// <summary>A pointer's way of writing a name.</summary>
    public static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>What a JSON type is called.</summary>
    public static string Name(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a boolean",
    };

    /// <summary>The schema some steps below another.</summary>
    public Schema Below(Schema schema, ReadOnlySpan<string> path)
    {
        var (element, pointer) = (schema.Element, schema.Pointer);
        foreach (var step in path)
        {
            element = element.ValueKind == JsonValueKind.Array ? element[int.Parse(step, CultureInfo.InvariantCulture)] : element.GetProperty(step);
            pointer += "/" + Escape(step);
        }

        return Make(element, pointer, schema.BaseUri);
    }

    /// <summary>The schema a reference leads to.</summary>
    /// <exception cref="ConstraintException">It leads nowhere, or out of the document.</exception>
    public Schema Resolve(Schema from, string keyword, string reference)
    {
        if (!Uri.TryCreate(from.BaseUri, reference, out var target))
            throw from.Error(keyword, $"The reference \"{reference}\" is no URI reference.");
        var fragment = Uri.UnescapeDataString(target.Fragment.TrimStart('#'));
        var resource = WithoutFragment(target);
        if (!_byUri.TryGetValue(resource, out var schema))
            throw from.Error(keyword, $"The reference \"{reference}\" leads out of the schema, and nothing is fetched. Put what it names below \"$defs\".");
        if (fragment.Length == 0)
            return schema;
        if (!fragment.StartsWith('/'))
            return _byUri.TryGetValue($"{resource}#{fragment}", out var anchored) ? anchored
                : throw from.Error(keyword, $"The reference \"{reference}\" names an anchor that the schema does not have.");
        var (element, pointer, baseUri) = (schema.Element, schema.Pointer, schema.BaseUri);
        foreach (var part in fragment[1..].Split('/'))
        {
            var step = part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (element.ValueKind == JsonValueKind.Array && int.TryParse(step, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < element.GetArrayLength())
                element = element[index];
            else if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(step, out element))
                throw from.Error(keyword, $"The reference \"{reference}\" leads nowhere: there is no \"{step}\" at {(pointer.Length == 0 ? "the root" : pointer)}.");
            pointer += "/" + Escape(step);
            if (_byPointer.TryGetValue(pointer, out var known))
                baseUri = known.BaseUri;
        }

        if (element.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
            throw from.Error(keyword, $"The reference \"{reference}\" leads to {Name(element.ValueKind)}, which is no schema.");
        return Make(element, pointer, baseUri);
    }

    /// <summary>Whether a dynamic reference to an anchor could lead elsewhere than a plain one.</summary>
    public bool IsDynamic(Schema target, string reference)
    {
        var anchor = reference[(reference.IndexOf('#') + 1)..];
        return target.TryGet("$dynamicAnchor", out var own) && own.ValueKind == JsonValueKind.String && own.GetString() == anchor
            && _byPointer.Values.Count(s => s.TryGet("$dynamicAnchor", out var other) && other.ValueKind == JsonValueKind.String && other.GetString() == anchor) > 1;
    }

    private static SchemaDraft DraftOf(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("$schema", out var uri) || uri.ValueKind != JsonValueKind.String)
            return SchemaDraft.Draft2020;
        var text = uri.GetString()!;
        return text.Contains("draft-03", StringComparison.Ordinal) || text.Contains("draft-04", StringComparison.Ordinal) ? SchemaDraft.Draft4
            : text.Contains("draft-06", StringComparison.Ordinal) || text.Contains("draft-07", StringComparison.Ordinal) ? SchemaDraft.Draft7
            : text.Contains("2019-09", StringComparison.Ordinal) ? SchemaDraft.Draft2019 : SchemaDraft.Draft2020;
    }

    private static string WithoutFragment(Uri uri) => uri.Fragment.Length == 0 ? uri.AbsoluteUri.TrimEnd('#') : uri.AbsoluteUri[..uri.AbsoluteUri.IndexOf('#')];

    private Schema Make(JsonElement element, string pointer, Uri baseUri)
    {
        if (_byPointer.TryGetValue(pointer, out var known))
            return known;
        var hidden = Draft <= SchemaDraft.Draft7 && element.ValueKind == JsonValueKind.Object && element.TryGetProperty("$ref", out _);
        string? anchor = null;
        if (!hidden && element.ValueKind == JsonValueKind.Object && element.TryGetProperty(IdKeyword, out var id) && id.ValueKind == JsonValueKind.String
            && Uri.TryCreate(baseUri, id.GetString(), out var own))
        {
            if (own.Fragment.Length > 1)
                anchor = own.Fragment;
            if (anchor is null || !id.GetString()!.StartsWith('#'))
                baseUri = new Uri(WithoutFragment(own));
        }

        var schema = new Schema(this, element, pointer, baseUri);
        _byPointer[pointer] = schema;
        if (anchor is not null)
            _byUri.TryAdd(WithoutFragment(baseUri) + anchor, schema);
        return schema;
    }

    private void Index(Schema schema, int depth)
    {
        if (depth > 200)
            throw new ConstraintTooLargeException(schema.Pointer, "", "The schema is nested deeper than 200.");
        if (depth == 0)
            _byUri.TryAdd(WithoutFragment(schema.BaseUri), schema);
        if (schema.Element.ValueKind != JsonValueKind.Object)
            return;
        if (schema.Element.TryGetProperty(IdKeyword, out var id) && id.ValueKind == JsonValueKind.String)
            _byUri.TryAdd(WithoutFragment(schema.BaseUri), schema);
        foreach (var keyword in (string[])["$anchor", "$dynamicAnchor"])
        {
            if (schema.Element.TryGetProperty(keyword, out var anchor) && anchor.ValueKind == JsonValueKind.String)
                _byUri.TryAdd($"{WithoutFragment(schema.BaseUri)}#{anchor.GetString()}", schema);
        }

        foreach (var keyword in SingleKeywords)
        {
            if (schema.Element.TryGetProperty(keyword, out var value) && value.ValueKind == JsonValueKind.Object)
                Index(schema.Sub(keyword), depth + 1);
        }

        foreach (var keyword in ListKeywords)
        {
            if (!schema.Element.TryGetProperty(keyword, out var list) || list.ValueKind != JsonValueKind.Array)
                continue;
            for (var i = 0; i < list.GetArrayLength(); i++)
            {
                if (list[i].ValueKind == JsonValueKind.Object)
                    Index(schema.Sub(keyword, i.ToString(CultureInfo.InvariantCulture)), depth + 1);
            }
        }

        foreach (var keyword in MapKeywords)
        {
            if (!schema.Element.TryGetProperty(keyword, out var map) || map.ValueKind != JsonValueKind.Object)
                continue;
            foreach (var member in map.EnumerateObject())
            {
                if (member.Value.ValueKind == JsonValueKind.Object)
                    Index(schema.Sub(keyword, member.Name), depth + 1);
            }
        }
    }
}
