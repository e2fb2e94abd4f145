namespace Slm.Tokenization.Templates;

/// <summary>Filters over sequences and dicts, and default.</summary>
internal static class SequenceFilters
{
    public static IReadOnlyDictionary<string, TemplateFilter> All { get; } = new Dictionary<string, TemplateFilter>
    {
        ["default"] = Default,
        ["d"] = Default,
        ["first"] = First,
        ["last"] = (_, v, a) => Last(v, a),
        ["list"] = (_, v, a) => new PyList(Copy(v, a, "list")),
        ["join"] = Join,
        ["reverse"] = Reverse,
        ["sort"] = Sort,
        ["unique"] = Unique,
        ["items"] = Items,
        ["dictsort"] = DictSort,
        ["groupby"] = GroupBy,
        ["batch"] = Batch,
        ["slice"] = Slice,
        ["map"] = Map,
        ["select"] = (i, v, a) => Select(i, v, a, "select", keep: true, byAttribute: false),
        ["reject"] = (i, v, a) => Select(i, v, a, "reject", keep: false, byAttribute: false),
        ["selectattr"] = (i, v, a) => Select(i, v, a, "selectattr", keep: true, byAttribute: true),
        ["rejectattr"] = (i, v, a) => Select(i, v, a, "rejectattr", keep: false, byAttribute: true),
        ["attr"] = (_, v, a) => PyContainer.GetMember(v, PyText.Str(a.Bind("attr", 1, "name")[0])),
    };

    private static IReadOnlyList<object?> Copy(object? value, CallArguments arguments, string filter)
    {
        arguments.Bind(filter, 0);
        var items = PyContainer.Iterate(value);
        RenderBudget.ChargeItems(items.Count);
        return items;
    }

    private static object? Default(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("default", 0, "default_value", "boolean");
        var replace = value is UndefinedValue || (CallArguments.Flag(v[1], false) && !PyCompare.IsTrue(value));
        return replace ? CallArguments.Given(v[0]) ? v[0] : "" : value;
    }

    private static object? First(Interpreter interpreter, object? value, CallArguments arguments)
    {
        arguments.Bind("first", 0);
        if (value is PyIterator iterator) return iterator.TryTake(out var item) ? item : Empty("first");
        var items = PyContainer.Iterate(value);
        return items.Count > 0 ? items[0] : Empty("first");
    }

    private static object? Last(object? value, CallArguments arguments)
    {
        arguments.Bind("last", 0);
        if (value is PyIterator) throw TemplateException.Evaluation("'generator' object is not reversible");
        var items = PyContainer.Iterate(value);
        if (items.Count == 0) return Empty("last");
        return items[items.Count - 1];
    }

    private static UndefinedValue Empty(string which) => new($"No {which} item, sequence was empty.");

    private static string Join(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("join", 0, "d", "attribute");
        var separator = CallArguments.Text(v[0], "");
        var parts = new List<string>();
        long length = 0;
        foreach (var item in PyContainer.Iterate(value))
        {
            parts.Add(PyText.Str(CallArguments.Given(v[1]) && v[1] is not null ? TemplateFilters.Attribute(item, v[1], null) : item));
            length += parts[^1].Length + separator.Length;
            RenderBudget.Charge(1);
        }
        RenderBudget.ChargeText(length);
        return string.Join(separator, parts);
    }

    private static object Reverse(Interpreter interpreter, object? value, CallArguments arguments)
    {
        arguments.Bind("reverse", 0);
        if (value is string text) return string.Concat(PyText.CodePoints(text).Reverse().Cast<string>());
        var items = PyContainer.Iterate(value);
        RenderBudget.ChargeItems(items.Count);
        return new PyIterator([.. items.Reverse()]);
    }

    private static PyList Sort(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("sort", 0, "reverse", "case_sensitive", "attribute");
        var caseSensitive = CallArguments.Flag(v[1], false);
        return new PyList(SortBy(PyContainer.Iterate(value), CallArguments.Flag(v[0], false), item =>
        {
            if (!CallArguments.Given(v[2]) || v[2] is null) return TemplateFilters.Key(item, caseSensitive);
            if (v[2] is not string path || !path.Contains(',', StringComparison.Ordinal))
                return TemplateFilters.Key(TemplateFilters.Attribute(item, v[2], null), caseSensitive);
            return new PyList([.. path.Split(',').Select(p => TemplateFilters.Key(TemplateFilters.Attribute(item, p, null), caseSensitive))]);
        }));
    }

    private static IReadOnlyList<object?> SortBy(IReadOnlyList<object?> items, bool reverse, Func<object?, object?> key)
    {
        RenderBudget.ChargeItems(items.Count);
        return PyCompare.SortBy(items, key, reverse);
    }

    private static PyIterator Unique(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("unique", 0, "case_sensitive", "attribute");
        var seen = new PyDict();
        var kept = new List<object?>();
        foreach (var item in PyContainer.Iterate(value))
        {
            var key = CallArguments.Given(v[1]) && v[1] is not null ? TemplateFilters.Attribute(item, v[1], null) : item;
            key = TemplateFilters.Key(key, CallArguments.Flag(v[0], false));
            RenderBudget.Charge(1);
            if (seen.TryGet(key, out _)) continue;
            seen.Set(key, true);
            kept.Add(item);
        }
        return new PyIterator(kept);
    }

    private static PyIterator Items(Interpreter interpreter, object? value, CallArguments arguments)
    {
        arguments.Bind("items", 0);
        if (value is UndefinedValue) return new PyIterator([]);
        if (value is not PyDict dict) throw TemplateException.Evaluation("Can only get item pairs from a mapping.");
        RenderBudget.ChargeItems(dict.Count);
        return new PyIterator([.. dict.Entries.Select(e => new PyTuple([e.Key, e.Value]))]);
    }

    private static PyList DictSort(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("dictsort", 0, "case_sensitive", "by", "reverse");
        var by = CallArguments.Text(v[1], "key");
        if (by is not ("key" or "value")) throw TemplateException.Evaluation("You can only sort by either \"key\" or \"value\"");
        if (value is UndefinedValue undefined) throw undefined.Fail();
        if (value is not PyDict dict) throw TemplateException.Evaluation($"'{PyText.TypeName(value)} object' has no attribute 'items'");
        List<object?> pairs = [.. dict.Entries.Select(e => new PyTuple([e.Key, e.Value]))];
        return new PyList(SortBy(pairs, CallArguments.Flag(v[2], false),
            pair => TemplateFilters.Key(((PyTuple)pair!).Items[by == "key" ? 0 : 1], CallArguments.Flag(v[0], false))));
    }

    private static PyList GroupBy(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("groupby", 1, "attribute", "default", "case_sensitive");
        var caseSensitive = CallArguments.Flag(v[2], false);
        object? Key(object? item) => TemplateFilters.Key(TemplateFilters.Attribute(item, v[0], v[1]), caseSensitive);
        var groups = new List<object?>();
        List<object?>? group = null;
        object? current = null;
        foreach (var item in SortBy(PyContainer.Iterate(value), reverse: false, Key))
        {
            var key = Key(item);
            if (group is null || !PyCompare.AreEqual(key, current))
            {
                group = [];
                current = key;
                groups.Add(new PyTuple([TemplateFilters.Attribute(item, v[0], v[1]), new PyList(group)], ["grouper", "list"]));
            }
            group.Add(item);
        }
        return new PyList(groups);
    }

    private static PyIterator Batch(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("batch", 1, "linecount", "fill_with");
        var size = PyNumber.ToIndex(v[0]);
        var items = PyContainer.Iterate(value);
        RenderBudget.ChargeItems(items.Count);
        var batches = new List<List<object?>>();
        foreach (var item in items)
        {
            if (batches.Count == 0 || batches[^1].Count == size) batches.Add([]);
            batches[^1].Add(item);
        }
        if (batches.Count > 0 && CallArguments.Given(v[1]) && v[1] is not null && batches[^1].Count < size)
        {
            RenderBudget.ChargeItems(size);
            while (batches[^1].Count < size) batches[^1].Add(v[1]);
        }
        return new PyIterator([.. batches.Select(b => new PyList(b))]);
    }

    private static PyIterator Slice(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("slice", 1, "slices", "fill_with");
        var items = PyContainer.Iterate(value);
        var count = PyNumber.ToIndex(v[0]);
        if (count <= 0) throw TemplateException.Evaluation("slices must be positive");
        RenderBudget.ChargeItems(count + items.Count);
        var (each, extra) = ((int)(items.Count / count), (int)(items.Count % count));
        var slices = new List<object?>();
        var at = 0;
        for (var i = 0; i < count; i++)
        {
            var length = each + (i < extra ? 1 : 0);
            List<object?> part = [.. items.Skip(at).Take(length)];
            at += length;
            if (CallArguments.Given(v[1]) && v[1] is not null && i >= extra) part.Add(v[1]);
            slices.Add(new PyList(part));
        }
        return new PyIterator(slices);
    }

    private static PyIterator Map(Interpreter interpreter, object? value, CallArguments arguments)
    {
        if (!PyCompare.IsTrue(value) && value is not PyIterator) return new PyIterator([]);
        var items = PyContainer.Iterate(value);
        RenderBudget.ChargeItems(items.Count);
        if (arguments.Positional.Count == 0)
        {
            var v = arguments.Bind("map", 1, "attribute", "default");
            return new PyIterator([.. items.Select(item => TemplateFilters.Attribute(item, v[0], v[1]))]);
        }
        var filter = TemplateFilters.Get(PyText.Str(arguments.Positional[0]));
        var rest = new CallArguments([.. arguments.Positional.Skip(1)], arguments.Named);
        return new PyIterator([.. items.Select(item => filter(interpreter, item, rest))]);
    }

    private static PyIterator Select(Interpreter interpreter, object? value, CallArguments arguments, string name, bool keep, bool byAttribute)
    {
        if (!PyCompare.IsTrue(value) && value is not PyIterator) return new PyIterator([]);
        var used = byAttribute ? 1 : 0;
        if (arguments.Positional.Count < used) throw TemplateException.Evaluation($"{name} misses the attribute's name");
        var test = arguments.Positional.Count > used ? TemplateTests.Get(PyText.Str(arguments.Positional[used])) : null;
        var rest = new CallArguments([.. arguments.Positional.Skip(used + 1)], arguments.Named);
        var kept = new List<object?>();
        foreach (var item in PyContainer.Iterate(value))
        {
            RenderBudget.Charge(1);
            var subject = byAttribute ? TemplateFilters.Attribute(item, arguments.Positional[0], null) : item;
            if ((test is null ? PyCompare.IsTrue(subject) : test(subject, rest)) == keep) kept.Add(item);
        }
        return new PyIterator(kept);
    }
}
