using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>A property that a shape names.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">What its value may be; <see cref="ValueNode.Never"/> forbids the property.</param>
/// <param name="Required">Whether it must be there.</param>
internal readonly record struct NamedProperty(string Name, ValueNode Value, bool Required);

/// <summary>Properties that are not named, by a language of their keys. The languages of a shape's classes have no key in common.</summary>
/// <param name="Keys">The keys; those the shape names do not count.</param>
/// <param name="Value">What their values may be.</param>
internal readonly record struct KeyClass(Term Keys, ValueNode Value);

/// <summary>Some property must be there: with a key of a language and a value of a node.</summary>
internal readonly record struct WantedProperty(Term Keys, ValueNode Value);

/// <summary>A set of objects: conditions that all hold.</summary>
internal sealed record ObjectShape
{
    /// <summary>Named properties, in the order in which they are to be written if order matters.</summary>
    public required IReadOnlyList<NamedProperty> Named { get; init; }

    /// <summary>Other properties; keys of no class are forbidden.</summary>
    public required IReadOnlyList<KeyClass> Others { get; init; }

    /// <summary>Properties that must be found among the others or the named.</summary>
    public IReadOnlyList<WantedProperty> Wanted { get; init; } = [];

    /// <summary>Fewest properties.</summary>
    public int Min { get; init; }

    /// <summary>Most properties; -1 without a limit.</summary>
    public int Max { get; init; } = -1;

    /// <summary>The property of a name, as the shape says it if it names it, else by its class.</summary>
    public NamedProperty Find(string name, TermPool pool, ValueNodes nodes)
    {
        foreach (var property in Named)
        {
            if (property.Name == name)
                return property;
        }

        if (Others is [var only] && only.Keys == pool.All)
            return new NamedProperty(name, only.Value, false);
        var text = WordList.CodePoints(name);
        foreach (var other in Others)
        {
            if (pool.Matches(other.Keys, text))
                return new NamedProperty(name, other.Value, false);
        }

        return new NamedProperty(name, nodes.Never, false);
    }

    /// <summary>Whether another shape has the same parts.</summary>
    public bool SameAs(ObjectShape other) =>
        Min == other.Min && Max == other.Max && Named.SequenceEqual(other.Named) && Others.SequenceEqual(other.Others) && Wanted.SequenceEqual(other.Wanted);
}

/// <summary>Items that must be found so many times.</summary>
/// <param name="Value">What they are.</param>
/// <param name="From">First index that counts.</param>
/// <param name="Min">Fewest.</param>
/// <param name="Max">Most; -1 without a limit.</param>
internal readonly record struct WantedItems(ValueNode Value, int From, int Min, int Max);

/// <summary>A set of arrays: conditions that all hold.</summary>
internal sealed record ArrayShape
{
    /// <summary>The first items.</summary>
    public required IReadOnlyList<ValueNode> Prefix { get; init; }

    /// <summary>All items behind them.</summary>
    public required ValueNode Rest { get; init; }

    /// <summary>Fewest items.</summary>
    public int Min { get; init; }

    /// <summary>Most items; -1 without a limit.</summary>
    public int Max { get; init; } = -1;

    /// <summary>Items that must be found, or not too often.</summary>
    public IReadOnlyList<WantedItems> Wanted { get; init; } = [];

    /// <summary>The schema that wants no two items to be equal; null if none does.</summary>
    public Schema? Unique { get; init; }

    /// <summary>What the item at an index may be.</summary>
    public ValueNode Item(int index) => index < Prefix.Count ? Prefix[index] : Rest;

    /// <summary>Whether another shape has the same parts.</summary>
    public bool SameAs(ArrayShape other) =>
        Min == other.Min && Max == other.Max && Rest == other.Rest && Prefix.SequenceEqual(other.Prefix) && Wanted.SequenceEqual(other.Wanted) && Unique is null == other.Unique is null;
}

/// <summary>A set of JSON values, by type: objects and arrays as a choice of shapes.</summary>
internal sealed record ValueSet(bool Null, bool False, bool True, Term Strings, Term Numbers, IReadOnlyList<ObjectShape> Objects, IReadOnlyList<ArrayShape> Arrays);
