using System.Numerics;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>How objects of a shape are written: its properties that can be there, and automata of their keys.</summary>
internal sealed class ObjectPlan
{
    private readonly Dictionary<ObjectProgress, ObjectProgress> _progress = [];
    private readonly SchemaCompiler _compiler;
    private readonly NameMachine? _machine;

    /// <param name="compiler">Where its parts come from.</param>
    /// <param name="shape">A shape that some object has.</param>
    public ObjectPlan(SchemaCompiler compiler, ObjectShape shape)
    {
        _compiler = compiler;
        if (shape.Wanted.Count > 0 && shape.Max >= 0)
            throw new ConstraintTooLargeException("", "maxProperties", "A limit to the number of properties together with a property that must be found under any name is not supported.");
        if (shape.Wanted.Count > 8)
            throw new ConstraintTooLargeException("", "", "More than 8 properties must be found under any name.");
        (Min, Max, Wanted) = (shape.Min, shape.Max, shape.Wanted);
        Names = [.. shape.Named.Select((p, i) => new Entry(p.Name, WordList.CodePoints(p.Name), p.Value, p.Required, i, 0))
            .Where(e => !compiler.Lives.IsEmpty(e.Value))];
        Array.Sort(Names, static (a, b) => a.Text.AsSpan().SequenceCompareTo(b.Text));
        for (var i = 0; i < Names.Length; i++)
            Names[i] = Names[i] with { Finds = Finds(k => compiler.Pool.Matches(k, Names[i].Text), Names[i].Value) };
        if (Names.Length > 0)
        {
            _machine = new NameMachine([.. Names.Select(n => n.Text)]);
            NameKeys = new ByteDfa(compiler.Pool, compiler.Pool.Machine(_machine), compiler.StringEncoding);
        }

        var classes = new List<Other>();
        foreach (var other in shape.Others)
        {
            if (compiler.Lives.IsEmpty(other.Value))
                continue;
            foreach (var keys in Split(compiler.Lives.Unnamed(shape, other.Keys), 0))
            {
                if (!compiler.Languages.IsEmpty(keys))
                    classes.Add(new Other(keys, other.Value, IsLarge(keys), Finds(k => !compiler.Languages.IsEmpty(compiler.Pool.And(keys, k)), other.Value)));
            }
        }

        Others = [.. classes];
        Start = Intern(new ObjectProgress(this, new ulong[(Names.Length + 63) / 64], [], 0, (1u << Wanted.Count) - 1));
    }

    /// <summary>Named properties that can be there, by code points.</summary>
    public Entry[] Names { get; }

    /// <summary>Automaton of their names; null if there are none.</summary>
    public ByteDfa? NameKeys { get; }

    /// <summary>Other properties, by classes of keys.</summary>
    public Other[] Others { get; }

    /// <summary>Properties that must be found.</summary>
    public IReadOnlyList<WantedProperty> Wanted { get; }

    /// <summary>Fewest properties.</summary>
    public int Min { get; }

    /// <summary>Most properties; -1 without a limit.</summary>
    public int Max { get; }

    /// <summary>No property yet.</summary>
    public ObjectProgress Start { get; }

    /// <summary>Where it comes from.</summary>
    public SchemaCompiler Compiler => _compiler;

    /// <summary>The nodes of all values that properties can have.</summary>
    public IEnumerable<ValueNode> Values()
    {
        foreach (var (value, finds) in Names.Select(n => (n.Value, n.Finds)).Concat(Others.Select(o => (o.Value, o.Finds))))
        {
            for (var found = finds; ; found = (found - 1) & finds)
            {
                yield return With(value, found);
                if (found == 0)
                    break;
            }
        }
    }

    /// <summary>A value that also is what is wanted.</summary>
    public ValueNode With(ValueNode value, uint found)
    {
        for (; found != 0; found &= found - 1)
            value = _compiler.Nodes.And(value, Wanted[BitOperations.TrailingZeroCount(found)].Value);
        return value;
    }

    /// <summary>The one object for a progress.</summary>
    public ObjectProgress Intern(ObjectProgress progress)
    {
        if (_progress.TryGetValue(progress, out var known))
            return known;
        if (_progress.Count > 10_000)
            _progress.Clear();
        return _progress[progress] = progress;
    }

    /// <summary>The automaton of a class's keys; those that have been written are left out where that may leave none.</summary>
    public ByteDfa Keys(int other, ObjectProgress progress)
    {
        var keys = Others[other].Keys;
        if (progress.Keys.Length > 0 && !Others[other].IsLarge)
            keys = _compiler.Pool.And(keys, _compiler.Pool.Not(_compiler.Pool.Words(progress.Keys)));
        return _compiler.Languages.Get(keys, _compiler.StringEncoding);
    }

    /// <summary>Follows the keys that have been written.</summary>
    public UsedKeys? Used(string[] keys) => keys.Length == 0 ? null : new UsedKeys(_compiler.Pool, keys, _compiler.StringEncoding);

    /// <summary>Whether one of some names may come out of a state of <see cref="NameKeys"/>.</summary>
    public bool CanReach(int state, ulong[] allowed)
    {
        if (NameKeys!.TryWhole(state, out var whole))
            return CanReachFrom(whole, allowed);
        foreach (var chars in NameKeys.Outcomes(state))
        {
            if (CanReachFrom(chars, allowed))
                return true;
        }

        return false;
    }

    private bool CanReachFrom(int chars, ulong[] allowed)
    {
        var (low, high) = _machine!.Names(NameKeys!.Chars.TermOf(chars).State);
        for (var i = low; i < high; i++)
        {
            if ((allowed[i >> 6] >> (i & 63) & 1) != 0)
                return true;
        }

        return false;
    }

    /// <summary>The name that is complete at a state, or -1.</summary>
    public int NameAt(int state) =>
        NameKeys!.Accepts(state) && NameKeys.TryWhole(state, out var chars) ? _machine!.Names(NameKeys.Chars.TermOf(chars).State).Low : -1;

    /// <summary>Whether so many keys belong to a class, behind any beginning, that those written make no difference.</summary>
    private bool IsLarge(Term keys) =>
        keys == _compiler.Pool.All || (keys.Kind == TermKind.Not && keys.Parts[0].Kind is TermKind.Words or TermKind.Epsilon);

    private uint Finds(Func<Term, bool> has, ValueNode value)
    {
        var found = 0u;
        for (var i = 0; i < Wanted.Count; i++)
        {
            if (has(Wanted[i].Keys) && !_compiler.Lives.IsEmpty(_compiler.Nodes.And(value, Wanted[i].Value)))
                found |= 1u << i;
        }

        return found;
    }

    /// <summary>Keys apart by which wanted properties they can be.</summary>
    private IEnumerable<Term> Split(Term keys, int wanted)
    {
        if (wanted == Wanted.Count)
            return [keys];
        var inside = _compiler.Pool.And(keys, Wanted[wanted].Keys);
        var outside = _compiler.Pool.And(keys, _compiler.Pool.Not(Wanted[wanted].Keys));
        return (inside == _compiler.Pool.Empty ? [] : Split(inside, wanted + 1)).Concat(outside == _compiler.Pool.Empty ? [] : Split(outside, wanted + 1));
    }

    /// <param name="Name">Its name.</param>
    /// <param name="Text">As code points.</param>
    /// <param name="Value">What its value may be.</param>
    /// <param name="Required">Whether it must be there.</param>
    /// <param name="Order">Its place in the schema.</param>
    /// <param name="Finds">The wanted properties it can be, as bits.</param>
    internal readonly record struct Entry(string Name, int[] Text, ValueNode Value, bool Required, int Order, uint Finds);

    /// <param name="Keys">Its keys, named ones excluded.</param>
    /// <param name="Value">What its values may be.</param>
    /// <param name="IsLarge">Whether there are always more.</param>
    /// <param name="Finds">The wanted properties they can be, as bits.</param>
    internal readonly record struct Other(Term Keys, ValueNode Value, bool IsLarge, uint Finds);
}
