namespace Slm.Tokenization.Templates;

/// <summary>The binary operators over all types.</summary>
internal static class Operators
{
    public static object? Binary(string op, object? left, object? right)
    {
        if (op == "%" && left is string format) return PyFormat.Percent(format, right);
        if (left is UndefinedValue a) throw a.Fail();
        if (right is UndefinedValue b) throw b.Fail();
        if (PyNumber.IsNumber(left) && PyNumber.IsNumber(right)) return PyNumber.Arithmetic(op, left, right);
        switch (op)
        {
            case "+" when left is string s && right is string t:
                RenderBudget.ChargeText((long)s.Length + t.Length);
                return s + t;
            case "+" when left is PyList x && right is PyList y: return new PyList(Join(x, y));
            case "+" when left is PyTuple x && right is PyTuple y: return new PyTuple(Join(x, y));
            case "*" when left is string or PyList or PyTuple && right is long or bool: return Repeat(left, PyNumber.ToIndex(right));
            case "*" when right is string or PyList or PyTuple && left is long or bool: return Repeat(right, PyNumber.ToIndex(left));
            default:
                throw TemplateException.Evaluation(op == "+" && left is string
                    ? $"can only concatenate str (not \"{PyText.TypeName(right)}\") to str"
                    : $"unsupported operand type(s) for {op}: '{PyText.TypeName(left)}' and '{PyText.TypeName(right)}'");
        }
    }

    private static List<object?> Join(PySequence left, PySequence right)
    {
        RenderBudget.ChargeItems(left.Items.Count + (long)right.Items.Count);
        return [.. left.Items, .. right.Items];
    }

    private static object Repeat(object? value, long times)
    {
        times = Math.Max(0, times);
        if (value is string text)
        {
            RenderBudget.ChargeText((long)Math.Min((decimal)text.Length * times, long.MaxValue));
            return text.Length == 0 ? "" : string.Concat(Enumerable.Repeat(text, (int)times));
        }
        var items = ((PySequence)value!).Items;
        RenderBudget.ChargeItems((long)Math.Min((decimal)items.Count * times, long.MaxValue));
        var repeated = new List<object?>();
        if (items.Count > 0)
        {
            for (var i = 0L; i < times; i++) repeated.AddRange(items);
        }
        return value is PyTuple ? new PyTuple(repeated) : new PyList(repeated);
    }
}
