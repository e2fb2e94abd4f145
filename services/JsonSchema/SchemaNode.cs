using System.Text.Json;
using System.Text.RegularExpressions;

namespace Slm.JsonSchema;

/// <summary>A compiled schema; keywords that it does not have are null.</summary>
internal sealed class SchemaNode
{
    /// <summary>Set for the schemas true and false.</summary>
    public bool? Constant { get; set; }

    public string[]? Types { get; set; }

    public JsonElement[]? Enum { get; set; }

    public string EnumKeyword { get; set; } = "enum";

    public JsonNumbers? Minimum { get; set; }

    public JsonNumbers? Maximum { get; set; }

    public JsonNumbers? ExclusiveMinimum { get; set; }

    public JsonNumbers? ExclusiveMaximum { get; set; }

    public JsonNumbers? MultipleOf { get; set; }

    public long? MinLength { get; set; }

    public long? MaxLength { get; set; }

    public Regex? Pattern { get; set; }

    public IReadOnlyList<(string Name, SchemaNode Node)> Properties { get; set; } = [];

    public IReadOnlyList<(Regex Pattern, SchemaNode Node)> PatternProperties { get; set; } = [];

    public SchemaNode? AdditionalProperties { get; set; }

    public SchemaNode? PropertyNames { get; set; }

    public string[] Required { get; set; } = [];

    public long? MinProperties { get; set; }

    public long? MaxProperties { get; set; }

    public IReadOnlyList<(string Name, string[] Needs)> DependentRequired { get; set; } = [];

    public IReadOnlyList<(string Name, SchemaNode Node)> DependentSchemas { get; set; } = [];

    public SchemaNode[] PrefixItems { get; set; } = [];

    public SchemaNode? Items { get; set; }

    public SchemaNode? Contains { get; set; }

    public long MinContains { get; set; } = 1;

    public long? MaxContains { get; set; }

    public long? MinItems { get; set; }

    public long? MaxItems { get; set; }

    public bool UniqueItems { get; set; }

    public SchemaNode[] AllOf { get; set; } = [];

    public SchemaNode[]? AnyOf { get; set; }

    public SchemaNode[]? OneOf { get; set; }

    public SchemaNode? Not { get; set; }

    public SchemaNode? If { get; set; }

    public SchemaNode? Then { get; set; }

    public SchemaNode? Else { get; set; }

    public SchemaNode? Reference { get; set; }
}
