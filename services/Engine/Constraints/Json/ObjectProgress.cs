using System.Numerics;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>Which properties of an object have been written, and so which may follow.</summary>
internal sealed class ObjectProgress : IEquatable<ObjectProgress>
{
    private readonly ObjectPlan _plan;
    private readonly ulong[] _used;
    private readonly int _count;
    private readonly int _missing;
    private readonly int _last;
    private UsedKeys? _usedKeys;
    private ulong[]? _allowed;
    private bool? _others;

    /// <param name="plan">The object's plan.</param>
    /// <param name="used">Names that have been written, as bits.</param>
    /// <param name="keys">Other keys that have been written, sorted.</param>
    /// <param name="unknown">How many further keys have been written that nobody has looked at.</param>
    /// <param name="pending">Wanted properties that are still to be found, as bits.</param>
    public ObjectProgress(ObjectPlan plan, ulong[] used, string[] keys, int unknown, uint pending)
    {
        (_plan, _used, Keys, Unknown, Pending) = (plan, used, keys, unknown, pending);
        _count = keys.Length + unknown + used.Sum(u => BitOperations.PopCount(u));
        _last = -1;
        for (var i = 0; i < plan.Names.Length; i++)
        {
            if (Uses(i))
                _last = Math.Max(_last, plan.Names[i].Order);
            else if (plan.Names[i].Required)
                _missing++;
        }
    }

    /// <summary>Other keys that have been written, sorted.</summary>
    public string[] Keys { get; }

    /// <summary>Follows them; null if there are none.</summary>
    public UsedKeys? UsedKeys => Keys.Length == 0 ? null : _usedKeys ??= _plan.Used(Keys);

    /// <summary>Wanted properties that are still to be found.</summary>
    public uint Pending { get; }

    /// <summary>Further keys that nobody has looked at.</summary>
    private int Unknown { get; }

    /// <summary>Whether the object may end here.</summary>
    public bool CanClose => _missing == 0 && _count >= _plan.Min && Pending == 0;

    /// <summary>Whether any property may follow.</summary>
    public bool CanGoOn => OthersAllowed || Allowed.Any(a => a != 0);

    /// <summary>Names that may come next, as bits.</summary>
    public ulong[] Allowed => _allowed ??= FindAllowed();

    /// <summary>Whether a property that is not named may come next.</summary>
    public bool OthersAllowed => _others ??= HasRoom(_missing) && (!SchemaOrder || _missing == 0) && Enumerable.Range(0, _plan.Others.Length).Any(i => _plan.Keys(i, this).Start != ByteDfa.Dead);

    private bool SchemaOrder => _plan.Compiler.SchemaOrder;

    /// <summary>The properties that a name gives: what its value may be, and the progress behind it.</summary>
    public IEnumerable<(ValueNode Value, ObjectProgress Next)> Write(int name)
    {
        var used = (ulong[])_used.Clone();
        used[name >> 6] |= 1UL << (name & 63);
        var entry = _plan.Names[name];
        return Variants(entry.Value, entry.Finds, pending => new ObjectProgress(_plan, used, Keys, Unknown, pending));
    }

    /// <summary>The same for a key that is not named; null where nobody knows it.</summary>
    public IEnumerable<(ValueNode Value, ObjectProgress Next)> Write(ObjectPlan.Other other, string? key)
    {
        string[] keys = key is null ? Keys : [.. Keys.Append(key).Order(StringComparer.Ordinal)];
        return Variants(other.Value, other.Finds, pending => new ObjectProgress(_plan, _used, keys, key is null ? Unknown + 1 : Unknown, pending));
    }

    /// <inheritdoc/>
    public bool Equals(ObjectProgress? other) =>
        other is not null && ReferenceEquals(_plan, other._plan) && Pending == other.Pending && Unknown == other.Unknown && _used.AsSpan().SequenceEqual(other._used) && Keys.AsSpan().SequenceEqual(other.Keys);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ObjectProgress);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = HashCode.Combine(Pending, Unknown, Keys.Length);
        foreach (var word in _used)
            hash = HashCode.Combine(hash, word);
        return Keys.Length == 0 ? hash : HashCode.Combine(hash, Keys[^1]);
    }

    private bool Uses(int name) => (_used[name >> 6] >> (name & 63) & 1) != 0;

    private IEnumerable<(ValueNode Value, ObjectProgress Next)> Variants(ValueNode value, uint finds, Func<uint, ObjectProgress> next)
    {
        var candidates = Pending & finds;
        for (var found = candidates; ; found = (found - 1) & candidates)
        {
            var node = _plan.With(value, found);
            if (found == 0 || !_plan.Compiler.Lives.IsEmpty(node))
            {
                var progress = _plan.Intern(next(Pending & ~found));
                if (progress.CanFindRest())
                    yield return (node, progress);
            }

            if (found == 0)
                break;
        }
    }

    /// <summary>Whether every wanted property can still be found.</summary>
    private bool CanFindRest()
    {
        var open = Pending;
        if (open == 0)
            return true;
        foreach (var other in _plan.Others)
            open &= ~other.Finds;
        for (var i = 0; i < _plan.Names.Length && open != 0; i++)
        {
            if ((Allowed[i >> 6] >> (i & 63) & 1) != 0 || (!SchemaOrder && !Uses(i)))
                open &= ~_plan.Names[i].Finds;
        }

        return open == 0;
    }

    private bool HasRoom(int missingAfter) => _plan.Max < 0 || _count + 1 + missingAfter <= _plan.Max;

    /// <summary>With a fixed order: whether enough properties are left behind a place.</summary>
    private bool Enough(int order) =>
        _plan.Others.Length > 0 || _plan.Min == 0 || _count + 1 + _plan.Names.Count(n => n.Order > order) >= _plan.Min;

    private ulong[] FindAllowed()
    {
        var allowed = new ulong[_used.Length];
        if (SchemaOrder && Keys.Length + Unknown > 0)
            return allowed;
        var firstMissing = int.MaxValue;
        if (SchemaOrder)
        {
            for (var i = 0; i < _plan.Names.Length; i++)
            {
                if (_plan.Names[i].Required && !Uses(i))
                    firstMissing = Math.Min(firstMissing, _plan.Names[i].Order);
            }
        }

        for (var i = 0; i < _plan.Names.Length; i++)
        {
            var entry = _plan.Names[i];
            if (Uses(i) || !HasRoom(entry.Required ? _missing - 1 : _missing))
                continue;
            if (SchemaOrder && (entry.Order < _last || entry.Order > firstMissing || !Enough(entry.Order)))
                continue;
            allowed[i >> 6] |= 1UL << (i & 63);
        }

        return allowed;
    }
}
