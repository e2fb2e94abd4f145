namespace Slm.Tokenization.Templates;

/// <summary>Iteration, length, items, slices and attributes.</summary>
internal static class PyContainer
{
    public static IReadOnlyList<object?> Iterate(object? value)
    {
        switch (value)
        {
            case PySequence list: return list.Items;
            case PyView view: return view.Items;
            case PyIterator iterator: return iterator.TakeRest();
            case PyDict dict:
                RenderBudget.ChargeItems(dict.Count);
                return [.. dict.Entries.Select(e => e.Key)];
            case string text: return PyText.CodePoints(text);
            case UndefinedValue: return [];
            default: throw TemplateException.Evaluation($"'{PyText.TypeName(value)}' object is not iterable");
        }
    }

    public static long Length(object? value) => value switch
    {
        string text => PyText.Length(text),
        PySequence list => list.Items.Count,
        PyDict dict => dict.Count,
        PyView view => view.Items.Count,
        UndefinedValue => 0,
        LoopValue loop => loop.Length,
        _ => throw TemplateException.Evaluation($"object of type '{PyText.TypeName(value)}' has no len()"),
    };

    /// <summary><c>target[index]</c>: the item, else an attribute of that name, else undefined.</summary>
    public static object? GetItem(object? target, object? index)
    {
        switch (target)
        {
            case UndefinedValue undefined: throw undefined.Fail();
            case PyDict dict:
                if (PyKeyComparer.IsHashable(index) && dict.TryGet(index, out var value)) return value;
                break;
            case PySequence list when index is long or bool:
                if (TryIndex(PyNumber.ToIndex(index), list.Items.Count, out var i)) return list.Items[i];
                return new UndefinedValue($"'{PyText.TypeName(target)} object' has no element {PyText.Str(index)}");
            case string text when index is long or bool:
                if (TryIndex(PyNumber.ToIndex(index), PyText.Length(text), out var at)) return PyText.Substring(text, at, 1);
                return new UndefinedValue($"'str object' has no element {PyText.Str(index)}");
            default: break;
        }
        if (index is string name && TryGetMember(target, name, out var member)) return member;
        return Absent(target, PyText.Str(index));
    }

    /// <summary><c>target.name</c>: the attribute, else the item of that key, else undefined.</summary>
    public static object? GetAttribute(object? target, string name)
    {
        if (target is UndefinedValue undefined) throw undefined.Fail();
        if (TryGetMember(target, name, out var member)) return member;
        if (target is PyDict dict && dict.TryGet(name, out var value)) return value;
        return Absent(target, name);
    }

    /// <summary>The attribute only, never an item (the attr filter).</summary>
    public static object? GetMember(object? target, string name)
    {
        if (target is UndefinedValue undefined) throw undefined.Fail();
        return TryGetMember(target, name, out var member) ? member : Absent(target, name);
    }

    private static UndefinedValue Absent(object? target, string name) => name.StartsWith("__", StringComparison.Ordinal)
        ? new UndefinedValue($"access to attribute '{name}' of '{PyText.TypeName(target)}' object is unsafe")
        : new UndefinedValue($"'{PyText.TypeName(target)} object' has no attribute '{name}'");

    private static bool TryGetMember(object? target, string name, out object? member)
    {
        switch (target)
        {
            case string text: return StringMethods.TryGet(text, name, out member);
            case PyDict dict: return ContainerMethods.TryGet(dict, name, out member);
            case PyTuple { Names: { } names } tuple when Array.IndexOf(names, name) is var i and >= 0:
                member = tuple.Items[i];
                return true;
            case PySequence list: return ContainerMethods.TryGet(list, name, out member);
            case NamespaceValue ns: return ns.Attributes.TryGetValue(name, out member);
            case PyCallable callable: return callable.TryGetAttribute(name, out member);
            default:
                member = null;
                return false;
        }
    }

    private static bool TryIndex(long index, int count, out int position)
    {
        if (index < 0) index += count;
        position = (int)Math.Clamp(index, 0, int.MaxValue);
        return index >= 0 && index < count;
    }

    public static object? Slice(object? target, object? start, object? stop, object? step)
    {
        if (target is UndefinedValue undefined) throw undefined.Fail();
        var by = step is null ? 1 : PyNumber.ToIndex(step);
        if (by == 0) throw TemplateException.Evaluation("slice step cannot be zero");
        if (target is string text)
        {
            var (first, last) = Bounds(start, stop, by, PyText.Length(text));
            if (by == 1) return PyText.Substring(text, (int)first, (int)Math.Max(0, last - first));
            return string.Concat(Pick(PyText.CodePoints(text), first, last, by).Cast<string>());
        }
        if (target is not PySequence list) return Absent(target, "slice");
        var bounds = Bounds(start, stop, by, list.Items.Count);
        var picked = Pick(list.Items, bounds.First, bounds.Last, by);
        return target is PyTuple ? new PyTuple(picked) : new PyList(picked);
    }

    private static (long First, long Last) Bounds(object? start, object? stop, long step, int length)
    {
        var low = step > 0 ? 0 : -1;
        var high = step > 0 ? length : length - 1;
        long Resolve(object? bound, long fallback)
        {
            if (bound is null) return fallback;
            var value = PyNumber.ToIndex(bound);
            if (value < 0) value += length;
            return Math.Clamp(value, low, high);
        }
        return (Resolve(start, step > 0 ? low : high), Resolve(stop, step > 0 ? high : low));
    }

    private static List<object?> Pick(IReadOnlyList<object?> items, long first, long last, long step)
    {
        var picked = new List<object?>();
        for (var i = first; step > 0 ? i < last : i > last; i += step)
        {
            RenderBudget.Charge(1);
            picked.Add(items[(int)i]);
            if (Math.Abs(step) > items.Count) break;
        }
        return picked;
    }
}
