namespace Slm.Tokenization.Templates;

internal delegate bool TemplateTest(object? value, CallArguments arguments);

/// <summary>What may follow <c>is</c>.</summary>
internal static class TemplateTests
{
    private static readonly Dictionary<string, TemplateTest> All = new(StringComparer.Ordinal)
    {
        ["defined"] = (v, a) => Plain(a, v is not UndefinedValue),
        ["undefined"] = (v, a) => Plain(a, v is UndefinedValue),
        ["none"] = (v, a) => Plain(a, v is null),
        ["boolean"] = (v, a) => Plain(a, v is bool),
        ["true"] = (v, a) => Plain(a, v is true),
        ["false"] = (v, a) => Plain(a, v is false),
        ["integer"] = (v, a) => Plain(a, v is long),
        ["float"] = (v, a) => Plain(a, v is double),
        ["number"] = (v, a) => Plain(a, PyNumber.IsNumber(v)),
        ["string"] = (v, a) => Plain(a, v is string),
        ["mapping"] = (v, a) => Plain(a, v is PyDict),
        ["sequence"] = (v, a) => Plain(a, v is string or PySequence or PyDict or UndefinedValue),
        ["iterable"] = (v, a) => Plain(a, v is string or PySequence or PyDict or PyView or PyIterator or UndefinedValue or LoopValue),
        ["callable"] = (v, a) => Plain(a, v is PyCallable or UndefinedValue),
        ["escaped"] = (_, a) => Plain(a, false),
        ["odd"] = (v, a) => Plain(a, Modulo(v, 2L) is var m && PyCompare.AreEqual(m, 1L)),
        ["even"] = (v, a) => Plain(a, PyCompare.AreEqual(Modulo(v, 2L), 0L)),
        ["divisibleby"] = (v, a) => PyCompare.AreEqual(Modulo(v, a.Bind("divisibleby", 1, "num")[0]), 0L),
        ["lower"] = (v, a) => Plain(a, PyText.Str(v) is var s && s.Any(char.IsLower) && !s.Any(char.IsUpper)),
        ["upper"] = (v, a) => Plain(a, PyText.Str(v) is var s && s.Any(char.IsUpper) && !s.Any(char.IsLower)),
        ["sameas"] = (v, a) => Same(v, a.Bind("sameas", 1, "other")[0]),
        ["in"] = (v, a) => PyCompare.Contains(a.Bind("in", 1, "seq")[0], v),
        ["eq"] = Equal,
        ["equalto"] = Equal,
        ["=="] = Equal,
        ["ne"] = (v, a) => !Equal(v, a),
        ["!="] = (v, a) => !Equal(v, a),
        ["lt"] = (v, a) => Order(v, a) < 0,
        ["lessthan"] = (v, a) => Order(v, a) < 0,
        ["<"] = (v, a) => Order(v, a) < 0,
        ["le"] = (v, a) => Order(v, a) <= 0,
        ["<="] = (v, a) => Order(v, a) <= 0,
        ["gt"] = (v, a) => Order(v, a) > 0,
        ["greaterthan"] = (v, a) => Order(v, a) > 0,
        [">"] = (v, a) => Order(v, a) > 0,
        ["ge"] = (v, a) => Order(v, a) >= 0,
        [">="] = (v, a) => Order(v, a) >= 0,
        ["filter"] = (v, a) => Plain(a, v is string name && TemplateFilters.Exists(name)),
        ["test"] = (v, a) => Plain(a, v is string name && Exists(name)),
    };

    public static bool Exists(string name) => All.ContainsKey(name);

    public static TemplateTest Get(string name) =>
        All.TryGetValue(name, out var test) ? test : throw TemplateException.Evaluation($"no test named '{name}'");

    private static bool Plain(CallArguments arguments, bool result)
    {
        arguments.Bind("test", 0);
        return result;
    }

    private static object? Modulo(object? value, object? by) => Operators.Binary("%", value, by);

    private static bool Equal(object? value, CallArguments arguments) => PyCompare.AreEqual(value, arguments.Bind("equalto", 1, "other")[0]);

    private static int Order(object? value, CallArguments arguments) => PyCompare.Compare(value, arguments.Bind("order", 1, "other")[0]);

    private static bool Same(object? left, object? right) => left is null or bool or long or double or string
        ? left?.GetType() == right?.GetType() && PyCompare.AreEqual(left, right)
        : ReferenceEquals(left, right);
}
