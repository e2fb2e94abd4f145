namespace Slm.Tokenization.Templates;

/// <summary>Filters that give numbers.</summary>
internal static class NumberFilters
{
    public static IReadOnlyDictionary<string, TemplateFilter> All { get; } = new Dictionary<string, TemplateFilter>
    {
        ["int"] = ToInt,
        ["float"] = ToFloat,
        ["abs"] = Abs,
        ["round"] = Round,
        ["length"] = (i, v, a) => Length(i, v, a),
        ["count"] = (i, v, a) => Length(i, v, a),
        ["sum"] = Sum,
        ["min"] = (_, v, a) => Extreme(v, a, "min", -1),
        ["max"] = (_, v, a) => Extreme(v, a, "max", 1),
    };

    private static object? ToInt(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("int", 0, "default", "base");
        var fallback = CallArguments.Given(v[0]) ? v[0] : 0L;
        switch (value)
        {
            case bool or long: return PyNumber.ToIndex(value);
            case double d: return double.IsFinite(d) ? PyNumber.Truncate(d) : fallback;
            case string s:
                var radix = CallArguments.Integer(v[1], 10);
                if (radix is < 2 or > 36) return fallback;
                if (PyNumber.TryParseInt(s, (int)radix, out var n)) return n;
                return PyNumber.TryParseFloat(s, out var f) && double.IsFinite(f) ? PyNumber.Truncate(f) : fallback;
            case UndefinedValue undefined: throw undefined.Fail();
            default: return fallback;
        }
    }

    private static object? ToFloat(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("float", 0, "default");
        var fallback = CallArguments.Given(v[0]) ? v[0] : 0.0;
        return value switch
        {
            bool or long or double => PyNumber.ToDouble(value),
            string s => PyNumber.TryParseFloat(s, out var f) ? f : fallback,
            UndefinedValue undefined => throw undefined.Fail(),
            _ => fallback,
        };
    }

    private static object Abs(Interpreter interpreter, object? value, CallArguments arguments)
    {
        arguments.Bind("abs", 0);
        return value switch
        {
            bool or long => PyNumber.ToIndex(value) is var n && n < 0 ? PyNumber.Negate(n) : n,
            double d => Math.Abs(d),
            UndefinedValue undefined => throw undefined.Fail(),
            _ => throw TemplateException.Evaluation($"bad operand type for abs(): '{PyText.TypeName(value)}'"),
        };
    }

    private static object Round(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("round", 0, "precision", "method");
        if (value is UndefinedValue undefined) throw undefined.Fail();
        var precision = CallArguments.Integer(v[0], 0);
        if (Math.Abs(precision) > 100) throw TemplateException.Limit("a precision above 100");
        var method = CallArguments.Text(v[1], "common");
        var number = PyNumber.ToDouble(value);
        switch (method)
        {
            case "common" when value is long or bool && precision >= 0: return value is bool b ? (b ? 1L : 0L) : value;
            case "common":
                if (!double.IsFinite(number)) return number;
                if (precision >= 0) return double.Parse(PyFormat.Fixed(number, (int)precision), System.Globalization.CultureInfo.InvariantCulture);
                var scale = Math.Pow(10, -precision);
                var rounded = Math.Round(number / scale, MidpointRounding.ToEven) * scale;
                return value is double ? rounded : PyNumber.Truncate(rounded);
            case "ceil": return Math.Ceiling(number * Math.Pow(10, precision)) / Math.Pow(10, precision);
            case "floor": return Math.Floor(number * Math.Pow(10, precision)) / Math.Pow(10, precision);
            default: throw TemplateException.Evaluation("method must be common, ceil or floor");
        }
    }

    private static long Length(Interpreter interpreter, object? value, CallArguments arguments)
    {
        arguments.Bind("length", 0);
        return PyContainer.Length(value);
    }

    private static object? Sum(Interpreter interpreter, object? value, CallArguments arguments)
    {
        var v = arguments.Bind("sum", 0, "attribute", "start");
        var total = CallArguments.Given(v[1]) ? v[1] : 0L;
        foreach (var item in PyContainer.Iterate(value))
        {
            var term = CallArguments.Given(v[0]) && v[0] is not null ? TemplateFilters.Attribute(item, v[0], null) : item;
            total = Operators.Binary("+", total, term);
        }
        return total;
    }

    private static object? Extreme(object? value, CallArguments arguments, string name, int sign)
    {
        var v = arguments.Bind(name, 0, "case_sensitive", "attribute");
        var caseSensitive = CallArguments.Flag(v[0], false);
        object? Key(object? item) => TemplateFilters.Key(
            CallArguments.Given(v[1]) && v[1] is not null ? TemplateFilters.Attribute(item, v[1], null) : item, caseSensitive);
        var items = PyContainer.Iterate(value);
        if (items.Count == 0) return new UndefinedValue("No aggregated item, sequence was empty.");
        var best = items[0];
        for (var i = 1; i < items.Count; i++)
        {
            if (PyCompare.Compare(Key(items[i]), Key(best)) * sign > 0) best = items[i];
        }
        return best;
    }
}
