using System.Globalization;

namespace Slm.Engine.Experts;

/// <summary>Which experts of every layer that has some a group holds: the same ones in each, so that groups of a size are balanced.</summary>
public sealed class ExpertSlice
{
    private ExpertSlice(int[] experts) => Experts = experts;

    /// <summary>No expert.</summary>
    public static ExpertSlice None { get; } = new([]);

    /// <summary>The experts, ascending.</summary>
    public IReadOnlyList<int> Experts { get; }

    /// <summary>Number of experts.</summary>
    public int Count => Experts.Count;

    /// <summary>The experts of a list, in any order.</summary>
    /// <exception cref="ArgumentException">One is negative or there twice.</exception>
    public static ExpertSlice Of(IEnumerable<int> experts)
    {
        ArgumentNullException.ThrowIfNull(experts);
        int[] sorted = [.. experts.Order()];
        for (var i = 0; i < sorted.Length; i++)
        {
            if (sorted[i] < 0)
                throw new ArgumentException($"Expert {sorted[i]} does not exist; experts are counted from 0.", nameof(experts));
            if (i > 0 && sorted[i] == sorted[i - 1])
                throw new ArgumentException($"Expert {sorted[i]} is listed twice.", nameof(experts));
        }

        return sorted.Length == 0 ? None : new ExpertSlice(sorted);
    }

    /// <summary>All experts.</summary>
    public static ExpertSlice All(int count) => RoundRobin(count, 0, 1);

    /// <summary>Every <paramref name="groups"/>-th expert, from <paramref name="group"/> on: neighbours, which are often visited alike, lie apart.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are more groups than experts, or no such group.</exception>
    public static ExpertSlice RoundRobin(int count, int group, int groups)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(groups, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(groups, count);
        ArgumentOutOfRangeException.ThrowIfNegative(group);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(group, groups);
        return new ExpertSlice([.. Enumerable.Range(0, count).Where(expert => expert % groups == group)]);
    }

    /// <summary>All experts in groups whose sizes differ by at most one.</summary>
    public static ExpertSlice[] Split(int count, int groups) => [.. Enumerable.Range(0, groups).Select(group => RoundRobin(count, group, groups))];

    /// <inheritdoc/>
    public override string ToString() => Count == 0 ? "none" : string.Join(", ", Experts.Select(expert => expert.ToString(CultureInfo.InvariantCulture)));
}
