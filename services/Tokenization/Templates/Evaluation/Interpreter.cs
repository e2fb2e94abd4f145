using System.Runtime.CompilerServices;
using System.Text;

namespace Slm.Tokenization.Templates;

/// <summary>Executes statements; expressions are in the other half of this class. One instance serves one rendering.</summary>
internal sealed partial class Interpreter(TemplateScope scope, TemplateLimits limits)
{
    private enum Flow
    {
        Next,
        Break,
        Continue,
    }

    private TemplateScope _scope = scope;
    private StringBuilder _output = new();
    private int _depth;

    /// <summary>The line of the node evaluated last, for errors.</summary>
    public int Line { get; private set; }

    public string Run(Statement[] template)
    {
        Execute(template);
        return _output.ToString();
    }

    /// <summary>Runs a body in a scope of its own and returns what it printed.</summary>
    public string Capture(TemplateScope inner, Statement[] body)
    {
        var (outerScope, outerOutput) = (_scope, _output);
        (_scope, _output) = (inner, new StringBuilder());
        try
        {
            Execute(body);
            return _output.ToString();
        }
        finally
        {
            (_scope, _output) = (outerScope, outerOutput);
        }
    }

    public object? EvaluateIn(TemplateScope inner, Expression expression)
    {
        var outer = _scope;
        _scope = inner;
        try
        {
            return Evaluate(expression);
        }
        finally
        {
            _scope = outer;
        }
    }

    private void Enter(Node node)
    {
        if (++_depth > limits.MaxDepth) throw TemplateException.Limit($"nested deeper than {limits.MaxDepth} levels");
        RuntimeHelpers.EnsureSufficientExecutionStack();
        RenderBudget.Charge(1);
        Line = node.Line;
    }

    private void Print(string text)
    {
        RenderBudget.ChargeText(_output.Length + (long)text.Length > limits.MaxOutputChars ? (long)limits.MaxOutputChars + 1 : text.Length);
        _output.Append(text);
    }

    private Flow Execute(Statement[] statements)
    {
        foreach (var statement in statements)
        {
            Enter(statement);
            var flow = Execute(statement);
            _depth--;
            if (flow != Flow.Next) return flow;
        }
        return Flow.Next;
    }

    private Flow Execute(Statement statement)
    {
        switch (statement)
        {
            case DataStatement data:
                Print(data.Text);
                return Flow.Next;
            case PrintStatement print:
                Print(PyText.Str(Evaluate(print.Value)));
                return Flow.Next;
            case IfStatement choice:
                foreach (var (condition, body) in choice.Branches)
                {
                    if (PyCompare.IsTrue(Evaluate(condition))) return Execute(body);
                }
                return Execute(choice.Else);
            case ForStatement loop:
                return ExecuteFor(loop, Evaluate(loop.Items), 0);
            case SetStatement set:
                Assign(set.Target, Evaluate(set.Value));
                return Flow.Next;
            case SetBlockStatement set:
                var text = Capture(new TemplateScope(_scope), set.Body);
                Assign(set.Target, set.Filter is null ? text : EvaluateFilters(set.Filter, text));
                return Flow.Next;
            case MacroStatement macro:
                _scope.Set(macro.Signature.Name!, new MacroValue(this, macro.Signature, _scope));
                return Flow.Next;
            case CallBlockStatement call:
                Print(PyText.Str(Call(call.Call, new MacroValue(this, call.Caller, _scope))));
                return Flow.Next;
            case FilterBlockStatement filter:
                Print(PyText.Str(EvaluateFilters(filter.Filter, Capture(new TemplateScope(_scope), filter.Body))));
                return Flow.Next;
            case WithStatement with:
                var inner = new TemplateScope(_scope);
                foreach (var (target, value) in with.Assignments) AssignIn(inner, target, Evaluate(value));
                return ExecuteIn(inner, with.Body);
            case ScopeStatement block:
                return ExecuteIn(new TemplateScope(_scope), block.Body);
            case BreakStatement: return Flow.Break;
            case ContinueStatement: return Flow.Continue;
            default: throw new InvalidOperationException($"unknown statement {statement.GetType().Name}");
        }
    }

    private Flow ExecuteIn(TemplateScope inner, Statement[] body)
    {
        var outer = _scope;
        _scope = inner;
        try
        {
            return Execute(body);
        }
        finally
        {
            _scope = outer;
        }
    }

    private Flow ExecuteFor(ForStatement statement, object? iterable, int depth0)
    {
        var items = PyContainer.Iterate(iterable);
        var outer = _scope;
        if (statement.Filter is not null)
        {
            var kept = new List<object?>();
            foreach (var item in items)
            {
                var test = new TemplateScope(outer);
                AssignIn(test, statement.Target, item);
                if (PyCompare.IsTrue(EvaluateIn(test, statement.Filter))) kept.Add(item);
            }
            items = kept;
        }
        if (items.Count == 0) return ExecuteIn(new TemplateScope(outer), statement.Else);
        Func<object?, int, object?>? recurse = statement.Recursive ? (nested, depth) => CaptureLoop(statement, nested, depth, outer) : null;
        var loop = new LoopValue(items, depth0, recurse);
        for (var i = 0; i < items.Count; i++)
        {
            RenderBudget.Charge(1);
            loop.Index0 = i;
            var inner = new TemplateScope(outer);
            inner.Set("loop", loop);
            AssignIn(inner, statement.Target, items[i]);
            if (ExecuteIn(inner, statement.Body) == Flow.Break) break;
        }
        return Flow.Next;
    }

    private string CaptureLoop(ForStatement statement, object? items, int depth, TemplateScope outer)
    {
        var (savedScope, savedOutput) = (_scope, _output);
        (_scope, _output) = (outer, new StringBuilder());
        try
        {
            ExecuteFor(statement, items, depth);
            return _output.ToString();
        }
        finally
        {
            (_scope, _output) = (savedScope, savedOutput);
        }
    }

    private void Assign(Expression target, object? value) => AssignIn(_scope, target, value);

    private void AssignIn(TemplateScope into, Expression target, object? value)
    {
        switch (target)
        {
            case NameExpression name:
                into.Set(name.Name, value);
                break;
            case NamespaceTarget member:
                if (!_scope.TryGet(member.Name, out var found) || found is not NamespaceValue ns)
                    throw TemplateException.Evaluation("cannot assign attribute on non-namespace object");
                ns.Attributes[member.Attribute] = value;
                break;
            case TupleExpression tuple:
                if (value is UndefinedValue undefined) throw undefined.Fail();
                var items = PyContainer.Iterate(value);
                if (items.Count != tuple.Items.Length)
                {
                    throw TemplateException.Evaluation(items.Count < tuple.Items.Length
                        ? $"not enough values to unpack (expected {tuple.Items.Length}, got {items.Count})"
                        : $"too many values to unpack (expected {tuple.Items.Length})");
                }
                for (var i = 0; i < items.Count; i++) AssignIn(into, tuple.Items[i], items[i]);
                break;
            default: throw new InvalidOperationException("not an assignment target");
        }
    }
}
