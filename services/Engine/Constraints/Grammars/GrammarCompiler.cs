using System.Runtime.CompilerServices;
using Slm.Engine.Constraints.Automata;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Grammars;

/// <summary>
/// Compiles grammars. What does not refer to itself is a regular language and becomes one automaton; what does is followed with a stack, all
/// of its alternatives at the same time.
/// </summary>
internal sealed class GrammarCompiler
{
    private const int MaxElements = 100_000;
    private readonly TermPool _pool;
    private readonly LanguageStore _languages;
    private readonly Dictionary<string, GrammarNode> _rules;
    private readonly Dictionary<string, Term?> _terms = new(StringComparer.Ordinal);
    private readonly Dictionary<string, GrammarRule> _compiled = new(StringComparer.Ordinal);
    private readonly List<GrammarRule> _all = [];
    private int _elements;

    private GrammarCompiler(TermPool pool, Dictionary<string, GrammarNode> rules) => (_pool, _languages, _rules) = (pool, new LanguageStore(pool), rules);

    /// <summary>Sets where an automaton begins.</summary>
    /// <exception cref="ConstraintException">The grammar is malformed, left-recursive, or describes no text.</exception>
    public static void Compile(Automaton automaton, TermPool pool, string grammar)
    {
        var rules = GrammarSyntax.Parse(grammar);
        if (!rules.ContainsKey("root"))
            throw new ConstraintException("", "grammar", "The grammar has no rule \"root\", which describes the text as a whole.");
        var compiler = new GrammarCompiler(pool, rules);
        var root = new GrammarRule("root");
        compiler._all.Add(root);
        root.Productions.Add(compiler.Elements(new GrammarNode.Rule("root")));
        compiler.Check();
        if (root.Productions.Count == 0)
            throw new UnsatisfiableConstraintException("", "No text belongs to the grammar: its rules never come to an end.");
        automaton.Begin(new ProductionFrame(root.Productions[0], 0, null));
    }

    /// <summary>The language of a rule that does not refer to itself, by any way; null for others.</summary>
    private Term? TermOf(string name, HashSet<string> open)
    {
        if (_terms.TryGetValue(name, out var known))
            return known;
        if (!_rules.TryGetValue(name, out var body))
            throw new ConstraintException("", "grammar", $"The rule \"{name}\" is used and not defined.");
        if (!open.Add(name))
            return null;
        var term = TermOf(body, open);
        open.Remove(name);

        // Found to be recursive while one of its callers is open, it may only have met that caller: then nothing is certain yet.
        if (term is not null || open.Count == 0)
            _terms[name] = term;
        return term;
    }

    private Term? TermOf(GrammarNode node, HashSet<string> open)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (node)
        {
            case GrammarNode.Literal literal:
                return _pool.Literal(literal.Text);
            case GrammarNode.Set set:
                return _pool.Chars(set.Members);
            case GrammarNode.Rule rule:
                return TermOf(rule.Name, open);
            case GrammarNode.Loop loop:
                return TermOf(loop.Body, open) is { } body ? _pool.Repeat(body, loop.Min, loop.Max) : null;
            case GrammarNode.Sequence sequence:
                var parts = sequence.Parts.Select(p => TermOf(p, open)).ToArray();
                return parts.Contains(null) ? null : _pool.Concat(parts!);
            case GrammarNode.Choice choice:
                var choices = choice.Parts.Select(p => TermOf(p, open)).ToArray();
                return choices.Contains(null) ? null : _pool.Alt(choices!);
            default:
                return null;
        }
    }

    private GrammarElement[] Elements(GrammarNode node)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (++_elements > MaxElements)
            throw new ConstraintTooLargeException("", "grammar", $"The grammar has more than {MaxElements} elements, repetitions written out.");
        if (TermOf(node, []) is { } term)
            return term == _pool.Epsilon ? [] : [new GrammarElement(_languages.Get(term, TextEncoding.Utf8), null)];
        switch (node)
        {
            case GrammarNode.Rule rule:
                return [new GrammarElement(null, RuleOf(rule.Name))];
            case GrammarNode.Sequence sequence:
                return [.. sequence.Parts.SelectMany(Elements)];
            case GrammarNode.Loop loop:
                var elements = new List<GrammarElement>();
                for (var i = 0; i < loop.Min; i++)
                    elements.AddRange(Elements(loop.Body));
                if (loop.Max < 0)
                {
                    // R = nothing | body R.
                    var again = NewRule("repetition");
                    again.Productions.Add([]);
                    again.Productions.Add([.. Elements(loop.Body), new GrammarElement(null, again)]);
                    elements.Add(new GrammarElement(null, again));
                }
                else if (loop.Max > loop.Min)
                {
                    var rest = NewRule("option");
                    rest.Productions.Add([]);
                    rest.Productions.Add(Elements(new GrammarNode.Sequence([loop.Body, new GrammarNode.Loop(loop.Body, 0, loop.Max - loop.Min - 1)])));
                    elements.Add(new GrammarElement(null, rest));
                }

                return [.. elements];
            default:
                var choice = NewRule("choice");
                foreach (var part in ((GrammarNode.Choice)node).Parts)
                    choice.Productions.Add(Elements(part));
                return [new GrammarElement(null, choice)];
        }
    }

    private GrammarRule NewRule(string name)
    {
        var rule = new GrammarRule(name);
        _all.Add(rule);
        return rule;
    }

    private GrammarRule RuleOf(string name)
    {
        if (_compiled.TryGetValue(name, out var known))
            return known;
        var rule = NewRule(name);
        _compiled[name] = rule;
        var body = _rules[name];
        foreach (var part in body is GrammarNode.Choice choice ? choice.Parts : [body])
            rule.Productions.Add(Elements(part));
        return rule;
    }

    /// <summary>Leaves out what never comes to an end, and refuses what would be followed without end.</summary>
    private void Check()
    {
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (var rule in _all)
            {
                if (!rule.IsProductive && rule.Productions.Exists(p => p.All(e => e.IsProductive)))
                    changed = rule.IsProductive = true;
                if (!rule.IsNullable && rule.Productions.Exists(p => p.All(e => e.IsNullable)))
                    changed = rule.IsNullable = true;
            }
        }

        foreach (var rule in _all)
            rule.Productions.RemoveAll(p => !p.All(e => e.IsProductive));
        var states = new Dictionary<GrammarRule, bool>();
        foreach (var rule in _all)
            FindLeftRecursion(rule, states);
    }

    /// <param name="rule">Where to look.</param>
    /// <param name="states">Rules that have been looked at: whether their search is still going on.</param>
    private static void FindLeftRecursion(GrammarRule rule, Dictionary<GrammarRule, bool> states)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (states.TryGetValue(rule, out var open))
        {
            if (open)
                throw new ConstraintException("", "grammar", $"The rule \"{rule.Name}\" begins with itself (left recursion). Write it as a repetition: a ::= b (\"+\" b)*.");
            return;
        }

        states[rule] = true;
        foreach (var production in rule.Productions)
        {
            foreach (var element in production)
            {
                if (element.Rule is { } next)
                    FindLeftRecursion(next, states);
                if (!element.IsNullable)
                    break;
            }
        }

        states[rule] = false;
    }
}

/// <summary>A rule that refers to itself, or to one that does.</summary>
internal sealed class GrammarRule(string name)
{
    /// <summary>Its name, for messages.</summary>
    public string Name { get; } = name;

    /// <summary>Its alternatives.</summary>
    public List<GrammarElement[]> Productions { get; } = [];

    /// <summary>Whether some text belongs to it.</summary>
    public bool IsProductive { get; set; }

    /// <summary>Whether the empty text does.</summary>
    public bool IsNullable { get; set; }
}

/// <summary>A part of an alternative: a regular language, or a rule.</summary>
internal readonly record struct GrammarElement(ByteDfa? Language, GrammarRule? Rule)
{
    /// <summary>Whether some text belongs to it.</summary>
    public bool IsProductive => Rule?.IsProductive ?? Language!.Start != ByteDfa.Dead;

    /// <summary>Whether the empty text does.</summary>
    public bool IsNullable => Rule?.IsNullable ?? (Language!.Start != ByteDfa.Dead && Language.Accepts(Language.Start));
}

/// <summary>Within an alternative of a rule.</summary>
internal sealed class ProductionFrame(GrammarElement[] production, int at, Continuation? below) : Frame(below)
{
    public override bool CanEnd => at == production.Length;

    public override bool MayBeEmpty => production.AsSpan(at).ToArray().All(e => e.IsNullable);

    public override int TopHash => HashCode.Combine(production, at, 12);

    public override void Step(byte b, Steps steps)
    {
        if (at == production.Length)
            return;

        // Behind the last element comes what is below: so repetitions do not pile up.
        var behind = at + 1 == production.Length ? Below : steps.Automaton.Then(new ProductionFrame(production, at + 1, Below));
        var element = production[at];
        if (element.Language is { } language)
        {
            steps.Step(new LanguageFrame(language, language.Start, behind), b);
            return;
        }

        foreach (var next in element.Rule!.Productions)
            steps.Step(new ProductionFrame(next, 0, behind), b);
    }

    public override Frame Above(Continuation? below) => new ProductionFrame(production, at, below);

    public override bool SameTop(Frame other) => other is ProductionFrame frame && frame.IsAt(production, at);

    private bool IsAt(GrammarElement[] other, int position) => ReferenceEquals(production, other) && at == position;
}
