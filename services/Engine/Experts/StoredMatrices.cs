using Slm.Engine.Blocks;

namespace Slm.Engine.Experts;

/// <summary>One matrix of every expert of a layer, in a file: expert after expert from <paramref name="Position"/> on.</summary>
/// <param name="Matrices">Per expert; all of one type and shape.</param>
/// <param name="Position">Bytes from the start of the file.</param>
internal sealed record StoredMatrices(Linear[] Matrices, long Position)
{
    /// <summary>Bytes of one matrix in the file.</summary>
    public long StoredBytes => Matrices[0].StoredBytes;

    /// <summary>Bytes of one matrix as the products read it.</summary>
    public long WorkingBytes => Matrices[0].WorkingBytes;

    /// <summary>Where an expert's matrix lies in the file.</summary>
    public long PositionOf(int expert) => Position + (expert * StoredBytes);
}

/// <summary>The experts of a layer in a file, and how one of them lies in a slot of the cache.</summary>
internal sealed class StoredLayer
{
    /// <summary>Matrices of an expert.</summary>
    public const int Parts = 3;

    private readonly StoredMatrices[] _parts;
    private readonly long[] _offsets;

    public StoredLayer(StoredMatrices gate, StoredMatrices up, StoredMatrices down)
    {
        _parts = [gate, up, down];
        _offsets = new long[Parts];
        for (var part = 0; part < Parts; part++)
        {
            _offsets[part] = SlotBytes;
            SlotBytes = checked(SlotBytes + _parts[part].WorkingBytes + 63) & ~63L;
        }
    }

    /// <summary>Experts of the layer.</summary>
    public int Count => _parts[0].Matrices.Length;

    /// <summary>Bytes of an expert in a slot.</summary>
    public long SlotBytes { get; }

    /// <summary>Bytes of an expert in the file.</summary>
    public long StoredBytes => _parts.Sum(part => part.StoredBytes);

    /// <summary>Gate, up and down.</summary>
    public IReadOnlyList<StoredMatrices> Matrices => _parts;

    /// <summary>Where a matrix begins in a slot.</summary>
    public long OffsetOf(int part) => _offsets[part];
}
