using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>Boolean operations on sets of values. Sets of objects and of arrays stay choices of shapes, as in a disjunctive normal form.</summary>
internal sealed class ShapeAlgebra(TermPool pool, NumberLanguage numbers, ValueNodes nodes)
{
    private const int MaxShapes = 256;
    private const int MaxClasses = 64;
    private const int MaxWork = 200_000;
    private int _work;

    /// <summary>Every value.</summary>
    public ValueSet Any { get; } = new(true, true, true, pool.All, numbers.Any, [AnyObject(pool, nodes)], [AnyArray(nodes)]);

    /// <summary>No value.</summary>
    public ValueSet Never { get; } = new(false, false, false, pool.Empty, pool.Empty, [], []);

    /// <summary>Every object.</summary>
    public static ObjectShape AnyObject(TermPool pool, ValueNodes nodes) => new() { Named = [], Others = [new KeyClass(pool.All, nodes.Any)] };

    /// <summary>Every array.</summary>
    public static ArrayShape AnyArray(ValueNodes nodes) => new() { Prefix = [], Rest = nodes.Any };

    /// <summary>Values of both.</summary>
    public ValueSet And(ValueSet a, ValueSet b) => new(
        a.Null && b.Null,
        a.False && b.False,
        a.True && b.True,
        pool.And(a.Strings, b.Strings),
        numbers.And(a.Numbers, b.Numbers),
        Product(a.Objects, b.Objects, And, static (x, y) => x.SameAs(y)),
        Product(a.Arrays, b.Arrays, And, static (x, y) => x.SameAs(y)));

    /// <summary>Values of either.</summary>
    public ValueSet Or(ValueSet a, ValueSet b) => new(
        a.Null || b.Null,
        a.False || b.False,
        a.True || b.True,
        pool.Alt(a.Strings, b.Strings),
        numbers.Or(a.Numbers, b.Numbers),
        Sum(a.Objects, b.Objects, static (x, y) => x.SameAs(y)),
        Sum(a.Arrays, b.Arrays, static (x, y) => x.SameAs(y)));

    /// <summary>All other values.</summary>
    public ValueSet Not(ValueSet a) => new(!a.Null, !a.False, !a.True, pool.Not(a.Strings), numbers.Not(a.Numbers), Not(a.Objects), Not(a.Arrays));

    /// <summary>All other objects.</summary>
    public IReadOnlyList<ObjectShape> Not(IReadOnlyList<ObjectShape> shapes)
    {
        IReadOnlyList<ObjectShape> result = Any.Objects;
        foreach (var shape in shapes)
            result = Product(result, [.. Not(shape)], And, static (x, y) => x.SameAs(y));
        return result;
    }

    /// <summary>All other arrays.</summary>
    public IReadOnlyList<ArrayShape> Not(IReadOnlyList<ArrayShape> shapes)
    {
        IReadOnlyList<ArrayShape> result = Any.Arrays;
        foreach (var shape in shapes)
            result = Product(result, [.. Not(shape)], And, static (x, y) => x.SameAs(y));
        return result;
    }

    /// <summary>Objects of both choices.</summary>
    public IReadOnlyList<ObjectShape> And(IReadOnlyList<ObjectShape> a, IReadOnlyList<ObjectShape> b) => Product(a, b, And, static (x, y) => x.SameAs(y));

    /// <summary>Arrays of both choices.</summary>
    public IReadOnlyList<ArrayShape> And(IReadOnlyList<ArrayShape> a, IReadOnlyList<ArrayShape> b) => Product(a, b, And, static (x, y) => x.SameAs(y));

    /// <summary>Objects of both shapes.</summary>
    public ObjectShape And(ObjectShape a, ObjectShape b)
    {
        if (ReferenceEquals(a, b) || IsAny(b))
            return a;
        if (IsAny(a))
            return b;
        var named = new List<NamedProperty>(a.Named.Count + b.Named.Count);
        var known = new HashSet<string>(StringComparer.Ordinal);
        var inB = b.Named.Count > 8 ? b.Named.ToDictionary(p => p.Name, StringComparer.Ordinal) : null;
        foreach (var property in a.Named)
        {
            known.Add(property.Name);
            var other = inB is not null && inB.TryGetValue(property.Name, out var found) ? found : b.Find(property.Name, pool, nodes);
            named.Add(new NamedProperty(property.Name, nodes.And(property.Value, other.Value), property.Required || other.Required));
        }

        foreach (var property in b.Named)
        {
            if (!known.Contains(property.Name))
                named.Add(new NamedProperty(property.Name, nodes.And(property.Value, a.Find(property.Name, pool, nodes).Value), property.Required));
        }

        var others = new List<KeyClass>();
        foreach (var x in a.Others)
        {
            foreach (var y in b.Others)
            {
                var keys = pool.And(x.Keys, y.Keys);
                var value = nodes.And(x.Value, y.Value);
                if (keys != pool.Empty && value != nodes.Never)
                    others.Add(new KeyClass(keys, value));
            }
        }

        if (others.Count > MaxClasses)
            throw new ConstraintTooLargeException("", "patternProperties", $"The patterns of the keys have more than {MaxClasses} combinations.");
        return new ObjectShape
        {
            Named = named,
            Others = others,
            Wanted = [.. a.Wanted.Union(b.Wanted)],
            Min = Math.Max(a.Min, b.Min),
            Max = Tighter(a.Max, b.Max),
        };
    }

    /// <summary>Arrays of both shapes.</summary>
    public ArrayShape And(ArrayShape a, ArrayShape b)
    {
        if (ReferenceEquals(a, b))
            return a;
        var prefix = new ValueNode[Math.Max(a.Prefix.Count, b.Prefix.Count)];
        for (var i = 0; i < prefix.Length; i++)
            prefix[i] = nodes.And(a.Item(i), b.Item(i));
        return new ArrayShape
        {
            Prefix = prefix,
            Rest = nodes.And(a.Rest, b.Rest),
            Min = Math.Max(a.Min, b.Min),
            Max = Tighter(a.Max, b.Max),
            Wanted = [.. a.Wanted.Union(b.Wanted)],
            Unique = a.Unique ?? b.Unique,
        };
    }

    private static bool IsAny(ObjectShape shape) =>
        shape is { Named.Count: 0, Min: 0, Max: -1, Wanted.Count: 0, Others: [{ Value: ValueNode.Any } only] } && only.Keys is { Kind: TermKind.Repeat, Min: 0, Max: -1, Parts: [{ Kind: TermKind.Chars } set] }
        && set.Set.Equals(CharSet.All);

    private static int Tighter(int a, int b) => a < 0 ? b : b < 0 ? a : Math.Min(a, b);

    /// <summary>What breaks one of a shape's conditions, condition by condition.</summary>
    private IEnumerable<ObjectShape> Not(ObjectShape shape)
    {
        var any = new KeyClass(pool.All, nodes.Any);
        foreach (var property in shape.Named)
        {
            if (property.Required)
                yield return new ObjectShape { Named = [new NamedProperty(property.Name, nodes.Never, false)], Others = [any] };
            var other = nodes.Not(property.Value);
            if (other != nodes.Never)
                yield return new ObjectShape { Named = [new NamedProperty(property.Name, other, true)], Others = [any] };
        }

        var names = pool.Not(pool.Words(shape.Named.Select(p => p.Name)));
        var rest = names;
        foreach (var other in shape.Others)
        {
            rest = pool.And(rest, pool.Not(other.Keys));
            if (other.Value != nodes.Any)
                yield return Wanting(pool.And(names, other.Keys), nodes.Not(other.Value));
        }

        if (rest != pool.Empty)
            yield return Wanting(rest, nodes.Any);
        foreach (var wanted in shape.Wanted)
        {
            yield return new ObjectShape
            {
                Named = [],
                Others = [new KeyClass(wanted.Keys, nodes.Not(wanted.Value)), new KeyClass(pool.Not(wanted.Keys), nodes.Any)],
            };
        }

        if (shape.Min > 0)
            yield return new ObjectShape { Named = [], Others = [any], Max = shape.Min - 1 };
        if (shape.Max >= 0)
            yield return new ObjectShape { Named = [], Others = [any], Min = shape.Max + 1 };

        ObjectShape Wanting(Term keys, ValueNode value) => new() { Named = [], Others = [any], Wanted = [new WantedProperty(keys, value)] };
    }

    private IEnumerable<ArrayShape> Not(ArrayShape shape)
    {
        if (shape.Unique is { } unique)
            throw unique.Error("uniqueItems", "\"uniqueItems\" cannot be enforced where its opposite is asked for (\"not\", \"if\", or a \"oneOf\" whose branches overlap).");
        for (var i = 0; i < shape.Prefix.Count; i++)
        {
            var other = nodes.Not(shape.Prefix[i]);
            if (other != nodes.Never)
                yield return new ArrayShape { Prefix = [.. Enumerable.Repeat(nodes.Any, i), other], Rest = nodes.Any, Min = i + 1 };
        }

        if (shape.Rest != nodes.Any)
            yield return new ArrayShape { Prefix = [], Rest = nodes.Any, Wanted = [new WantedItems(nodes.Not(shape.Rest), shape.Prefix.Count, 1, -1)] };
        if (shape.Min > 0)
            yield return new ArrayShape { Prefix = [], Rest = nodes.Any, Max = shape.Min - 1 };
        if (shape.Max >= 0)
            yield return new ArrayShape { Prefix = [], Rest = nodes.Any, Min = shape.Max + 1 };
        foreach (var wanted in shape.Wanted)
        {
            if (wanted.Min > 0)
                yield return new ArrayShape { Prefix = [], Rest = nodes.Any, Wanted = [wanted with { Min = 0, Max = wanted.Min - 1 }] };
            if (wanted.Max >= 0)
                yield return new ArrayShape { Prefix = [], Rest = nodes.Any, Wanted = [wanted with { Min = wanted.Max + 1, Max = -1 }] };
        }
    }

    private List<T> Product<T>(IReadOnlyList<T> a, IReadOnlyList<T> b, Func<T, T, T> and, Func<T, T, bool> same)
    {
        if (a.Count == 1 && b.Count == 1)
            return [and(a[0], b[0])];
        var result = new List<T>();
        foreach (var x in a)
        {
            foreach (var y in b)
            {
                if (++_work > MaxWork)
                    throw new ConstraintTooLargeException("", "", $"The combinations of \"allOf\", \"anyOf\", \"oneOf\" and \"not\" take more than {MaxWork} steps to work out.");
                Add(result, and(x, y), same);
            }
        }

        return result;
    }

    private static IReadOnlyList<T> Sum<T>(IReadOnlyList<T> a, IReadOnlyList<T> b, Func<T, T, bool> same)
    {
        if (a.Count == 0 || b.Count == 0)
            return a.Count == 0 ? b : a;
        var result = a.ToList();
        foreach (var shape in b)
            Add(result, shape, same);
        return result;
    }

    private static void Add<T>(List<T> shapes, T shape, Func<T, T, bool> same)
    {
        if (shapes.Exists(s => same(s, shape)))
            return;
        if (shapes.Count >= MaxShapes)
            throw new ConstraintTooLargeException("", "", $"The combinations of \"allOf\", \"anyOf\", \"oneOf\" and \"not\" come to more than {MaxShapes} kinds of value.");
        shapes.Add(shape);
    }
}
