using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Slm.Tools.Schema;

/// <summary>A schema with its references and patterns resolved. Immutable; may be shared.</summary>
internal sealed class SchemaDocument
{
    private static readonly string[] SchemaMaps = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
    private static readonly string[] SchemaLists = ["allOf", "anyOf", "oneOf", "prefixItems"];
    private static readonly string[] Schemas = ["additionalProperties", "propertyNames", "contains", "not", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems", "additionalItems", "items"];

    private static readonly Uri Root = new("schema:///");

    private readonly Dictionary<string, JsonElement> _named = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (JsonElement Schema, Uri Base)> _references = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Regex> _patterns = new(StringComparer.Ordinal);

    public SchemaDocument(JsonElement schema)
    {
        Schema = schema;
        _named[Root.AbsoluteUri] = schema;
        BaseOf = Base(schema, Root);
        Visit(schema, Root, name: true);
        Visit(schema, Root, name: false);
    }

    public JsonElement Schema { get; }

    public Uri BaseOf { get; }

    /// <summary>The base of references in a schema that stands where <paramref name="outer"/> is the base.</summary>
    public static Uri Base(JsonElement schema, Uri outer) =>
        schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("$id", out var id) && id.ValueKind == JsonValueKind.String
        && Uri.TryCreate(outer, id.GetString(), out var resolved) ? WithoutFragment(resolved) : outer;

    /// <summary>What a reference means.</summary>
    public (JsonElement Schema, Uri Base) Resolve(string reference, Uri from) => _references[Target(from, reference).AbsoluteUri];

    /// <summary>An ECMA-262 pattern, as .NET reads it.</summary>
    public Regex Pattern(string pattern) => _patterns.GetOrAdd(pattern, static text =>
    {
        try
        {
            // A pattern comes from whoever registers the function: without backtracking it cannot hang.
            return new Regex(text, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        }
        catch (NotSupportedException)
        {
            return new Regex(text, RegexOptions.CultureInvariant, TimeSpan.FromMilliseconds(200));
        }
        catch (ArgumentException error)
        {
            throw new SchemaException($"The pattern \"{text}\" is no regular expression: {error.Message}");
        }
    });

    private static Uri Target(Uri from, string reference)
    {
        // Not every kind of URI takes relative ones, but all take fragments.
        if (reference.StartsWith('#'))
            return new Uri(from.AbsoluteUri + (reference.Length == 1 ? "" : reference));
        return Uri.TryCreate(from, reference, out var target) ? target : throw new SchemaException($"The reference \"{reference}\" is no URI.");
    }

    private static Uri WithoutFragment(Uri uri) => uri.Fragment.Length == 0 ? uri : new Uri(uri.AbsoluteUri[..^uri.Fragment.Length]);

    /// <summary>First names what has a name, then resolves what is referred to: so a wrong schema is refused before it is used.</summary>
    private void Visit(JsonElement schema, Uri outer, bool name)
    {
        if (schema.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return;
        if (schema.ValueKind != JsonValueKind.Object)
            throw new SchemaException($"A schema must be an object, true or false, but is {schema.GetRawText()}.");
        var here = Base(schema, outer);
        if (name)
            Name(schema, here);
        else
            Refer(schema, here);
        foreach (var property in schema.EnumerateObject())
        {
            if (property.Value.ValueKind == JsonValueKind.Object && SchemaMaps.Contains(property.Name))
                foreach (var inner in property.Value.EnumerateObject())
                    Visit(inner.Value, here, name);
            else if (property.Value.ValueKind == JsonValueKind.Array && (SchemaLists.Contains(property.Name) || property.Name == "items"))
                foreach (var inner in property.Value.EnumerateArray())
                    Visit(inner, here, name);
            else if (Schemas.Contains(property.Name))
                Visit(property.Value, here, name);
            else if (property is { Name: "pattern", Value.ValueKind: JsonValueKind.String } && !name)
                Pattern(property.Value.GetString()!);
        }
    }

    private void Name(JsonElement schema, Uri here)
    {
        if (schema.TryGetProperty("$id", out _))
            _named.TryAdd(here.AbsoluteUri, schema);
        foreach (var anchor in (ReadOnlySpan<string>)["$anchor", "$dynamicAnchor"])
            if (schema.TryGetProperty(anchor, out var text) && text.ValueKind == JsonValueKind.String)
                _named.TryAdd(Target(here, $"#{text.GetString()}").AbsoluteUri, schema);
    }

    private void Refer(JsonElement schema, Uri here)
    {
        if (schema.TryGetProperty("$dynamicRef", out _))
            throw new SchemaException("\"$dynamicRef\" is not supported: use \"$ref\".");
        if (!schema.TryGetProperty("$ref", out var text) || text.ValueKind != JsonValueKind.String)
            return;
        var target = Target(here, text.GetString()!);
        var key = target.AbsoluteUri;
        if (_references.ContainsKey(key))
            return;
        if (_named.TryGetValue(key, out var named))
        {
            _references[key] = (named, WithoutFragment(target));
            return;
        }
        var pointer = Uri.UnescapeDataString(target.Fragment.TrimStart('#'));
        if (!_named.TryGetValue(WithoutFragment(target).AbsoluteUri, out var root) || Find(root, pointer, WithoutFragment(target)) is not { } found)
            throw new SchemaException($"The reference \"{text.GetString()}\" leads nowhere: only what is in the schema itself can be referred to.");
        _references[key] = found;
        Visit(found.Schema, found.Base, name: false);
    }

    private static (JsonElement Schema, Uri Base)? Find(JsonElement root, string pointer, Uri from)
    {
        if (pointer.Length == 0)
            return (root, from);
        if (pointer[0] != '/')
            return null;
        var (at, outer) = (root, from);
        foreach (var step in pointer[1..].Split('/'))
        {
            outer = Base(at, outer);
            var key = step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (at.ValueKind == JsonValueKind.Object && at.TryGetProperty(key, out var property))
                at = property;
            else if (at.ValueKind == JsonValueKind.Array && int.TryParse(key, out var index) && index >= 0 && index < at.GetArrayLength())
                at = at[index];
            else
                return null;
        }
        return (at, outer);
    }
}
