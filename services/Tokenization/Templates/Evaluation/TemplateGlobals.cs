namespace Slm.Tokenization.Templates;

/// <summary>The functions every template can call.</summary>
internal static class TemplateGlobals
{
    public static TemplateScope Create(TimeProvider time)
    {
        var scope = new TemplateScope(null);
        void Add(string name, Func<CallArguments, object?> function) => scope.Set(name, new PyFunction($"function {name}", function));
        Add("range", Range);
        Add("dict", a => Merge(a, "dict"));
        Add("namespace", a =>
        {
            var ns = new NamespaceValue();
            foreach (var (key, value) in Merge(a, "namespace").Entries) ns.Attributes[PyText.Str(key)] = value;
            return ns;
        });
        Add("raise_exception", a => throw new TemplateException(
            TemplateErrorKind.Raised, PyText.Str(a.Bind("raise_exception", 1, "message")[0]), 0));
        Add("strftime_now", a => PythonTime.Format(time.GetLocalNow(), PyText.Str(a.Bind("strftime_now", 1, "format")[0])));
        Add("cycler", a => new CyclerValue(a));
        Add("joiner", a => new JoinerValue(CallArguments.Text(a.Bind("joiner", 0, "sep")[0], ", ")));
        return scope;
    }

    private static PyRange Range(CallArguments arguments)
    {
        var v = arguments.Bind("range", 1, "/start", "/stop", "/step");
        return CallArguments.Given(v[1])
            ? new PyRange(PyNumber.ToIndex(v[0]), PyNumber.ToIndex(v[1]), CallArguments.Integer(v[2], 1))
            : new PyRange(0, PyNumber.ToIndex(v[0]), 1);
    }

    private static PyDict Merge(CallArguments arguments, string function)
    {
        var result = new PyDict();
        if (arguments.Positional.Count > 1) throw TemplateException.Evaluation($"{function} expected at most 1 argument, got {arguments.Positional.Count}");
        foreach (var source in arguments.Positional)
        {
            if (source is PyDict dict)
            {
                foreach (var (key, value) in dict.Entries) result.Set(key, value);
                continue;
            }
            foreach (var item in PyContainer.Iterate(source))
            {
                var pair = PyContainer.Iterate(item);
                if (pair.Count != 2) throw TemplateException.Evaluation($"dictionary update sequence element has length {pair.Count}; 2 is required");
                result.Set(pair[0], pair[1]);
            }
        }
        foreach (var (name, value) in arguments.Named) result.Set(name, value);
        RenderBudget.ChargeItems(result.Count);
        return result;
    }

    private sealed class CyclerValue : PyCallable
    {
        private readonly IReadOnlyList<object?> _items;
        private int _position;

        public CyclerValue(CallArguments arguments)
        {
            _items = arguments.Positional;
            if (_items.Count == 0) throw TemplateException.Evaluation("at least one item has to be provided");
        }

        public override string Name => "Cycler";

        public override object? Call(CallArguments arguments) => throw TemplateException.Evaluation("'Cycler' object is not callable");

        public override bool TryGetAttribute(string name, out object? value)
        {
            value = name switch
            {
                "current" => _items[_position],
                "next" => new PyFunction("next", _ =>
                {
                    var item = _items[_position];
                    _position = (_position + 1) % _items.Count;
                    return item;
                }),
                "reset" => new PyFunction("reset", _ =>
                {
                    _position = 0;
                    return null;
                }),
                _ => CallArguments.Missing,
            };
            return CallArguments.Given(value);
        }
    }

    private sealed class JoinerValue(string separator) : PyCallable
    {
        private bool _used;

        public override string Name => "Joiner";

        public override object? Call(CallArguments arguments)
        {
            arguments.Bind("joiner", 0);
            var text = _used ? separator : "";
            _used = true;
            return text;
        }
    }
}
