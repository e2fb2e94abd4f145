using System.Text;

namespace Slm.Tokenization.Templates;

internal sealed partial class Interpreter
{
    private object? Evaluate(Expression expression)
    {
        Enter(expression);
        var value = EvaluateNode(expression);
        _depth--;
        return value;
    }

    private object? EvaluateNode(Expression expression)
    {
        switch (expression)
        {
            case ConstantExpression constant: return constant.Value;
            case NameExpression name: return _scope.TryGet(name.Name, out var value) ? value : UndefinedValue.Name(name.Name);
            case AttributeExpression attribute: return PyContainer.GetAttribute(Evaluate(attribute.Target), attribute.Name);
            case ItemExpression { Index: SliceExpression slice } item:
                return PyContainer.Slice(Evaluate(item.Target), Optional(slice.Start), Optional(slice.Stop), Optional(slice.Step));
            case ItemExpression item: return PyContainer.GetItem(Evaluate(item.Target), Evaluate(item.Index));
            case CallExpression call: return Call(call, null);
            case FilterExpression filter: return ApplyFilter(filter, Evaluate(filter.Target!));
            case TestExpression test:
                var subject = Evaluate(test.Target);
                return TemplateTests.Get(test.Name)(subject, EvaluateArguments(test.Arguments, null)) != test.Negated;
            case AndExpression and:
                var left = Evaluate(and.Left);
                return PyCompare.IsTrue(left) ? Evaluate(and.Right) : left;
            case OrExpression or:
                var first = Evaluate(or.Left);
                return PyCompare.IsTrue(first) ? first : Evaluate(or.Right);
            case NotExpression not: return !PyCompare.IsTrue(Evaluate(not.Operand));
            case CompareExpression compare: return EvaluateComparison(compare);
            case BinaryExpression binary: return Operators.Binary(binary.Operator, Evaluate(binary.Left), Evaluate(binary.Right));
            case UnaryExpression unary:
                var operand = Evaluate(unary.Operand);
                return unary.Negative ? PyNumber.Negate(operand) : PyNumber.Plus(operand);
            case ConcatExpression concat: return EvaluateConcat(concat);
            case ConditionalExpression conditional:
                if (PyCompare.IsTrue(Evaluate(conditional.Condition))) return Evaluate(conditional.Then);
                return conditional.Else is null
                    ? new UndefinedValue("the inline if-expression evaluated to false and no else section was defined.")
                    : Evaluate(conditional.Else);
            case ListExpression list: return new PyList(EvaluateAll(list.Items));
            case TupleExpression tuple: return new PyTuple(EvaluateAll(tuple.Items));
            case DictExpression dict:
                var result = new PyDict();
                foreach (var (key, item) in dict.Items) result.Set(Evaluate(key), Evaluate(item));
                return result;
            case SliceExpression: throw TemplateException.Evaluation("a slice cannot be part of a tuple index");
            default: throw new InvalidOperationException($"unknown expression {expression.GetType().Name}");
        }
    }

    private object? Optional(Expression? expression) => expression is null ? null : Evaluate(expression);

    private object?[] EvaluateAll(Expression[] items)
    {
        var values = new object?[items.Length];
        for (var i = 0; i < items.Length; i++) values[i] = Evaluate(items[i]);
        return values;
    }

    private bool EvaluateComparison(CompareExpression compare)
    {
        var left = Evaluate(compare.First);
        foreach (var (op, expression) in compare.Rest)
        {
            var right = Evaluate(expression);
            var holds = op switch
            {
                "==" => PyCompare.AreEqual(left, right),
                "!=" => !PyCompare.AreEqual(left, right),
                "<" => PyCompare.Compare(left, right, op) < 0,
                "<=" => PyCompare.Compare(left, right, op) <= 0,
                ">" => PyCompare.Compare(left, right, op) > 0,
                ">=" => PyCompare.Compare(left, right, op) >= 0,
                "in" => PyCompare.Contains(right, left),
                _ => !PyCompare.Contains(right, left),
            };
            if (!holds) return false;
            left = right;
        }
        return true;
    }

    private string EvaluateConcat(ConcatExpression concat)
    {
        var text = new StringBuilder();
        foreach (var item in concat.Items)
        {
            var part = PyText.Str(Evaluate(item));
            RenderBudget.ChargeText(text.Length + (long)part.Length);
            text.Append(part);
        }
        return text.ToString();
    }

    private object? Call(CallExpression call, MacroValue? caller)
    {
        var target = Evaluate(call.Target);
        var arguments = EvaluateArguments(call.Arguments, caller);
        Line = call.Line;
        return target switch
        {
            PyCallable callable => callable.Call(arguments),
            UndefinedValue undefined => throw undefined.Fail(),
            _ => throw TemplateException.Evaluation($"'{PyText.TypeName(target)}' object is not callable"),
        };
    }

    private CallArguments EvaluateArguments(Arguments arguments, MacroValue? caller)
    {
        if (ReferenceEquals(arguments, Arguments.None) && caller is null) return CallArguments.None;
        var positional = new List<object?>(EvaluateAll(arguments.Positional));
        var named = new List<KeyValuePair<string, object?>>();
        foreach (var (name, expression) in arguments.Named) Name(name, Evaluate(expression));
        if (caller is not null) Name("caller", caller);
        if (arguments.Star is not null) positional.AddRange(PyContainer.Iterate(Evaluate(arguments.Star)));
        if (arguments.DoubleStar is not null)
        {
            if (Evaluate(arguments.DoubleStar) is not PyDict dict) throw TemplateException.Evaluation("argument after ** must be a mapping");
            foreach (var (key, value) in dict.Entries) Name(key as string ?? throw TemplateException.Evaluation("keywords must be strings"), value);
        }
        RenderBudget.Charge(positional.Count + named.Count);
        return new CallArguments(positional, named);

        void Name(string name, object? value)
        {
            if (named.Exists(n => n.Key == name)) throw TemplateException.Evaluation($"keyword argument repeated: {name}");
            named.Add(new(name, value));
        }
    }

    private object? ApplyFilter(FilterExpression filter, object? value)
    {
        var arguments = EvaluateArguments(filter.Arguments, null);
        Line = filter.Line;
        return TemplateFilters.Get(filter.Name)(this, value, arguments);
    }

    /// <summary>Applies a chain of filters whose innermost target is the text of a block.</summary>
    private object? EvaluateFilters(Expression filter, object? text)
    {
        if (filter is not FilterExpression node) return text;
        return ApplyFilter(node, node.Target is null ? text : EvaluateFilters(node.Target, text));
    }
}
