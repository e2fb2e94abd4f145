using System.Runtime.InteropServices;

namespace Slm.Engine.Constraints.Languages;

/// <summary>An immutable set of code points, as sorted disjoint ranges.</summary>
internal sealed class CharSet : IEquatable<CharSet>
{
    /// <summary>First number behind the code points; regular expressions mark the ends of their text with such numbers.</summary>
    public const int End = 0x110000;

    private readonly int[] _bounds;
    private readonly int _hash;

    /// <param name="bounds">First and last member of each range, in turn; sorted, neither overlapping nor touching.</param>
    private CharSet(int[] bounds)
    {
        _bounds = bounds;
        var hash = default(HashCode);
        hash.AddBytes(MemoryMarshal.AsBytes(bounds.AsSpan()));
        _hash = hash.ToHashCode();
    }

    /// <summary>No code point.</summary>
    public static CharSet None { get; } = new([]);

    /// <summary>All Unicode scalar values: surrogates are no characters.</summary>
    public static CharSet All { get; } = new([0, 0xD7FF, 0xE000, End - 1]);

    /// <summary>Whether it has no member.</summary>
    public bool IsEmpty => _bounds.Length == 0;

    /// <summary>How many ranges.</summary>
    public int RangeCount => _bounds.Length / 2;

    /// <summary>First and last member of a range.</summary>
    public (int Low, int High) Range(int index) => (_bounds[2 * index], _bounds[2 * index + 1]);

    /// <summary>One code point.</summary>
    public static CharSet Of(int codePoint) => new([codePoint, codePoint]);

    /// <summary>A range, both ends included.</summary>
    public static CharSet Of(int low, int high) => new([low, high]);

    /// <summary>Ranges in any order, which may overlap.</summary>
    public static CharSet Of(IEnumerable<(int Low, int High)> ranges)
    {
        var sorted = ranges.Where(r => r.Low <= r.High).OrderBy(r => r.Low).ToList();
        var bounds = new List<int>();
        foreach (var (low, high) in sorted)
        {
            if (bounds.Count > 0 && low <= bounds[^1] + 1)
                bounds[^1] = Math.Max(bounds[^1], high);
            else
                bounds.AddRange([low, high]);
        }

        return bounds.Count == 0 ? None : new([.. bounds]);
    }

    /// <summary>The characters of a text.</summary>
    public static CharSet Of(string characters) => Of(characters.EnumerateRunes().Select(r => (r.Value, r.Value)));

    /// <summary>Whether a code point is a member.</summary>
    public bool Contains(int codePoint)
    {
        var i = Array.BinarySearch(_bounds, codePoint);
        return i >= 0 || (~i & 1) == 1;
    }

    /// <summary>Members of either.</summary>
    public CharSet Union(CharSet other) => IsEmpty ? other : other.IsEmpty ? this : Of(Ranges().Concat(other.Ranges()));

    /// <summary>Members of both.</summary>
    public CharSet Intersect(CharSet other)
    {
        var result = new List<(int, int)>();
        for (int i = 0, j = 0; i < _bounds.Length && j < other._bounds.Length;)
        {
            var low = Math.Max(_bounds[i], other._bounds[j]);
            var high = Math.Min(_bounds[i + 1], other._bounds[j + 1]);
            if (low <= high)
                result.Add((low, high));
            if (_bounds[i + 1] < other._bounds[j + 1])
                i += 2;
            else
                j += 2;
        }

        return Of(result);
    }

    /// <summary>The scalar values that are no members.</summary>
    public CharSet Complement()
    {
        var gaps = new List<(int, int)>();
        var next = 0;
        foreach (var (low, high) in Ranges())
        {
            gaps.Add((next, low - 1));
            next = high + 1;
        }

        gaps.Add((next, End - 1));
        return Of(gaps).Intersect(All);
    }

    /// <summary>The ranges in order.</summary>
    public IEnumerable<(int Low, int High)> Ranges()
    {
        for (var i = 0; i < _bounds.Length; i += 2)
            yield return (_bounds[i], _bounds[i + 1]);
    }

    /// <inheritdoc/>
    public bool Equals(CharSet? other) => other is not null && _hash == other._hash && _bounds.AsSpan().SequenceEqual(other._bounds);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CharSet);

    /// <inheritdoc/>
    public override int GetHashCode() => _hash;
}
