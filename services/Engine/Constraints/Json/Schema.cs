using System.Text.Json;

namespace Slm.Engine.Constraints.Json;

/// <summary>The drafts of JSON Schema that differ in what is used here.</summary>
internal enum SchemaDraft
{
    /// <summary>Drafts 3 and 4: bounds are exclusive by a flag, "id".</summary>
    Draft4,

    /// <summary>Drafts 6 and 7: "$ref" hides its neighbours, "items" may be an array.</summary>
    Draft7,

    /// <summary>2019-09: "items" may be an array.</summary>
    Draft2019,

    /// <summary>2020-12: "prefixItems".</summary>
    Draft2020,
}

/// <summary>A schema within a <see cref="SchemaDocument"/>; one object per place.</summary>
internal sealed class Schema(SchemaDocument document, JsonElement element, string pointer, Uri baseUri)
{
    /// <summary>The document it is part of.</summary>
    public SchemaDocument Document { get; } = document;

    /// <summary>An object, true or false.</summary>
    public JsonElement Element { get; } = element;

    /// <summary>JSON Pointer from the document's root.</summary>
    public string Pointer { get; } = pointer;

    /// <summary>What its references are relative to.</summary>
    public Uri BaseUri { get; } = baseUri;

    /// <summary>A keyword's value.</summary>
    public bool TryGet(string keyword, out JsonElement value)
    {
        value = default;
        return Element.ValueKind == JsonValueKind.Object && Element.TryGetProperty(keyword, out value) && !Document.IsIgnored(this, keyword);
    }

    /// <summary>The schema below a keyword.</summary>
    public Schema Sub(params ReadOnlySpan<string> path) => Document.Below(this, path);

    /// <summary>An error at a keyword.</summary>
    public ConstraintException Error(string keyword, string reason) => new($"{Pointer}/{SchemaDocument.Escape(keyword)}", keyword, reason);
}
