using System.Globalization;
using System.Text.Json;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <content>Keywords of objects and arrays.</content>
internal sealed partial class SchemaCompiler
{
    private const int MaxPatterns = 6;

    private ValueSet ObjectRules(Schema schema, ValueSet set)
    {
        if (ObjectRule(schema) is { } rule)
            set = set with { Objects = Algebra.And(set.Objects, [rule]) };
        foreach (var keyword in (string[])["dependentRequired", "dependentSchemas", "dependencies"])
        {
            if (!schema.TryGet(keyword, out var map))
                continue;
            foreach (var member in Members(schema, keyword, map))
                set = set with { Objects = Algebra.And(set.Objects, Dependency(schema, keyword, member)) };
        }

        return set;
    }

    /// <summary>Objects without a property, or with it and what it needs.</summary>
    private List<ObjectShape> Dependency(Schema schema, string keyword, JsonProperty member)
    {
        var any = new KeyClass(Pool.All, Nodes.Any);
        var result = new List<ObjectShape> { new() { Named = [new NamedProperty(member.Name, Nodes.Never, false)], Others = [any] } };
        var present = new ObjectShape { Named = [new NamedProperty(member.Name, Nodes.Any, true)], Others = [any] };
        switch (member.Value.ValueKind)
        {
            case JsonValueKind.Array when keyword != "dependentSchemas":
                var names = Names(schema, keyword, member.Value).Prepend(member.Name).Distinct();
                result.Add(present with { Named = [.. names.Select(n => new NamedProperty(n, Nodes.Any, true))] });
                break;
            case JsonValueKind.String when schema.Document.Draft == SchemaDraft.Draft4:
                result.Add(present with { Named = [present.Named[0], new NamedProperty(member.Value.GetString()!, Nodes.Any, true)] });
                break;
            case JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False when keyword != "dependentRequired":
                var more = SetOf(Nodes.Of(schema.Sub(keyword, member.Name))).Objects;
                result.AddRange(Algebra.And([present], more));
                break;
            default:
                throw schema.Error(keyword, $"\"{member.Name}\" is {SchemaDocument.Name(member.Value.ValueKind)}, which says nothing about dependencies.");
        }

        return result;
    }

    private ObjectShape? ObjectRule(Schema schema)
    {
        var named = new List<NamedProperty>();
        var places = new Dictionary<string, int>(StringComparer.Ordinal);
        var patterns = PatternsOf(schema);
        var rule = false;
        if (schema.TryGet("properties", out var properties))
        {
            rule = true;
            foreach (var member in Members(schema, "properties", properties))
            {
                RequireSchema(schema, "properties", member);
                var value = Nodes.Of(schema.Sub("properties", member.Name));
                foreach (var (keys, node) in patterns)
                {
                    if (Pool.Matches(keys, WordList.CodePoints(member.Name)))
                        value = Nodes.And(value, node);
                }

                if (places.TryAdd(member.Name, named.Count))
                    named.Add(new NamedProperty(member.Name, value, false));
                else
                    named[places[member.Name]] = new NamedProperty(member.Name, value, false);
            }
        }

        IReadOnlyList<KeyClass> others = [new KeyClass(Pool.All, Nodes.Any)];
        if (patterns.Count > 0 || schema.TryGet("additionalProperties", out _))
        {
            rule = true;
            others = Classes(patterns, schema.TryGet("additionalProperties", out _) ? Nodes.Of(SubSchema(schema, "additionalProperties")) : Nodes.Any);
        }

        var shape = new ObjectShape { Named = named, Others = others };
        if (schema.TryGet("required", out var required) && required.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            rule = true;
            foreach (var name in Names(schema, "required", required))
            {
                if (places.TryGetValue(name, out var at))
                {
                    named[at] = named[at] with { Required = true };
                    continue;
                }

                places[name] = named.Count;
                named.Add(shape.Find(name, Pool, Nodes) with { Required = true });
            }
        }

        var min = Count(schema, "minProperties") ?? 0;
        var max = Count(schema, "maxProperties") ?? -1;
        if (min > 0 || max >= 0)
        {
            rule = true;
            shape = shape with { Min = min, Max = max };
        }

        if (schema.TryGet("propertyNames", out _))
        {
            rule = true;
            shape = Restrict(shape, SetOf(Nodes.Of(SubSchema(schema, "propertyNames"))).Strings);
        }

        return rule ? shape : null;
    }

    /// <summary>The shape with keys of a language only.</summary>
    private ObjectShape Restrict(ObjectShape shape, Term keys) => shape with
    {
        Named = [.. shape.Named.Select(p => Pool.Matches(keys, WordList.CodePoints(p.Name)) ? p : p with { Value = Nodes.Never })],
        Others = [.. shape.Others.Select(o => o with { Keys = Pool.And(o.Keys, keys) }).Where(o => o.Keys != Pool.Empty)],
    };

    private List<(Term Keys, ValueNode Value)> PatternsOf(Schema schema)
    {
        var result = new List<(Term, ValueNode)>();
        if (!schema.TryGet("patternProperties", out var map))
            return result;
        foreach (var member in Members(schema, "patternProperties", map))
        {
            RequireSchema(schema, "patternProperties", member);
            result.Add((Pattern(schema, "patternProperties", member.Name), Nodes.Of(schema.Sub("patternProperties", member.Name))));
        }

        if (result.Count > MaxPatterns)
            throw schema.Error("patternProperties", $"{result.Count} patterns overlap in too many ways; at most {MaxPatterns} are supported.");
        return result;
    }

    /// <summary>Keys by the set of patterns they match.</summary>
    private List<KeyClass> Classes(List<(Term Keys, ValueNode Value)> patterns, ValueNode additional)
    {
        var classes = new List<(Term Keys, ValueNode? Value)> { (Pool.All, null) };
        foreach (var (keys, value) in patterns)
        {
            var split = new List<(Term, ValueNode?)>();
            foreach (var (known, before) in classes)
            {
                var inside = Pool.And(known, keys);
                if (!Languages.IsEmpty(inside))
                    split.Add((inside, before is null ? value : Nodes.And(before, value)));
                var outside = Pool.And(known, Pool.Not(keys));
                if (!Languages.IsEmpty(outside))
                    split.Add((outside, before));
            }

            classes = split;
        }

        return [.. classes.Select(c => new KeyClass(c.Keys, c.Value ?? additional)).Where(c => c.Value != Nodes.Never)];
    }

    private ArrayShape? ArrayRule(Schema schema)
    {
        var rule = false;
        ValueNode[] prefix = [];
        var rest = Nodes.Any;
        var modern = schema.Document.Draft == SchemaDraft.Draft2020;
        if (List(schema, "prefixItems") is { } first)
        {
            (rule, prefix) = (true, first);
        }

        if (schema.TryGet("items", out var items))
        {
            rule = true;
            if (items.ValueKind == JsonValueKind.Array)
            {
                // Drafts before 2020-12; many schemas that name no draft are of those.
                if (modern && prefix.Length > 0)
                    throw schema.Error("items", "It is an array although \"prefixItems\" is there as well.");
                prefix = List(schema, "items")!;
                if (schema.TryGet("additionalItems", out _))
                    rest = Nodes.Of(SubSchema(schema, "additionalItems"));
            }
            else
            {
                rest = Nodes.Of(SubSchema(schema, "items"));
            }
        }

        var min = Count(schema, "minItems") ?? 0;
        var max = Count(schema, "maxItems") ?? -1;
        rule |= min > 0 || max >= 0;
        var unique = schema.TryGet("uniqueItems", out var flag) && flag.ValueKind == JsonValueKind.True;
        rule |= unique;
        var wanted = new List<WantedItems>();
        if (schema.TryGet("contains", out _) && schema.Document.Draft >= SchemaDraft.Draft7)
        {
            var counts = schema.Document.Draft >= SchemaDraft.Draft2019;
            var least = counts ? Count(schema, "minContains") ?? 1 : 1;
            var most = counts ? Count(schema, "maxContains") ?? -1 : -1;
            if (least > 0 || most >= 0)
                wanted.Add(new WantedItems(Nodes.Of(SubSchema(schema, "contains")), 0, least, most));
            rule = true;
        }

        return !rule ? null : new ArrayShape { Prefix = prefix, Rest = rest, Min = min, Max = max, Wanted = wanted, Unique = unique ? schema : null };
    }

    private static JsonElement.ObjectEnumerator Members(Schema schema, string keyword, JsonElement map) =>
        map.ValueKind == JsonValueKind.Object ? map.EnumerateObject() : throw schema.Error(keyword, $"It must be an object; it is {SchemaDocument.Name(map.ValueKind)}.");

    private static void RequireSchema(Schema schema, string keyword, JsonProperty member)
    {
        if (member.Value.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
            throw schema.Error(keyword, $"\"{member.Name}\" is {SchemaDocument.Name(member.Value.ValueKind)}; a schema is an object, true or false.");
    }

    private static IEnumerable<string> Names(Schema schema, string keyword, JsonElement list)
    {
        if (list.ValueKind != JsonValueKind.Array || list.EnumerateArray().Any(n => n.ValueKind != JsonValueKind.String))
            throw schema.Error(keyword, "It must be an array of property names.");
        return list.EnumerateArray().Select(n => n.GetString()!);
    }
}
