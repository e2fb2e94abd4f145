namespace Slm.Tokenization.Templates;

internal abstract record Node(int Line);

internal abstract record Expression(int Line) : Node(Line);

internal sealed record ConstantExpression(object? Value, int Line) : Expression(Line);

internal sealed record NameExpression(string Name, int Line) : Expression(Line);

/// <summary><c>ns.attribute</c> as an assignment target.</summary>
internal sealed record NamespaceTarget(string Name, string Attribute, int Line) : Expression(Line);

internal sealed record TupleExpression(Expression[] Items, int Line) : Expression(Line);

internal sealed record ListExpression(Expression[] Items, int Line) : Expression(Line);

internal sealed record DictExpression(KeyValuePair<Expression, Expression>[] Items, int Line) : Expression(Line);

internal sealed record ConditionalExpression(Expression Condition, Expression Then, Expression? Else, int Line) : Expression(Line);

internal sealed record AndExpression(Expression Left, Expression Right, int Line) : Expression(Line);

internal sealed record OrExpression(Expression Left, Expression Right, int Line) : Expression(Line);

internal sealed record NotExpression(Expression Operand, int Line) : Expression(Line);

internal sealed record UnaryExpression(bool Negative, Expression Operand, int Line) : Expression(Line);

internal sealed record BinaryExpression(string Operator, Expression Left, Expression Right, int Line) : Expression(Line);

internal sealed record ConcatExpression(Expression[] Items, int Line) : Expression(Line);

/// <summary>A chain of comparisons, <c>a &lt; b &lt; c</c>; operators are ==, !=, &lt;, &lt;=, &gt;, &gt;=, in, not in.</summary>
internal sealed record CompareExpression(Expression First, KeyValuePair<string, Expression>[] Rest, int Line) : Expression(Line);

internal sealed record AttributeExpression(Expression Target, string Name, int Line) : Expression(Line);

internal sealed record ItemExpression(Expression Target, Expression Index, int Line) : Expression(Line);

internal sealed record SliceExpression(Expression? Start, Expression? Stop, Expression? Step, int Line) : Expression(Line);

internal sealed record Arguments(Expression[] Positional, KeyValuePair<string, Expression>[] Named, Expression? Star, Expression? DoubleStar)
{
    public static Arguments None { get; } = new([], [], null, null);
}

internal sealed record CallExpression(Expression Target, Arguments Arguments, int Line) : Expression(Line);

/// <summary><c>Target | Name(Arguments)</c>; the target is null at the start of a filter or set block.</summary>
internal sealed record FilterExpression(Expression? Target, string Name, Arguments Arguments, int Line) : Expression(Line);

internal sealed record TestExpression(Expression Target, string Name, Arguments Arguments, bool Negated, int Line) : Expression(Line);

internal abstract record Statement(int Line) : Node(Line);

internal sealed record DataStatement(string Text, int Line) : Statement(Line);

internal sealed record PrintStatement(Expression Value, int Line) : Statement(Line);

internal sealed record ForStatement(Expression Target, Expression Items, Expression? Filter, bool Recursive, Statement[] Body, Statement[] Else, int Line)
    : Statement(Line);

internal sealed record IfStatement(KeyValuePair<Expression, Statement[]>[] Branches, Statement[] Else, int Line) : Statement(Line);

internal sealed record SetStatement(Expression Target, Expression Value, int Line) : Statement(Line);

internal sealed record SetBlockStatement(Expression Target, Expression? Filter, Statement[] Body, int Line) : Statement(Line);

/// <summary>The signature and body shared by macros and call blocks.</summary>
internal sealed record MacroSignature(
    string? Name, string[] Parameters, Expression[] Defaults, Statement[] Body, bool UsesCaller, bool UsesVarargs, bool UsesKwargs);

internal sealed record MacroStatement(MacroSignature Signature, int Line) : Statement(Line);

internal sealed record CallBlockStatement(MacroSignature Caller, CallExpression Call, int Line) : Statement(Line);

internal sealed record FilterBlockStatement(Expression Filter, Statement[] Body, int Line) : Statement(Line);

internal sealed record WithStatement(KeyValuePair<Expression, Expression>[] Assignments, Statement[] Body, int Line) : Statement(Line);

/// <summary>A body in a scope of its own (<c>{% generation %}</c>, which marks what the assistant wrote).</summary>
internal sealed record ScopeStatement(Statement[] Body, int Line) : Statement(Line);

internal sealed record BreakStatement(int Line) : Statement(Line);

internal sealed record ContinueStatement(int Line) : Statement(Line);
