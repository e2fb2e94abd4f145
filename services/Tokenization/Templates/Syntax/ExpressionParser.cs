using System.Runtime.CompilerServices;

namespace Slm.Tokenization.Templates;

/// <summary>Recursive descent over Jinja's expression grammar, with its precedences.</summary>
internal sealed class ExpressionParser(TokenStream stream)
{
    private const int MaxNesting = 200;
    private int _nesting;

    /// <summary>Told of every name that is read; the statement parser collects those of a macro's body.</summary>
    public Action<string>? OnName { get; set; }

    public Expression ParseExpression(bool withConditional = true)
    {
        if (++_nesting > MaxNesting) throw stream.Fail($"expression nested deeper than {MaxNesting}");
        RuntimeHelpers.EnsureSufficientExecutionStack();
        var expression = withConditional ? ParseConditional() : ParseOr();
        _nesting--;
        return expression;
    }

    /// <summary>One expression, or a tuple if a comma follows.</summary>
    public Expression ParseTuple(bool withConditional = true, bool parenthesized = false, Func<TemplateToken, bool>? endsAt = null) =>
        ParseTupleOf(() => ParseExpression(withConditional), parenthesized, endsAt);

    /// <summary>A name, a namespace attribute, or a (nested) tuple of names.</summary>
    public Expression ParseTarget(bool allowNamespace, bool untilIn)
    {
        var target = ParseTupleOf(() => ParsePrimary(allowNamespace), parenthesized: false, untilIn ? t => t.IsName("in") : null);
        CheckTarget(target);
        return target;
    }

    private void CheckTarget(Expression target)
    {
        switch (target)
        {
            case NameExpression or NamespaceTarget: return;
            case TupleExpression tuple:
                foreach (var item in tuple.Items) CheckTarget(item);
                return;
            default: throw stream.Fail("cannot assign to this expression");
        }
    }

    private Expression ParseTupleOf(Func<Expression> parseItem, bool parenthesized, Func<TemplateToken, bool>? endsAt)
    {
        var line = stream.Line;
        var items = new List<Expression>();
        var isTuple = false;
        while (true)
        {
            if (items.Count > 0) stream.ExpectOperator(",");
            if (IsTupleEnd(endsAt)) break;
            items.Add(parseItem());
            if (!stream.Current.IsOperator(",")) break;
            isTuple = true;
        }
        if (!isTuple)
        {
            if (items.Count == 1) return items[0];
            if (!parenthesized) throw stream.Fail($"expected an expression, got {stream.Current.Describe()}");
        }
        return new TupleExpression([.. items], line);
    }

    private bool IsTupleEnd(Func<TemplateToken, bool>? endsAt) =>
        stream.Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd or TokenKind.End ||
        stream.Current.IsOperator(")") || (endsAt?.Invoke(stream.Current) ?? false);

    private Expression ParseConditional()
    {
        var line = stream.Line;
        var then = ParseOr();
        while (stream.SkipName("if"))
        {
            var condition = ParseOr();
            var otherwise = stream.SkipName("else") ? ParseNested() : null;
            then = new ConditionalExpression(condition, then, otherwise, line);
            line = stream.Line;
        }
        return then;
    }

    private Expression ParseNested() => ParseExpression();

    private Expression ParseOr()
    {
        var left = ParseAnd();
        while (stream.Current.IsName("or"))
        {
            var line = stream.Take().Line;
            left = new OrExpression(left, ParseAnd(), line);
        }
        return left;
    }

    private Expression ParseAnd()
    {
        var left = ParseNot();
        while (stream.Current.IsName("and"))
        {
            var line = stream.Take().Line;
            left = new AndExpression(left, ParseNot(), line);
        }
        return left;
    }

    private Expression ParseNot()
    {
        if (!stream.Current.IsName("not")) return ParseCompare();
        var line = stream.Take().Line;
        if (++_nesting > MaxNesting) throw stream.Fail($"expression nested deeper than {MaxNesting}");
        var operand = ParseNot();
        _nesting--;
        return new NotExpression(operand, line);
    }

    private Expression ParseCompare()
    {
        var line = stream.Line;
        var first = ParseSum();
        var rest = new List<KeyValuePair<string, Expression>>();
        while (true)
        {
            string op;
            if (stream.Current.Kind == TokenKind.Operator && stream.Current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
            {
                op = stream.Take().Text;
            }
            else if (stream.SkipName("in"))
            {
                op = "in";
            }
            else if (stream.Current.IsName("not") && stream.Next.IsName("in"))
            {
                stream.Take();
                stream.Take();
                op = "not in";
            }
            else
            {
                break;
            }
            rest.Add(new(op, ParseSum()));
        }
        return rest.Count == 0 ? first : new CompareExpression(first, [.. rest], line);
    }

    private Expression ParseSum() => ParseBinary(ParseConcat, "+", "-");

    private Expression ParseConcat()
    {
        var line = stream.Line;
        var first = ParseProduct();
        if (!stream.Current.IsOperator("~")) return first;
        var items = new List<Expression> { first };
        while (stream.SkipOperator("~")) items.Add(ParseProduct());
        return new ConcatExpression([.. items], line);
    }

    private Expression ParseProduct() => ParseBinary(ParsePower, "*", "/", "//", "%");

    private Expression ParsePower() => ParseBinary(() => ParseUnary(), "**");

    private Expression ParseBinary(Func<Expression> operand, params string[] operators)
    {
        var left = operand();
        while (stream.Current.Kind == TokenKind.Operator && operators.Contains(stream.Current.Text))
        {
            var token = stream.Take();
            left = new BinaryExpression(token.Text, left, operand(), token.Line);
        }
        return left;
    }

    private Expression ParseUnary(bool withFilter = true)
    {
        var line = stream.Line;
        Expression node;
        if (stream.Current.IsOperator("-") || stream.Current.IsOperator("+"))
        {
            var negative = stream.Take().Text == "-";
            if (++_nesting > MaxNesting) throw stream.Fail($"expression nested deeper than {MaxNesting}");
            node = new UnaryExpression(negative, ParseUnary(withFilter: false), line);
            _nesting--;
        }
        else
        {
            node = ParsePrimary(allowNamespace: false);
        }
        node = ParsePostfix(node);
        return withFilter ? ParseFiltersAndTests(node) : node;
    }

    private Expression ParsePrimary(bool allowNamespace)
    {
        var token = stream.Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                stream.Take();
                switch (token.Text)
                {
                    case "true" or "True": return new ConstantExpression(true, token.Line);
                    case "false" or "False": return new ConstantExpression(false, token.Line);
                    case "none" or "None": return new ConstantExpression(null, token.Line);
                    default: break;
                }
                if (allowNamespace && stream.SkipOperator(".")) return new NamespaceTarget(token.Text, stream.ExpectName(), token.Line);
                OnName?.Invoke(token.Text);
                return new NameExpression(token.Text, token.Line);
            case TokenKind.String:
                stream.Take();
                var text = (string)token.Value!;
                while (stream.Current.Kind == TokenKind.String) text += (string)stream.Take().Value!;
                return new ConstantExpression(text, token.Line);
            case TokenKind.Integer or TokenKind.Float:
                stream.Take();
                return new ConstantExpression(token.Value, token.Line);
            case TokenKind.Operator when token.Text == "(":
                stream.Take();
                var inner = ParseTuple(parenthesized: true);
                stream.ExpectOperator(")");
                return inner;
            case TokenKind.Operator when token.Text == "[":
                return ParseList();
            case TokenKind.Operator when token.Text == "{":
                return ParseDict();
            default:
                throw stream.Fail($"unexpected {token.Describe()}");
        }
    }

    private ListExpression ParseList()
    {
        var line = stream.Take().Line;
        var items = new List<Expression>();
        while (!stream.Current.IsOperator("]"))
        {
            if (items.Count > 0) stream.ExpectOperator(",");
            if (stream.Current.IsOperator("]")) break;
            items.Add(ParseExpression());
        }
        stream.ExpectOperator("]");
        return new ListExpression([.. items], line);
    }

    private DictExpression ParseDict()
    {
        var line = stream.Take().Line;
        var items = new List<KeyValuePair<Expression, Expression>>();
        while (!stream.Current.IsOperator("}"))
        {
            if (items.Count > 0) stream.ExpectOperator(",");
            if (stream.Current.IsOperator("}")) break;
            var key = ParseExpression();
            stream.ExpectOperator(":");
            items.Add(new(key, ParseExpression()));
        }
        stream.ExpectOperator("}");
        return new DictExpression([.. items], line);
    }

    private Expression ParsePostfix(Expression node)
    {
        while (true)
        {
            if (stream.Current.IsOperator(".")) node = ParseAttribute(node);
            else if (stream.Current.IsOperator("[")) node = ParseItem(node);
            else if (stream.Current.IsOperator("(")) node = ParseCall(node);
            else return node;
        }
    }

    private Expression ParseFiltersAndTests(Expression node)
    {
        while (true)
        {
            if (stream.Current.IsOperator("|")) node = ParseFilters(node, inline: false)!;
            else if (stream.Current.IsName("is")) node = ParseTest(node);
            else if (stream.Current.IsOperator("(")) node = ParseCall(node);
            else return node;
        }
    }

    private Expression ParseAttribute(Expression node)
    {
        var line = stream.Take().Line;
        var token = stream.Take();
        return token.Kind switch
        {
            TokenKind.Name => new AttributeExpression(node, token.Text, line),
            TokenKind.Integer => new ItemExpression(node, new ConstantExpression(token.Value, token.Line), line),
            _ => throw stream.Fail("expected a name or a number after '.'"),
        };
    }

    private ItemExpression ParseItem(Expression node)
    {
        var line = stream.Take().Line;
        var items = new List<Expression>();
        while (!stream.Current.IsOperator("]"))
        {
            if (items.Count > 0) stream.ExpectOperator(",");
            items.Add(ParseSubscript());
        }
        stream.ExpectOperator("]");
        return new ItemExpression(node, items.Count == 1 ? items[0] : new TupleExpression([.. items], line), line);
    }

    private Expression ParseSubscript()
    {
        var line = stream.Line;
        Expression? start = null;
        if (!stream.Current.IsOperator(":"))
        {
            start = ParseExpression();
            if (!stream.Current.IsOperator(":")) return start;
        }
        stream.ExpectOperator(":");
        var stop = ParseSlicePart();
        var step = stream.SkipOperator(":") ? ParseSlicePart() : null;
        return new SliceExpression(start, stop, step, line);
    }

    private Expression? ParseSlicePart() =>
        stream.Current.IsOperator(":") || stream.Current.IsOperator("]") || stream.Current.IsOperator(",") ? null : ParseExpression();

    private CallExpression ParseCall(Expression node)
    {
        var line = stream.Line;
        return new CallExpression(node, ParseArguments(), line);
    }

    private Arguments ParseArguments()
    {
        stream.ExpectOperator("(");
        var positional = new List<Expression>();
        var named = new List<KeyValuePair<string, Expression>>();
        Expression? star = null, doubleStar = null;
        var needComma = false;
        while (!stream.Current.IsOperator(")"))
        {
            if (needComma)
            {
                stream.ExpectOperator(",");
                if (stream.Current.IsOperator(")")) break;
            }
            if (stream.Current.IsOperator("*") && star is null && doubleStar is null)
            {
                stream.Take();
                star = ParseExpression();
            }
            else if (stream.Current.IsOperator("**") && doubleStar is null)
            {
                stream.Take();
                doubleStar = ParseExpression();
            }
            else if (stream.Current.Kind == TokenKind.Name && stream.Next.IsOperator("=") && doubleStar is null)
            {
                var name = stream.Take().Text;
                stream.Take();
                named.Add(new(name, ParseExpression()));
            }
            else if (star is null && doubleStar is null && named.Count == 0)
            {
                positional.Add(ParseExpression());
            }
            else
            {
                throw stream.Fail("a positional argument cannot follow named or starred ones");
            }
            needComma = true;
        }
        stream.ExpectOperator(")");
        return new Arguments([.. positional], [.. named], star, doubleStar);
    }

    /// <summary>A chain <c>| name(args) | …</c>; with <paramref name="inline"/> the first bar is absent (filter blocks).</summary>
    public Expression? ParseFilters(Expression? node, bool inline)
    {
        while (inline || stream.Current.IsOperator("|"))
        {
            if (!inline) stream.Take();
            inline = false;
            var line = stream.Line;
            var name = ParseDottedName();
            var arguments = stream.Current.IsOperator("(") ? ParseArguments() : Arguments.None;
            if (!TemplateFilters.Exists(name)) throw new TemplateException(TemplateErrorKind.Syntax, $"no filter named '{name}'", line);
            node = new FilterExpression(node, name, arguments, line);
        }
        return node;
    }

    private string ParseDottedName()
    {
        var name = stream.ExpectName();
        while (stream.SkipOperator(".")) name += "." + stream.ExpectName();
        return name;
    }

    private TestExpression ParseTest(Expression node)
    {
        var line = stream.Take().Line;
        var negated = stream.SkipName("not");
        var name = ParseDottedName();
        var arguments = Arguments.None;
        var next = stream.Current;
        if (next.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if ((next.Kind is TokenKind.Name or TokenKind.String or TokenKind.Integer or TokenKind.Float ||
            next.IsOperator("[") || next.IsOperator("{")) && !next.IsName("else") && !next.IsName("or") && !next.IsName("and"))
        {
            if (next.IsName("is")) throw stream.Fail("tests cannot be chained with 'is'");
            arguments = new Arguments([ParsePostfix(ParsePrimary(allowNamespace: false))], [], null, null);
        }
        if (!TemplateTests.Exists(name)) throw new TemplateException(TemplateErrorKind.Syntax, $"no test named '{name}'", line);
        return new TestExpression(node, name, arguments, negated, line);
    }
}
