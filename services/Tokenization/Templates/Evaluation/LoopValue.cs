namespace Slm.Tokenization.Templates;

/// <summary>The variable <c>loop</c> inside a for statement.</summary>
internal sealed class LoopValue(IReadOnlyList<object?> items, int depth0, Func<object?, int, object?>? recurse) : PyCallable
{
    private object?[]? _lastChanged;

    public override string Name => $"LoopContext {Index0 + 1}/{items.Count}";

    public int Index0 { get; set; }

    public long Length => items.Count;

    public override object? Call(CallArguments arguments)
    {
        var v = arguments.Bind("loop", 1, "iterable");
        if (recurse is null) throw TemplateException.Evaluation("The loop must have the 'recursive' marker to be called recursively.");
        return recurse(v[0], depth0 + 1);
    }

    public override bool TryGetAttribute(string name, out object? value)
    {
        switch (name)
        {
            case "index": value = Index0 + 1L; break;
            case "index0": value = (long)Index0; break;
            case "revindex": value = (long)items.Count - Index0; break;
            case "revindex0": value = items.Count - Index0 - 1L; break;
            case "first": value = Index0 == 0; break;
            case "last": value = Index0 == items.Count - 1; break;
            case "length": value = (long)items.Count; break;
            case "depth": value = depth0 + 1L; break;
            case "depth0": value = (long)depth0; break;
            case "previtem": value = Index0 > 0 ? items[Index0 - 1] : new UndefinedValue("there is no previous item"); break;
            case "nextitem": value = Index0 + 1 < items.Count ? items[Index0 + 1] : new UndefinedValue("there is no next item"); break;
            case "cycle": value = new PyFunction("cycle", Cycle); break;
            case "changed": value = new PyFunction("changed", a => Changed(a)); break;
            default:
                value = null;
                return false;
        }
        return true;
    }

    private object? Cycle(CallArguments arguments) => arguments.Positional.Count == 0
        ? throw TemplateException.Evaluation("no items for cycling given")
        : arguments.Positional[Index0 % arguments.Positional.Count];

    private bool Changed(CallArguments arguments)
    {
        object?[] now = [.. arguments.Positional];
        var changed = _lastChanged is null || !PyCompare.AreEqual(new PyTuple(_lastChanged), new PyTuple(now));
        _lastChanged = now;
        return changed;
    }
}
