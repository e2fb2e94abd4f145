using System.Runtime.CompilerServices;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>Property names as an automaton whose states say which names may still come out.</summary>
internal sealed class NameMachine : CharMachine
{
    private readonly int[][] _names;
    private readonly List<(int Low, int High, int Depth)> _states = [];
    private readonly List<Dictionary<int, int>> _next = [];

    /// <param name="names">Sorted by code points, different.</param>
    public NameMachine(int[][] names)
    {
        _names = names;
        Build(0, names.Length, 0);
        Alphabet = [.. names.SelectMany(n => n).Distinct()];
    }

    public override IEnumerable<int> Alphabet { get; }

    public override long Start => 0;

    public override long Step(long state, int codePoint) => _next[(int)state].GetValueOrDefault(codePoint, -1);

    public override bool Accepts(long state)
    {
        var (low, _, depth) = _states[(int)state];
        return _names[low].Length == depth;
    }

    /// <summary>The names that begin as read: from, and the end.</summary>
    public (int Low, int High) Names(long state) => (_states[(int)state].Low, _states[(int)state].High);

    private int Build(int low, int high, int depth)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        var id = _states.Count;
        _states.Add((low, high, depth));
        var next = new Dictionary<int, int>();
        _next.Add(next);
        var at = _names[low].Length == depth ? low + 1 : low;
        while (at < high)
        {
            var c = _names[at][depth];
            var end = at;
            while (end < high && _names[end][depth] == c)
                end++;
            next[c] = Build(at, end, depth + 1);
            at = end;
        }

        return id;
    }
}
