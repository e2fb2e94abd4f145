namespace Slm.Tokenization.Templates;

/// <summary>The methods of Python's list, tuple and dict that do not change them.</summary>
internal static class ContainerMethods
{
    private static readonly string[] Changing =
    [
        "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort", "popitem", "setdefault", "update",
    ];

    public static bool TryGet(PyDict self, string name, out object? member)
    {
        member = name switch
        {
            "items" => Function(name, a =>
            {
                a.Bind(name, 0);
                RenderBudget.ChargeItems(self.Count);
                return new PyView("dict_items", [.. self.Entries.Select(e => (object?)new PyTuple([e.Key, e.Value]))]);
            }),
            "keys" => Function(name, a =>
            {
                a.Bind(name, 0);
                RenderBudget.ChargeItems(self.Count);
                return new PyView("dict_keys", [.. self.Entries.Select(e => e.Key)]);
            }),
            "values" => Function(name, a =>
            {
                a.Bind(name, 0);
                RenderBudget.ChargeItems(self.Count);
                return new PyView("dict_values", [.. self.Entries.Select(e => e.Value)]);
            }),
            "get" => Function(name, a =>
            {
                var v = a.Bind(name, 1, "/key", "/default");
                return self.TryGet(v[0], out var value) ? value : CallArguments.Given(v[1]) ? v[1] : null;
            }),
            "copy" => Function(name, a =>
            {
                a.Bind(name, 0);
                return self;
            }),
            "clear" or "pop" or "popitem" or "setdefault" or "update" => Forbidden("dict", name),
            _ => null,
        };
        return member is not null;
    }

    public static bool TryGet(PySequence self, string name, out object? member)
    {
        var isList = self is PyList;
        member = name switch
        {
            "index" => Function(name, a =>
            {
                var v = a.Bind(name, 1, "/value");
                for (var i = 0; i < self.Items.Count; i++)
                {
                    if (PyCompare.AreEqual(self.Items[i], v[0])) return (long)i;
                }
                throw TemplateException.Evaluation($"{PyText.Repr(v[0])} is not in {PyText.TypeName(self)}");
            }),
            "count" => Function(name, a =>
            {
                var v = a.Bind(name, 1, "/value");
                return (long)self.Items.Count(item => PyCompare.AreEqual(item, v[0]));
            }),
            "copy" when isList => Function(name, a =>
            {
                a.Bind(name, 0);
                return self;
            }),
            _ when isList && Changing.Contains(name) && name is not ("popitem" or "setdefault" or "update") => Forbidden("list", name),
            _ => null,
        };
        return member is not null;
    }

    private static PyFunction Function(string name, Func<CallArguments, object?> function) => new($"built-in method {name}", function);

    private static UndefinedValue Forbidden(string type, string name) =>
        new($"access to attribute '{name}' of '{type}' object is unsafe");
}
