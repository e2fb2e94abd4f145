using System.Runtime.CompilerServices;

namespace Slm.Tokenization.Templates;

/// <summary>Parses statements: data, prints and block tags.</summary>
internal sealed class TemplateParser
{
    private const int MaxNesting = 100;
    private readonly TokenStream _stream;
    private readonly ExpressionParser _expressions;
    private readonly Stack<HashSet<string>> _macroNames = new();
    private readonly List<string> _open = [];
    private int _loops;

    private TemplateParser(List<TemplateToken> tokens)
    {
        _stream = new TokenStream(tokens);
        _expressions = new ExpressionParser(_stream)
        {
            OnName = name =>
            {
                foreach (var names in _macroNames) names.Add(name);
            },
        };
    }

    public static Statement[] Parse(string source)
    {
        var parser = new TemplateParser(TemplateLexer.Tokenize(source));
        return parser.ParseBody([]);
    }

    /// <summary>Statements up to one of the end tags, whose name token is current afterwards.</summary>
    private Statement[] ParseBody(string[] ends)
    {
        if (_open.Count > MaxNesting) throw _stream.Fail($"blocks nested deeper than {MaxNesting}");
        RuntimeHelpers.EnsureSufficientExecutionStack();
        var body = new List<Statement>();
        while (true)
        {
            var token = _stream.Current;
            switch (token.Kind)
            {
                case TokenKind.Data:
                    body.Add(new DataStatement(_stream.Take().Text, token.Line));
                    break;
                case TokenKind.VariableBegin:
                    _stream.Take();
                    body.Add(new PrintStatement(_expressions.ParseTuple(), token.Line));
                    _stream.Expect(TokenKind.VariableEnd, "end of print statement");
                    break;
                case TokenKind.BlockBegin:
                    _stream.Take();
                    if (_stream.Current.Kind == TokenKind.Name && ends.Contains(_stream.Current.Text)) return [.. body];
                    body.Add(ParseStatement());
                    _stream.Expect(TokenKind.BlockEnd, "end of statement block");
                    break;
                default:
                    if (ends.Length > 0) throw _stream.Fail($"unexpected end of template, expected '{ends[^1]}' for '{_open[^1]}'");
                    return [.. body];
            }
        }
    }

    /// <summary>The body of a tag that starts here: its closing "%}", the statements, and the name of the tag that ended it.</summary>
    private Statement[] ParseBlock(string tag, string[] ends, out string end)
    {
        _stream.SkipOperator(":");
        _stream.Expect(TokenKind.BlockEnd, "end of statement block");
        _open.Add(tag);
        var body = ParseBody(ends);
        _open.RemoveAt(_open.Count - 1);
        end = _stream.Take().Text;
        return body;
    }

    private Statement[] ParseBlock(string tag, string end) => ParseBlock(tag, [end], out _);

    private Statement ParseStatement()
    {
        var line = _stream.Line;
        if (_stream.Current.Kind != TokenKind.Name) throw _stream.Fail($"expected a tag name, got {_stream.Current.Describe()}");
        var tag = _stream.Take().Text;
        switch (tag)
        {
            case "if": return ParseIf(line);
            case "for": return ParseFor(line);
            case "set": return ParseSet(line);
            case "macro": return ParseMacro(line);
            case "call": return ParseCallBlock(line);
            case "filter":
                var filter = _expressions.ParseFilters(null, inline: true)!;
                return new FilterBlockStatement(filter, ParseBlock(tag, "endfilter"), line);
            case "with": return ParseWith(line);
            case "generation": return new ScopeStatement(ParseBlock(tag, "endgeneration"), line);
            case "print": return new PrintStatement(_expressions.ParseTuple(), line);
            case "break" when _loops > 0: return new BreakStatement(line);
            case "continue" when _loops > 0: return new ContinueStatement(line);
            case "break" or "continue": throw new TemplateException(TemplateErrorKind.Syntax, $"'{tag}' outside of a loop", line);
            default:
                var where = _open.Count > 0 ? $" inside '{_open[^1]}'" : "";
                throw new TemplateException(TemplateErrorKind.Syntax, $"unknown or misplaced tag '{tag}'{where}", line);
        }
    }

    private IfStatement ParseIf(int line)
    {
        var branches = new List<KeyValuePair<Expression, Statement[]>>();
        Statement[] otherwise = [];
        while (true)
        {
            var condition = _expressions.ParseTuple(withConditional: false);
            branches.Add(new(condition, ParseBlock("if", ["elif", "else", "endif"], out var end)));
            if (end == "elif") continue;
            if (end == "else") otherwise = ParseBlock("if", "endif");
            return new IfStatement([.. branches], otherwise, line);
        }
    }

    private ForStatement ParseFor(int line)
    {
        var target = _expressions.ParseTarget(allowNamespace: false, untilIn: true);
        if (!_stream.SkipName("in")) throw _stream.Fail($"expected 'in', got {_stream.Current.Describe()}");
        var items = _expressions.ParseTuple(withConditional: false, endsAt: t => t.IsName("recursive"));
        var filter = _stream.SkipName("if") ? _expressions.ParseExpression() : null;
        var recursive = _stream.SkipName("recursive");
        _loops++;
        var body = ParseBlock("for", ["endfor", "else"], out var end);
        _loops--;
        Statement[] otherwise = end == "else" ? ParseBlock("for", "endfor") : [];
        return new ForStatement(target, items, filter, recursive, body, otherwise, line);
    }

    private Statement ParseSet(int line)
    {
        var target = _expressions.ParseTarget(allowNamespace: true, untilIn: false);
        if (_stream.SkipOperator("=")) return new SetStatement(target, _expressions.ParseTuple(), line);
        var filter = _expressions.ParseFilters(null, inline: false);
        return new SetBlockStatement(target, filter, ParseBlock("set", "endset"), line);
    }

    private MacroStatement ParseMacro(int line)
    {
        var name = _stream.ExpectName();
        return new MacroStatement(ParseSignatureAndBody(name, "macro", "endmacro", null), line);
    }

    private CallBlockStatement ParseCallBlock(int line)
    {
        CallExpression? call = null;
        var caller = ParseSignatureAndBody(null, "call", "endcall", () =>
        {
            call = _expressions.ParseExpression() as CallExpression ?? throw _stream.Fail("expected a call");
        });
        return new CallBlockStatement(caller, call!, line);
    }

    private MacroSignature ParseSignatureAndBody(string? name, string tag, string end, Action? beforeBody)
    {
        var parameters = new List<string>();
        var defaults = new List<Expression>();
        if (beforeBody is null || _stream.Current.IsOperator("("))
        {
            _stream.ExpectOperator("(");
            while (!_stream.Current.IsOperator(")"))
            {
                if (parameters.Count > 0) _stream.ExpectOperator(",");
                parameters.Add(_stream.ExpectName());
                if (_stream.SkipOperator("=")) defaults.Add(_expressions.ParseExpression());
                else if (defaults.Count > 0) throw _stream.Fail("a parameter without a default follows one with a default");
            }
            _stream.ExpectOperator(")");
        }
        beforeBody?.Invoke();
        var names = new HashSet<string>(StringComparer.Ordinal);
        _macroNames.Push(names);
        var loops = _loops;
        _loops = 0;
        var body = ParseBlock(tag, end);
        _loops = loops;
        _macroNames.Pop();
        return new MacroSignature(name, [.. parameters], [.. defaults], body,
            names.Contains("caller"), names.Contains("varargs"), names.Contains("kwargs"));
    }

    private WithStatement ParseWith(int line)
    {
        var assignments = new List<KeyValuePair<Expression, Expression>>();
        while (_stream.Current.Kind != TokenKind.BlockEnd)
        {
            if (assignments.Count > 0) _stream.ExpectOperator(",");
            var target = _expressions.ParseTarget(allowNamespace: false, untilIn: false);
            _stream.ExpectOperator("=");
            assignments.Add(new(target, _expressions.ParseExpression()));
        }
        return new WithStatement([.. assignments], ParseBlock("with", "endwith"), line);
    }
}
