using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Slm.Tokenization.Templates;

/// <summary>Truth, equality, order and membership as Python defines them.</summary>
internal static class PyCompare
{
    public static bool IsTrue(object? value)
    {
        switch (value)
        {
            case null: return false;
            case bool b: return b;
            case long n: return n != 0;
            case double d: return d != 0;
            case string s: return s.Length > 0;
            case PySequence list: return list.Items.Count > 0;
            case PyDict dict: return dict.Count > 0;
            case PyView view: return view.Items.Count > 0;
            case UndefinedValue: return false;
            case LoopValue loop: return loop.Length > 0;
            default: return true;
        }
    }

    public static bool AreEqual(object? left, object? right)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        RenderBudget.Charge(1);
        switch (left)
        {
            case null: return right is null;
            case bool or long or double:
                if (!PyNumber.IsNumber(right)) return false;
                return left is double || right is double
                    ? PyNumber.ToDouble(left) == PyNumber.ToDouble(right)
                    : PyNumber.ToIndex(left) == PyNumber.ToIndex(right);
            case string s:
                if (right is not string other) return false;
                RenderBudget.Charge(Math.Min(s.Length, other.Length) / 64);
                return string.Equals(s, other, StringComparison.Ordinal);
            case PySequence a when right is PySequence b && left.GetType() == right.GetType():
                if (a.Items.Count != b.Items.Count) return false;
                for (var i = 0; i < a.Items.Count; i++)
                {
                    if (!AreEqual(a.Items[i], b.Items[i])) return false;
                }
                return true;
            case PyDict a when right is PyDict b:
                if (a.Count != b.Count) return false;
                foreach (var (key, value) in a.Entries)
                {
                    if (!b.TryGet(key, out var otherValue) || !AreEqual(value, otherValue)) return false;
                }
                return true;
            case UndefinedValue: return right is UndefinedValue;
            default: return ReferenceEquals(left, right);
        }
    }

    /// <summary>Negative, zero or positive; an error where Python has no order.</summary>
    public static int Compare(object? left, object? right, string op = "<")
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        RenderBudget.Charge(1);
        if (left is UndefinedValue a) throw a.Fail();
        if (right is UndefinedValue b) throw b.Fail();
        if (PyNumber.IsNumber(left) && PyNumber.IsNumber(right))
        {
            return left is double || right is double
                ? PyNumber.ToDouble(left).CompareTo(PyNumber.ToDouble(right))
                : PyNumber.ToIndex(left).CompareTo(PyNumber.ToIndex(right));
        }
        if (left is string s && right is string t) return CompareText(s, t);
        if ((left is PyList && right is PyList) || (left is PyTuple && right is PyTuple))
        {
            var (x, y) = (((PySequence)left).Items, ((PySequence)right).Items);
            for (var i = 0; i < Math.Min(x.Count, y.Count); i++)
            {
                if (!AreEqual(x[i], y[i])) return Compare(x[i], y[i], op);
            }
            return x.Count.CompareTo(y.Count);
        }
        throw TemplateException.Evaluation($"'{op}' not supported between instances of '{PyText.TypeName(left)}' and '{PyText.TypeName(right)}'");
    }

    /// <summary>By code point, which differs from UTF-16 order where surrogates meet the end of the BMP.</summary>
    private static int CompareText(string left, string right)
    {
        var length = Math.Min(left.Length, right.Length);
        RenderBudget.Charge(length / 64);
        for (var i = 0; i < length; i++)
        {
            var (a, b) = (left[i], right[i]);
            if (a == b) continue;
            if (char.IsSurrogate(a) != char.IsSurrogate(b)) return char.IsSurrogate(a) ? 1 : -1;
            return a.CompareTo(b);
        }
        return left.Length.CompareTo(right.Length);
    }

    /// <summary>Sorts stably by a key; items without an order are the template's error, not the sort's.</summary>
    public static IReadOnlyList<T> SortBy<T>(IEnumerable<T> items, Func<T, object?> key, bool reverse = false)
    {
        var comparer = Comparer<object?>.Create((a, b) => reverse ? Compare(b, a) : Compare(a, b));
        try
        {
            return [.. items.OrderBy(key, comparer)];
        }
        catch (InvalidOperationException error) when (error.InnerException is TemplateException or InsufficientExecutionStackException)
        {
            ExceptionDispatchInfo.Throw(error.InnerException);
            throw;
        }
    }

    public static bool Contains(object? container, object? item)
    {
        switch (container)
        {
            case string text:
                if (item is not string part)
                {
                    if (item is UndefinedValue u) throw TemplateException.Evaluation($"'in <string>' requires string as left operand, not Undefined ({u.Reason})");
                    throw TemplateException.Evaluation($"'in <string>' requires string as left operand, not {PyText.TypeName(item)}");
                }
                StringMethods.ChargeSearch(text, part);
                return text.Contains(part, StringComparison.Ordinal);
            case PyDict dict: return dict.TryGet(item, out _);
            default:
                foreach (var candidate in PyContainer.Iterate(container))
                {
                    if (ReferenceEquals(candidate, item) || AreEqual(candidate, item)) return true;
                }
                return false;
        }
    }
}
