namespace Slm.Engine.Planning;

/// <summary>Deals the experts of a layer out to groups.</summary>
internal static class ExpertBalance
{
    /// <summary>Sizes of <paramref name="groups"/> groups that differ by at most one.</summary>
    public static int[] Even(int experts, int groups) => [.. Enumerable.Range(0, groups).Select(group => (experts / groups) + (group < experts % groups ? 1 : 0))];

    /// <summary>Sizes in proportion to what groups have room for, none above it; null if all together have too little.</summary>
    public static int[]? Proportional(int experts, IReadOnlyList<long> room)
    {
        var all = room.Sum();
        if (all < experts)
            return null;
        var sizes = room.Select(most => (int)((Int128)experts * most / all)).ToArray();
        for (var left = experts - sizes.Sum(); left > 0; left--)
        {
            // Where the most room is left for one more.
            var to = Enumerable.Range(0, sizes.Length).MaxBy(group => room[group] - sizes[group]);
            sizes[to]++;
        }

        return sizes;
    }

    /// <summary>
    /// Experts of each group, ascending: the most visited one goes to the group that has the fewest visits so far and is not
    /// full. Where all are visited alike, they are dealt out in turn.
    /// </summary>
    /// <param name="sizes">Experts of each group.</param>
    /// <param name="visits">Visits of each expert; null for alike.</param>
    public static IReadOnlyList<int>[] Deal(int[] sizes, IReadOnlyList<long>? visits)
    {
        var groups = sizes.Select(size => new List<int>(size)).ToArray();
        var loads = new double[sizes.Length];
        double Of(int expert) => visits?[expert] ?? 1;
        foreach (var expert in Enumerable.Range(0, sizes.Sum()).OrderByDescending(Of))
        {
            var to = Enumerable.Range(0, sizes.Length).Where(group => groups[group].Count < sizes[group]).MinBy(group => (loads[group], (double)groups[group].Count / sizes[group]));
            groups[to].Add(expert);
            loads[to] += Of(expert);
        }

        foreach (var group in groups)
            group.Sort();
        return groups;
    }
}
