using System.Globalization;
using System.Text.Json;

namespace Slm.Tools.Schema;

/// <summary>
/// Checks JSON values against a JSON Schema, draft 2020-12 (and what earlier drafts wrote otherwise: <c>definitions</c>,
/// <c>items</c> as an array, <c>additionalItems</c>). <c>format</c> and content keywords are annotations. Immutable; may be shared.
/// </summary>
public sealed class SchemaValidator
{
    /// <summary>Violations a report holds; the rest is not looked for.</summary>
    private const int MostViolations = 20;

    /// <summary>Deeper than any value that JSON readers take, so that only references in a circle reach it.</summary>
    private const int MostDepth = 256;

    private readonly SchemaDocument _document;

    /// <summary>Takes a schema.</summary>
    /// <exception cref="SchemaException">It is malformed, or refers to what it does not hold.</exception>
    public SchemaValidator(JsonElement schema) => _document = new SchemaDocument(schema.Clone());

    /// <summary>Takes a schema as text.</summary>
    /// <exception cref="SchemaException">It is no JSON, malformed, or refers to what it does not hold.</exception>
    public static SchemaValidator Parse(string schema)
    {
        try
        {
            return new SchemaValidator(JsonElement.Parse(schema));
        }
        catch (JsonException error)
        {
            throw new SchemaException($"The schema is not valid JSON: {error.Message}");
        }
    }

    /// <summary>What is wrong with a value; nothing if it is valid.</summary>
    public IReadOnlyList<SchemaViolation> Validate(JsonElement value)
    {
        var violations = new List<SchemaViolation>();
        Check(_document.Schema, _document.BaseOf, value, "", violations, 0);
        return violations;
    }

    private bool Accepts(JsonElement schema, Uri from, JsonElement value, int depth, out Evaluated evaluated)
    {
        var violations = new List<SchemaViolation>();
        evaluated = Check(schema, from, value, "", violations, depth);
        return violations.Count == 0;
    }

    /// <summary>Checks a value; returns which of its parts some subschema has looked at.</summary>
    private Evaluated Check(JsonElement schema, Uri outer, JsonElement value, string path, List<SchemaViolation> violations, int depth)
    {
        var evaluated = new Evaluated();
        if (schema.ValueKind == JsonValueKind.True || violations.Count >= MostViolations)
            return evaluated;
        if (schema.ValueKind == JsonValueKind.False)
        {
            violations.Add(new SchemaViolation(path, "false", "Nothing is allowed here."));
            return evaluated;
        }
        if (depth > MostDepth)
            throw new SchemaException("The schema refers to itself in a circle.");
        var scope = new Scope(this, schema, SchemaDocument.Base(schema, outer), path, violations, depth);
        scope.Combined(value, evaluated);
        ValueKeywords.Check(scope, value);
        if (value.ValueKind == JsonValueKind.Array)
            ArrayKeywords.Check(scope, value, evaluated);
        else if (value.ValueKind == JsonValueKind.Object)
            ObjectKeywords.Check(scope, value, evaluated);
        return evaluated;
    }

    /// <summary>Parts of a value that subschemas have looked at, for the <c>unevaluated…</c> keywords.</summary>
    internal sealed class Evaluated
    {
        public HashSet<string> Properties { get; } = new(StringComparer.Ordinal);

        public HashSet<int> Items { get; } = [];

        public void Add(Evaluated other)
        {
            Properties.UnionWith(other.Properties);
            Items.UnionWith(other.Items);
        }
    }

    /// <summary>One schema, and the place in the value that it is applied to.</summary>
    internal readonly record struct Scope(SchemaValidator Validator, JsonElement Schema, Uri Base, string Path, List<SchemaViolation> Violations, int Depth)
    {
        public bool Has(string keyword, out JsonElement value) => Schema.TryGetProperty(keyword, out value);

        public bool HasNumber(string keyword, out double number)
        {
            number = 0;
            return Schema.TryGetProperty(keyword, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out number);
        }

        public void Fail(string keyword, string message) => Violations.Add(new SchemaViolation(Path, keyword, message));

        /// <summary>Applies a subschema to a part of the value.</summary>
        public Evaluated Apply(JsonElement schema, JsonElement part, string step) =>
            Validator.Check(schema, Base, part, step.Length == 0 ? Path : $"{Path}/{step.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal)}", Violations, Depth + 1);

        public bool Accepts(JsonElement schema, JsonElement part, out Evaluated evaluated) => Validator.Accepts(schema, Base, part, Depth + 1, out evaluated);

        public bool Matches(string pattern, string text) => Validator._document.Pattern(pattern).IsMatch(text);

        /// <summary>References and the keywords that combine schemas.</summary>
        public void Combined(JsonElement value, Evaluated evaluated)
        {
            if (Has("$ref", out var reference) && reference.ValueKind == JsonValueKind.String)
            {
                var (target, from) = Validator._document.Resolve(reference.GetString()!, Base);
                evaluated.Add(Validator.Check(target, from, value, Path, Violations, Depth + 1));
            }
            if (Has("allOf", out var all))
                foreach (var schema in all.EnumerateArray())
                    evaluated.Add(Apply(schema, value, ""));
            if (Has("anyOf", out var any) && Count(any, value, evaluated) == 0)
                Fail("anyOf", "It matches none of the alternatives.");
            if (Has("oneOf", out var one) && Count(one, value, evaluated) is var matches && matches != 1)
                Fail("oneOf", matches == 0 ? "It matches none of the alternatives." : $"It matches {matches} of the alternatives; it must match one.");
            if (Has("not", out var not) && Accepts(not, value, out _))
                Fail("not", "It matches what is forbidden here.");
            if (!Has("if", out var condition))
                return;
            var holds = Accepts(condition, value, out var seen);
            if (holds)
                evaluated.Add(seen);
            if (Has(holds ? "then" : "else", out var branch))
                evaluated.Add(Apply(branch, value, ""));
        }

        private int Count(JsonElement schemas, JsonElement value, Evaluated evaluated)
        {
            var count = 0;
            foreach (var schema in schemas.EnumerateArray())
            {
                if (!Accepts(schema, value, out var seen))
                    continue;
                count++;
                evaluated.Add(seen);
            }
            return count;
        }
    }

    internal static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
