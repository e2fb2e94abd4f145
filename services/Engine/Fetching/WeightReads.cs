using Slm.Engine.Formats;

namespace Slm.Engine.Fetching;

/// <summary>Which parts of which tensors an architecture asks for; see <see cref="Architectures.ModelWeights"/>.</summary>
internal sealed unsafe class WeightReads
{
    private readonly HashSet<WeightRead> _all = [];

    /// <summary>What has been asked for.</summary>
    public IReadOnlyCollection<WeightRead> All => _all;

    /// <summary>The expert that whole tensors belong to from now on; null: none.</summary>
    public int? Expert { get; set; }

    /// <summary>Notes a whole tensor.</summary>
    public byte* Add(TensorInfo tensor)
    {
        _all.Add(new WeightRead(tensor, 0, tensor.ByteLength, Expert));
        return null;
    }

    /// <summary>Notes one expert's matrix of a tensor that holds those of all.</summary>
    public byte* AddMatrix(TensorInfo tensor, int expert)
    {
        var bytes = ModelSource.MatrixBytes(tensor);
        _all.Add(new WeightRead(tensor, expert * bytes, bytes, expert));
        return null;
    }
}
