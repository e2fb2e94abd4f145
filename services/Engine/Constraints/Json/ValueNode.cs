using System.Text.Json;

namespace Slm.Engine.Constraints.Json;

/// <summary>A set of JSON values, as a Boolean combination of schemas. Nodes come from <see cref="ValueNodes"/>, which makes equal ones identical.</summary>
internal abstract class ValueNode(int id)
{
    /// <summary>Number in the order of making.</summary>
    public int Id { get; } = id;

    /// <summary>Every value.</summary>
    public sealed class Any(int id) : ValueNode(id);

    /// <summary>No value.</summary>
    public sealed class Never(int id) : ValueNode(id);

    /// <summary>The values a schema allows.</summary>
    public sealed class OfSchema(int id, Schema schema) : ValueNode(id)
    {
        /// <summary>The schema.</summary>
        public Schema Schema { get; } = schema;
    }

    /// <summary>One value.</summary>
    public sealed class Constant(int id, JsonElement value) : ValueNode(id)
    {
        /// <summary>The value.</summary>
        public JsonElement Value { get; } = value;
    }

    /// <summary>Values of all parts.</summary>
    public sealed class And(int id, ValueNode[] parts) : ValueNode(id)
    {
        /// <summary>The parts, by id.</summary>
        public ValueNode[] Parts { get; } = parts;
    }

    /// <summary>Values of any part.</summary>
    public sealed class Or(int id, ValueNode[] parts) : ValueNode(id)
    {
        /// <summary>The parts, by id.</summary>
        public ValueNode[] Parts { get; } = parts;
    }

    /// <summary>All other values.</summary>
    public sealed class Not(int id, ValueNode inner) : ValueNode(id)
    {
        /// <summary>What is left out.</summary>
        public ValueNode Inner { get; } = inner;
    }
}

/// <summary>Makes nodes. Not thread-safe.</summary>
internal sealed class ValueNodes
{
    private readonly Dictionary<Schema, ValueNode> _schemas = [];
    private readonly Dictionary<string, ValueNode> _combined = new(StringComparer.Ordinal);
    private int _count = 2;

    /// <summary>Every value.</summary>
    public ValueNode Any { get; } = new ValueNode.Any(0);

    /// <summary>No value.</summary>
    public ValueNode Never { get; } = new ValueNode.Never(1);

    /// <summary>The values of a schema.</summary>
    public ValueNode Of(Schema schema)
    {
        if (schema.Element.ValueKind == JsonValueKind.True || (schema.Element.ValueKind == JsonValueKind.Object && !schema.Element.EnumerateObject().Any()))
            return Any;
        if (schema.Element.ValueKind == JsonValueKind.False)
            return Never;
        if (!_schemas.TryGetValue(schema, out var node))
            _schemas[schema] = node = new ValueNode.OfSchema(_count++, schema);
        return node;
    }

    /// <summary>One value.</summary>
    public ValueNode Constant(JsonElement value)
    {
        var key = "c" + CanonicalJson.Write(value);
        if (!_combined.TryGetValue(key, out var node))
            _combined[key] = node = new ValueNode.Constant(_count++, value);
        return node;
    }

    /// <summary>Values of all parts.</summary>
    public ValueNode And(params ReadOnlySpan<ValueNode> parts)
    {
        var set = new SortedDictionary<int, ValueNode>();
        foreach (var part in parts)
        {
            foreach (var one in part is ValueNode.And and ? and.Parts : [part])
                set[one.Id] = one;
        }

        set.Remove(Any.Id);
        if (set.ContainsKey(Never.Id) || set.Values.Any(p => p is ValueNode.Not not && set.ContainsKey(not.Inner.Id)))
            return Never;
        return set.Count == 0 ? Any : set.Count == 1 ? set.Values.First() : Intern('&', [.. set.Values], (id, all) => new ValueNode.And(id, all));
    }

    /// <summary>Values of any part.</summary>
    public ValueNode Or(params ReadOnlySpan<ValueNode> parts)
    {
        var set = new SortedDictionary<int, ValueNode>();
        foreach (var part in parts)
        {
            foreach (var one in part is ValueNode.Or or ? or.Parts : [part])
                set[one.Id] = one;
        }

        set.Remove(Never.Id);
        if (set.ContainsKey(Any.Id) || set.Values.Any(p => p is ValueNode.Not not && set.ContainsKey(not.Inner.Id)))
            return Any;
        return set.Count == 0 ? Never : set.Count == 1 ? set.Values.First() : Intern('|', [.. set.Values], (id, all) => new ValueNode.Or(id, all));
    }

    /// <summary>All other values.</summary>
    public ValueNode Not(ValueNode node) => node switch
    {
        ValueNode.Any => Never,
        ValueNode.Never => Any,
        ValueNode.Not not => not.Inner,
        _ => Intern('!', [node], (id, all) => new ValueNode.Not(id, all[0])),
    };

    private ValueNode Intern(char kind, ValueNode[] parts, Func<int, ValueNode[], ValueNode> make)
    {
        var key = kind + string.Join(',', parts.Select(p => p.Id));
        if (!_combined.TryGetValue(key, out var node))
            _combined[key] = node = make(_count++, parts);
        return node;
    }
}
