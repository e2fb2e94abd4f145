using System.Runtime.CompilerServices;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>
/// Which sets of values have members. Schemas may be recursive: the least solution counts, in which a value is finite. Whatever is found
/// to have a member has one; that it has none is remembered only when it did not hang on a set still being looked at.
/// </summary>
internal sealed class Liveness(SchemaCompiler compiler)
{
    private const int MaxDepth = 2000;
    private readonly Dictionary<ValueNode, bool> _empty = [];
    private readonly HashSet<ValueNode> _open = [];
    private bool _assumed;

    /// <summary>Whether no value belongs to a node.</summary>
    public bool IsEmpty(ValueNode node)
    {
        if (node is ValueNode.Any)
            return false;
        if (node is ValueNode.Never)
            return true;
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (_empty.TryGetValue(node, out var known))
            return known;
        if (!_open.Add(node))
            return _assumed = true;
        if (_open.Count > MaxDepth)
            throw new ConstraintTooLargeException("", "", $"Required values are nested deeper than {MaxDepth}.");
        try
        {
            var before = _assumed;
            _assumed = false;
            var set = compiler.SetOf(node);
            var empty = !set.Null && !set.False && !set.True && compiler.Languages.IsEmpty(set.Strings) && compiler.Languages.IsEmpty(set.Numbers)
                && set.Arrays.All(IsEmpty) && set.Objects.All(IsEmpty);
            if (!empty || !_assumed || _open.Count == 1)
                _empty[node] = empty;
            _assumed = empty && (_assumed || before) || before;
            return empty;
        }
        finally
        {
            _open.Remove(node);
        }
    }

    /// <summary>Whether no object has a shape.</summary>
    public bool IsEmpty(ObjectShape shape)
    {
        var (required, optional) = (0, 0);
        foreach (var property in shape.Named)
        {
            if (property.Required)
            {
                required++;
                if (IsEmpty(property.Value))
                    return true;
            }
        }

        if (shape.Max >= 0 && (required > shape.Max || shape.Min > shape.Max))
            return true;
        if (shape.Min > required)
        {
            optional = shape.Named.Count(p => !p.Required && !IsEmpty(p.Value));
            foreach (var other in shape.Others)
            {
                if (required + optional >= shape.Min)
                    break;
                if (!IsEmpty(other.Value))
                    optional += compiler.Languages.Count(Unnamed(shape, other.Keys), shape.Min);
            }

            if (required + optional < shape.Min)
                return true;
        }

        return shape.Wanted.Any(w => !CanHave(shape, w));
    }

    /// <summary>Whether no array has a shape.</summary>
    public bool IsEmpty(ArrayShape shape)
    {
        var most = MostItems(shape);
        if (most >= 0 && shape.Min > most)
            return true;
        return shape.Wanted.Any(w => w.Min > 0 && !CanHave(shape, w, most));
    }

    /// <summary>Whether it is certain that no object has a shape, also while a schema that it leads to is still being worked out.</summary>
    public bool IsSurelyEmpty(ObjectShape shape) => Surely(() => IsEmpty(shape));

    /// <summary>Whether it is certain that no array has a shape, also while a schema that it leads to is still being worked out.</summary>
    public bool IsSurelyEmpty(ArrayShape shape) => Surely(() => IsEmpty(shape));

    /// <summary>Most items an array of the shape can have; -1 without a limit.</summary>
    public int MostItems(ArrayShape shape)
    {
        for (var i = 0; i < shape.Prefix.Count && (shape.Max < 0 || i < shape.Max); i++)
        {
            if (IsEmpty(shape.Prefix[i]))
                return i;
        }

        if (shape.Max >= 0 && shape.Max <= shape.Prefix.Count)
            return shape.Max;
        if (IsEmpty(shape.Rest))
            return shape.Prefix.Count;
        if (shape.Unique is not null && (shape.Min > 1 || shape.Max >= 0) && shape.Prefix.Count == 0)
        {
            var limit = Math.Max(shape.Min, 64);
            var values = CountValues(shape.Rest, limit);
            if (values < limit)
                return shape.Max < 0 ? values : Math.Min(shape.Max, values);
        }

        return shape.Max;
    }

    /// <summary>How many different values belong to a node at least, at most <paramref name="limit"/>.</summary>
    public int CountValues(ValueNode node, int limit) => CountValues(node, limit, 0);

    /// <summary>The keys that a shape does not name.</summary>
    public Term Unnamed(ObjectShape shape, Term keys) =>
        shape.Named.Count == 0 ? keys : compiler.Pool.And(keys, compiler.Pool.Not(compiler.Pool.Words(shape.Named.Select(p => p.Name))));

    private bool Surely(Func<bool> isEmpty)
    {
        var before = _assumed;
        _assumed = false;
        var certain = compiler.TryProbe(isEmpty) && !_assumed;
        _assumed = before;
        return certain;
    }

    private bool CanHave(ObjectShape shape, WantedProperty wanted)
    {
        foreach (var property in shape.Named)
        {
            if (compiler.Pool.Matches(wanted.Keys, WordList.CodePoints(property.Name)) && !IsEmpty(compiler.Nodes.And(property.Value, wanted.Value)))
                return true;
        }

        return shape.Others.Any(o => !compiler.Languages.IsEmpty(compiler.Pool.And(Unnamed(shape, o.Keys), wanted.Keys)) && !IsEmpty(compiler.Nodes.And(o.Value, wanted.Value)));
    }

    private bool CanHave(ArrayShape shape, WantedItems wanted, int most)
    {
        var found = 0;
        for (var i = wanted.From; i < shape.Prefix.Count && (most < 0 || i < most); i++)
            found += IsEmpty(compiler.Nodes.And(shape.Prefix[i], wanted.Value)) ? 0 : 1;
        var rest = Math.Max(wanted.From, shape.Prefix.Count);
        if (found < wanted.Min && (most < 0 || most > rest) && !IsEmpty(compiler.Nodes.And(shape.Rest, wanted.Value)))
            found = most < 0 ? wanted.Min : found + most - rest;
        return found >= wanted.Min;
    }

    private int CountValues(ValueNode node, int limit, int depth)
    {
        if (node is ValueNode.Any)
            return limit;
        if (depth > 8 || IsEmpty(node))
            return 0;
        var set = compiler.SetOf(node);
        var count = (set.Null ? 1L : 0) + (set.False ? 1 : 0) + (set.True ? 1 : 0);
        count += compiler.Languages.Count(set.Strings, limit);
        if (count < limit)
            count += compiler.Languages.Count(set.Numbers == compiler.Numbers.Any ? set.Numbers : compiler.Pool.And(set.Numbers, compiler.Numbers.Distinct), limit);
        var objects = 0L;
        foreach (var shape in set.Objects.Where(s => count < limit && !IsEmpty(s)))
        {
            // What is beyond the named properties only adds to it.
            if (shape.Others.Any(o => !IsEmpty(o.Value) && compiler.Languages.Count(Unnamed(shape, o.Keys), limit) >= limit) && shape.Max < 0)
                return limit;
            var product = 1L;
            foreach (var property in shape.Named)
            {
                var values = CountValues(property.Value, limit, depth + 1);
                product = Math.Min(limit, product * Math.Max(1, property.Required || shape.Max >= 0 || shape.Min > 0 ? values : values + 1));
            }

            objects = Math.Max(objects, product);
        }

        var arrays = 0L;
        foreach (var shape in set.Arrays.Where(s => count < limit && !IsEmpty(s)))
        {
            var most = MostItems(shape);
            if (most < 0)
                return limit;
            var product = 1L;
            for (var i = 0; i < most && product < limit; i++)
                product = Math.Min(limit, product * Math.Max(1, CountValues(shape.Item(i), limit, depth + 1)));
            arrays = Math.Max(arrays, product);
        }

        return (int)Math.Min(limit, count + objects + arrays);
    }
}
