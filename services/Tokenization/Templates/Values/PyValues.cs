using System.Runtime.CompilerServices;

namespace Slm.Tokenization.Templates;

/// <summary>
/// The values of the template language are Python's: null (None), bool, long, double, string, and the types below.
/// Every container is immutable from within a template, as in Jinja's immutable sandbox.
/// </summary>
internal abstract class PySequence
{
    public abstract IReadOnlyList<object?> Items { get; }
}

internal sealed class PyList(IReadOnlyList<object?> items) : PySequence
{
    public override IReadOnlyList<object?> Items { get; } = items;
}

/// <summary>A tuple; a group of the groupby filter also has attributes.</summary>
internal sealed class PyTuple(IReadOnlyList<object?> items, string[]? names = null) : PySequence
{
    public override IReadOnlyList<object?> Items { get; } = items;

    public string[]? Names { get; } = names;
}

internal sealed class PyRange : PySequence
{
    private readonly Lazy<object?[]> _items;

    public PyRange(long start, long stop, long step)
    {
        if (step == 0) throw TemplateException.Evaluation("range() step must not be zero");
        (Start, Stop, Step) = (start, stop, step);
        var span = step > 0 ? (decimal)stop - start : (decimal)start - stop;
        var count = span <= 0 ? 0 : decimal.Ceiling(span / Math.Abs((decimal)step));
        var max = RenderBudget.Current.Limits.MaxRange;
        if (count > max) throw TemplateException.Limit($"range too big, the sandbox allows {max} items");
        _items = new(() =>
        {
            RenderBudget.ChargeItems((long)count);
            var items = new object?[(int)count];
            for (var i = 0; i < items.Length; i++) items[i] = start + (i * step);
            return items;
        });
    }

    public long Start { get; }

    public long Stop { get; }

    public long Step { get; }

    public override IReadOnlyList<object?> Items => _items.Value;
}

/// <summary>The keys, values or items of a dict; <see cref="Kind"/> is the name Python prints.</summary>
internal sealed class PyView(string kind, IReadOnlyList<object?> items)
{
    public string Kind { get; } = kind;

    public IReadOnlyList<object?> Items { get; } = items;
}

/// <summary>What map, select and their like return: true in a condition, and gone once it was iterated.</summary>
internal sealed class PyIterator(IReadOnlyList<object?> items)
{
    private int _next;

    public IReadOnlyList<object?> TakeRest()
    {
        var rest = _next == 0 ? items : [.. items.Skip(_next)];
        _next = items.Count;
        return rest;
    }

    public bool TryTake(out object? item)
    {
        var found = _next < items.Count;
        item = found ? items[_next++] : null;
        return found;
    }
}

/// <summary>A dict that keeps the order of insertion.</summary>
internal sealed class PyDict
{
    private static readonly object NoneKey = new();
    private readonly Dictionary<object, int> _index;
    private readonly List<KeyValuePair<object?, object?>> _entries = [];

    public PyDict() => _index = new Dictionary<object, int>(PyKeyComparer.Instance);

    public IReadOnlyList<KeyValuePair<object?, object?>> Entries => _entries;

    public int Count => _entries.Count;

    public void Set(object? key, object? value)
    {
        PyKeyComparer.CheckHashable(key);
        if (_index.TryGetValue(key ?? NoneKey, out var i))
        {
            _entries[i] = new(_entries[i].Key, value);
            return;
        }
        _index.Add(key ?? NoneKey, _entries.Count);
        _entries.Add(new(key, value));
    }

    public bool TryGet(object? key, out object? value)
    {
        PyKeyComparer.CheckHashable(key);
        var found = _index.TryGetValue(key ?? NoneKey, out var i);
        value = found ? _entries[i].Value : null;
        return found;
    }
}

/// <summary>Keys are equal as Python's == says: 1, 1.0 and True are one key.</summary>
internal sealed class PyKeyComparer : IEqualityComparer<object>
{
    public static PyKeyComparer Instance { get; } = new();

    public static void CheckHashable(object? key)
    {
        if (!IsHashable(key)) throw TemplateException.Evaluation($"unhashable type: '{PyText.TypeName(key)}'");
    }

    public static bool IsHashable(object? key)
    {
        switch (key)
        {
            case null or bool or long or double or string or UndefinedValue or PyRange or PyCallable: return true;
            case PyTuple tuple:
                RenderBudget.Charge(1 + tuple.Items.Count);
                RuntimeHelpers.EnsureSufficientExecutionStack();
                return tuple.Items.All(IsHashable);
            default: return false;
        }
    }

    bool IEqualityComparer<object>.Equals(object? x, object? y) => ReferenceEquals(x, y) || PyCompare.AreEqual(x, y);

    int IEqualityComparer<object>.GetHashCode(object value) => Hash(value);

    private static int Hash(object? value)
    {
        switch (value)
        {
            case bool b: return (b ? 1.0 : 0.0).GetHashCode();
            case long n: return ((double)n).GetHashCode();
            case double d: return d.GetHashCode();
            case string s: return string.GetHashCode(s, StringComparison.Ordinal);
            case PyTuple tuple:
                RenderBudget.Charge(1 + tuple.Items.Count);
                var hash = new HashCode();
                foreach (var item in tuple.Items) hash.Add(item is null ? 0 : Hash(item));
                return hash.ToHashCode();
            case PyRange range: return HashCode.Combine(range.Start, range.Step);
            case UndefinedValue: return 7;
            default: return value is null ? 0 : RuntimeHelpers.GetHashCode(value);
        }
    }
}

/// <summary>A name or attribute that does not exist: prints as nothing, is false and empty; any other use is an error.</summary>
internal sealed class UndefinedValue(string reason)
{
    public string Reason { get; } = reason;

    public static UndefinedValue Name(string name) => new($"'{name}' is undefined");

    public TemplateException Fail() => TemplateException.Evaluation(Reason);
}

/// <summary>The object <c>namespace()</c> makes: the one thing a template may change.</summary>
internal sealed class NamespaceValue
{
    public Dictionary<string, object?> Attributes { get; } = new(StringComparer.Ordinal);
}

/// <summary>Anything a template can call.</summary>
internal abstract class PyCallable
{
    public abstract string Name { get; }

    public abstract object? Call(CallArguments arguments);

    /// <summary>Attributes readable with a dot; null if there is none of that name.</summary>
    public virtual bool TryGetAttribute(string name, out object? value)
    {
        value = null;
        return false;
    }
}

internal sealed class PyFunction(string name, Func<CallArguments, object?> function) : PyCallable
{
    public override string Name { get; } = name;

    public override object? Call(CallArguments arguments) => function(arguments);
}
