namespace Slm.Engine.Constraints.Json;

/// <summary>How arrays of a shape are written.</summary>
internal sealed class ArrayPlan
{
    private readonly Dictionary<ArrayProgress, ArrayProgress> _progress = [];
    private readonly int _saturation;

    /// <param name="compiler">Where its parts come from.</param>
    /// <param name="shape">A shape that some array has.</param>
    public ArrayPlan(SchemaCompiler compiler, ArrayShape shape)
    {
        Compiler = compiler;
        Shape = shape;
        Most = compiler.Lives.MostItems(shape);
        if (shape.Wanted.Count > 6)
            throw new ConstraintTooLargeException("", "contains", "More than 6 kinds of items must be found.");
        if (shape.Unique is { } unique)
            CheckUnique(unique);
        _saturation = Math.Max(Math.Max(shape.Prefix.Count, shape.Min), Math.Max(Most, shape.Wanted.Count == 0 ? 0 : shape.Wanted.Max(w => w.From)));
        Start = Intern(new ArrayProgress(this, 0, new int[shape.Wanted.Count], compiler.Nodes.Never));
    }

    /// <summary>Where its parts come from.</summary>
    public SchemaCompiler Compiler { get; }

    /// <summary>The shape.</summary>
    public ArrayShape Shape { get; }

    /// <summary>Most items; -1 without a limit.</summary>
    public int Most { get; }

    /// <summary>No item yet.</summary>
    public ArrayProgress Start { get; }

    /// <summary>The one object for a progress.</summary>
    public ArrayProgress Intern(ArrayProgress progress)
    {
        if (_progress.TryGetValue(progress, out var known))
            return known;
        if (_progress.Count > 10_000)
            _progress.Clear();
        return _progress[progress] = progress;
    }

    /// <summary>A count of items as far as it matters.</summary>
    public int Saturate(int count) => Math.Min(count, _saturation + 1);

    /// <summary>The nodes that items can have, those apart by equal items before them excepted.</summary>
    public IEnumerable<ValueNode> Values()
    {
        foreach (var item in Shape.Prefix.Take(Most < 0 ? int.MaxValue : Most).Append(Shape.Rest).Distinct())
        {
            foreach (var value in With(item, 0))
                yield return value;
        }
    }

    private IEnumerable<ValueNode> With(ValueNode value, int wanted)
    {
        if (Compiler.Lives.IsEmpty(value))
            return [];
        if (wanted == Shape.Wanted.Count)
            return [value];
        var found = With(Compiler.Nodes.And(value, Shape.Wanted[wanted].Value), wanted + 1);
        var not = With(Shape.Wanted[wanted].Max < 0 ? value : Compiler.Nodes.And(value, Compiler.Nodes.Not(Shape.Wanted[wanted].Value)), wanted + 1);
        return found.Concat(not);
    }

    /// <summary>Unequal items are enforced by leaving out the values that are there already, which is simple for scalars.</summary>
    private void CheckUnique(Schema unique)
    {
        if (Most is >= 0 and <= 1)
            return;
        var items = Shape.Prefix.Append(Shape.Rest).Where(i => !Compiler.Lives.IsEmpty(i)).Distinct().ToList();
        if (items.Any(i => Compiler.SetOf(i) is var set && (set.Objects.Any(o => !Compiler.Lives.IsEmpty(o)) || set.Arrays.Any(a => !Compiler.Lives.IsEmpty(a)))))
            throw unique.Error("uniqueItems", "Unequal items can be enforced only where items are strings, numbers, booleans or null. Give \"items\" such a type.");
        if (Shape.Wanted.Count > 0)
            throw unique.Error("uniqueItems", "Unequal items together with \"contains\" are not supported.");
        if (items.Count > 1)
        {
            for (var i = 0; i <= Shape.Prefix.Count; i++)
            {
                if (!Compiler.Lives.IsEmpty(Shape.Item(i)) && Compiler.Lives.CountValues(Shape.Item(i), Math.Max(Shape.Prefix.Count, Shape.Min) + 1) <= Math.Max(Shape.Prefix.Count, Shape.Min))
                    throw unique.Error("uniqueItems", "Unequal items of different kinds, one of which has few values, are not supported.");
            }
        }
    }
}

/// <summary>The items of an array that have been written, as far as they matter to what may follow.</summary>
internal sealed class ArrayProgress : IEquatable<ArrayProgress>
{
    private readonly ArrayPlan _plan;
    private readonly int[] _found;
    private bool? _canAdd;

    /// <param name="plan">The array's plan.</param>
    /// <param name="count">Items so far, saturated.</param>
    /// <param name="found">How many of each wanted kind.</param>
    /// <param name="seen">The items so far, where none may come again.</param>
    public ArrayProgress(ArrayPlan plan, int count, int[] found, ValueNode seen) => (_plan, Count, _found, Seen) = (plan, count, found, seen);

    /// <summary>Items so far.</summary>
    public int Count { get; }

    /// <summary>Items that may not come again.</summary>
    public ValueNode Seen { get; }

    /// <summary>Whether the array may end here.</summary>
    public bool CanClose
    {
        get
        {
            for (var i = 0; i < _found.Length; i++)
            {
                if (_found[i] < _plan.Shape.Wanted[i].Min)
                    return false;
            }

            return Count >= _plan.Shape.Min;
        }
    }

    /// <summary>Whether an item may follow.</summary>
    public bool CanAdd => _canAdd ??= Add().Any();

    /// <summary>What the next item may be, and the progress behind it.</summary>
    public IEnumerable<(ValueNode Value, ArrayProgress Next)> Add()
    {
        if (_plan.Most >= 0 && Count >= _plan.Most)
            yield break;
        var item = _plan.Compiler.Nodes.And(_plan.Shape.Item(Count), _plan.Compiler.Nodes.Not(Seen));
        foreach (var (value, found) in Variants(item, 0, _found))
        {
            if (_plan.Compiler.Lives.IsEmpty(value))
                continue;
            var next = _plan.Intern(new ArrayProgress(_plan, _plan.Saturate(Count + 1), found, Seen));
            if (next.CanFindRest())
                yield return (value, next);
        }
    }

    /// <summary>The same with an item that has been written.</summary>
    public ArrayProgress See(ValueNode value) => _plan.Intern(new ArrayProgress(_plan, Count, _found, _plan.Compiler.Nodes.Or(Seen, value)));

    /// <inheritdoc/>
    public bool Equals(ArrayProgress? other) =>
        other is not null && ReferenceEquals(_plan, other._plan) && Count == other.Count && Seen == other.Seen && _found.AsSpan().SequenceEqual(other._found);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ArrayProgress);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = HashCode.Combine(Count, Seen.Id);
        foreach (var found in _found)
            hash = HashCode.Combine(hash, found);
        return hash;
    }

    private IEnumerable<(ValueNode Value, int[] Found)> Variants(ValueNode value, int wanted, int[] found)
    {
        if (wanted == _found.Length)
            return [(value, found)];
        var rule = _plan.Shape.Wanted[wanted];
        if (Count < rule.From || (rule.Max < 0 && found[wanted] >= rule.Min))
            return Variants(value, wanted + 1, found);
        var nodes = _plan.Compiler.Nodes;
        var result = Variants(rule.Max < 0 ? value : nodes.And(value, nodes.Not(rule.Value)), wanted + 1, found);
        if (rule.Max < 0 || found[wanted] < rule.Max)
        {
            var more = (int[])found.Clone();
            more[wanted]++;
            result = Variants(nodes.And(value, rule.Value), wanted + 1, more).Concat(result);
        }

        return result;
    }

    /// <summary>Whether enough places are left for what must still be found.</summary>
    private bool CanFindRest()
    {
        var sum = 0;
        for (var i = 0; i < _found.Length; i++)
        {
            var rule = _plan.Shape.Wanted[i];
            var open = rule.Min - _found[i];
            if (open <= 0)
                continue;
            sum += open;
            var places = 0;
            for (var at = Math.Max(Count, rule.From); places < open && (_plan.Most < 0 || at < _plan.Most); at++)
            {
                var possible = !_plan.Compiler.Lives.IsEmpty(_plan.Compiler.Nodes.And(_plan.Shape.Item(at), rule.Value));
                if (at >= _plan.Shape.Prefix.Count)
                {
                    places = !possible ? places : _plan.Most < 0 ? open : places + _plan.Most - at;
                    break;
                }

                places += possible ? 1 : 0;
            }

            if (places < open)
                return false;
        }

        return _plan.Most < 0 || sum <= _plan.Most - Count;
    }
}
