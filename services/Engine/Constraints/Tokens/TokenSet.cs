using System.Numerics;
using System.Numerics.Tensors;

namespace Slm.Engine.Constraints.Tokens;

/// <summary>An immutable set of tokens: as a list where they are few, else a bit each.</summary>
internal sealed class TokenSet
{
    private readonly ulong[]? _bits;
    private readonly int[]? _ids;

    private TokenSet(ulong[]? bits, int[]? ids) => (_bits, _ids) = (bits, ids);

    /// <summary>What it takes.</summary>
    public int Bytes => _bits is not null ? _bits.Length * sizeof(ulong) : _ids!.Length * sizeof(int);

    /// <summary>A copy of a mask.</summary>
    public static TokenSet Of(ulong[] mask)
    {
        var count = 0;
        foreach (var word in mask)
            count += BitOperations.PopCount(word);
        if (count > mask.Length)
            return new TokenSet([.. mask], null);
        var ids = new int[count];
        var at = 0;
        for (var w = 0; at < ids.Length; w++)
        {
            for (var word = mask[w]; word != 0; word &= word - 1)
                ids[at++] = (64 * w) + BitOperations.TrailingZeroCount(word);
        }

        return new TokenSet(null, ids);
    }

    /// <summary>Sets the bits of its tokens and clears all others.</summary>
    public void CopyTo(Span<ulong> mask)
    {
        if (_bits is not null)
        {
            _bits.CopyTo(mask);
            return;
        }

        mask.Clear();
        Add(mask);
    }

    /// <summary>Sets the bits of its tokens.</summary>
    public void AddTo(Span<ulong> mask)
    {
        if (_bits is not null)
            TensorPrimitives.BitwiseOr<ulong>(mask, _bits, mask);
        else
            Add(mask);
    }

    private void Add(Span<ulong> mask)
    {
        foreach (var id in _ids!)
            mask[id >> 6] |= 1UL << (id & 63);
    }
}
