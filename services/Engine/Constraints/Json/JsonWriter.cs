using Slm.Engine.Constraints.Automata;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>Makes the frames in which JSON values of nodes are written.</summary>
internal sealed class JsonWriter(SchemaCompiler compiler, JsonForm form)
{
    private const int MaxNodes = 50_000;
    private readonly Dictionary<ValueNode, ValuePlan> _plans = [];

    /// <summary>What nodes are.</summary>
    public SchemaCompiler Compiler => compiler;

    /// <summary>How JSON is to be written.</summary>
    public JsonForm Form => form;

    /// <summary>Whether white space of any kind may stand between elements.</summary>
    public bool IsFlexible => form.Whitespace == JsonWhitespace.Flexible;

    /// <summary>Whether some array may not have equal items.</summary>
    public bool HasUnique { get; private set; }

    /// <summary>Whether some object may have keys that its schema does not name.</summary>
    public bool HasOtherKeys { get; private set; }

    /// <summary>How values of a node are written.</summary>
    public ValuePlan Plan(ValueNode node)
    {
        if (!_plans.TryGetValue(node, out var plan))
            _plans[node] = plan = new ValuePlan(compiler, compiler.SetOf(node));
        return plan;
    }

    /// <summary>Plans everything that can be reached from a node, so that nothing is refused later.</summary>
    /// <exception cref="ConstraintException">Something cannot be enforced.</exception>
    public void Explore(ValueNode root)
    {
        var seen = new HashSet<ValueNode> { root };
        var queue = new Queue<ValueNode>([root]);
        while (queue.TryDequeue(out var node))
        {
            if (seen.Count > MaxNodes)
                throw new ConstraintTooLargeException("", "", $"The schema has more than {MaxNodes} combinations of rules for single values.");
            var plan = Plan(node);
            foreach (var shape in plan.Objects)
            {
                HasOtherKeys |= shape.Others.Length > 0;
                Enqueue(shape.Values());
            }

            foreach (var shape in plan.Arrays)
            {
                HasUnique |= shape.Shape.Unique is not null;
                Enqueue(shape.Values());
            }
        }

        void Enqueue(IEnumerable<ValueNode> nodes)
        {
            foreach (var child in nodes)
            {
                if (!compiler.Lives.IsEmpty(child) && seen.Add(child))
                    queue.Enqueue(child);
            }
        }
    }

    /// <summary>A value behind a separator.</summary>
    public ValueFrame Value(ValueNode node, Continuation? below) => new(this, node, form.GapAfterSeparator.Min, form.GapAfterSeparator.Max, 0, below);

    /// <summary>A value on its own, without white space before it.</summary>
    public ValueFrame Root(ValueNode node, Continuation? below) => new(this, node, 0, 0, 0, below);

    /// <summary>Inside a string, at the simplest automaton for it.</summary>
    public StringFrame InString(ByteDfa dfa, int state, Continuation? below)
    {
        var (simple, at) = compiler.Languages.Simplify(dfa, state);
        return new StringFrame(this, simple, at, below);
    }

    /// <summary>Behind a key.</summary>
    public ColonFrame Colon(ValueNode value, ObjectPlan plan, ObjectProgress next, Continuation? below, Automaton automaton) =>
        new(this, value, 0, automaton.Then(new ObjectFrame(this, plan, next, ObjectPhase.AfterValue, 0, below)));

    /// <summary>What goes on behind an item.</summary>
    public Continuation After(ArrayPlan plan, ArrayProgress next, Continuation? below, Automaton automaton) =>
        automaton.Then(new ArrayFrame(this, plan, next, isOpen: false, 0, below));
}

/// <summary>How values of a set are written.</summary>
internal sealed class ValuePlan
{
    private readonly SchemaCompiler _compiler;
    private ByteDfa? _strings, _numbers;

    public ValuePlan(SchemaCompiler compiler, ValueSet set)
    {
        _compiler = compiler;
        Set = set;
        Objects = [.. set.Objects.Where(s => !compiler.Lives.IsEmpty(s)).Select(s => new ObjectPlan(compiler, s))];
        Arrays = [.. set.Arrays.Where(s => !compiler.Lives.IsEmpty(s)).Select(s => new ArrayPlan(compiler, s))];
    }

    /// <summary>The set.</summary>
    public ValueSet Set { get; }

    /// <summary>Shapes of its objects.</summary>
    public ObjectPlan[] Objects { get; }

    /// <summary>Shapes of its arrays.</summary>
    public ArrayPlan[] Arrays { get; }

    /// <summary>Its strings, between the quotes; null if there are none.</summary>
    public ByteDfa? Strings => Automaton(ref _strings, Set.Strings, _compiler.StringEncoding);

    /// <summary>Its numbers; null if there are none.</summary>
    public ByteDfa? Numbers => Automaton(ref _numbers, Set.Numbers, TextEncoding.Utf8);

    private ByteDfa? Automaton(ref ByteDfa? known, Term term, TextEncoding encoding)
    {
        if (term == _compiler.Pool.Empty)
            return null;
        known ??= _compiler.Languages.Get(term, encoding);
        return known.Start == ByteDfa.Dead ? null : known;
    }
}
