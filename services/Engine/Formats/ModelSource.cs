using System.Diagnostics.CodeAnalysis;
using Slm.Engine.HuggingFace;

namespace Slm.Engine.Formats;

/// <summary>
/// Where a model comes from: metadata and tensors under the names that GGUF files give them, whatever the files behind them
/// are called and however they lie on the disk.
/// </summary>
public abstract unsafe class ModelSource : IDisposable
{
    /// <summary>Path of the file or folder.</summary>
    public abstract string Path { get; }

    /// <summary>What requests call the model.</summary>
    public abstract string Name { get; }

    /// <summary>Bytes of all files.</summary>
    public abstract long FileBytes { get; }

    /// <summary>Key-value pairs: scalars in their own type (byte to ulong, float, double, bool, string), arrays as T[].</summary>
    public abstract IReadOnlyDictionary<string, object> Metadata { get; }

    /// <summary>All tensors.</summary>
    public abstract IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>Opens a GGUF file, or a folder as Hugging Face has them.</summary>
    /// <exception cref="ModelFormatException">It is malformed.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static ModelSource Open(string path) => Directory.Exists(path) ? HuggingFaceModel.Open(path) : GgufFile.Open(path);

    /// <summary>True for a folder that <see cref="Open"/> would take for a model: one with a <c>config.json</c>.</summary>
    public static bool IsFolder(string path) => File.Exists(System.IO.Path.Combine(path, HuggingFaceModel.ConfigName));

    /// <summary>Finds a tensor by name.</summary>
    public abstract bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor);

    /// <summary>First byte of a tensor of this model; valid until it is disposed. One whose data had to be changed is kept in memory from then on.</summary>
    public abstract byte* Pointer(TensorInfo tensor);

    /// <summary>The bytes of a tensor of less than 2 GiB.</summary>
    public ReadOnlySpan<byte> Bytes(TensorInfo tensor) => new(Pointer(tensor), checked((int)tensor.ByteLength));

    /// <summary>First byte of one matrix of a tensor of several [columns, rows, matrices]; valid until the model is disposed.</summary>
    internal virtual byte* Matrix(TensorInfo tensor, int index) => Pointer(tensor) + (index * MatrixBytes(tensor));

    /// <summary>Bytes of one matrix of a tensor of several [columns, rows, matrices].</summary>
    internal static long MatrixBytes(TensorInfo tensor) => TensorTypes.RowBytes(tensor.Type, tensor.Columns) * (tensor.Shape.Count > 1 ? tensor.Shape[1] : 1);

    /// <summary>Copies rows of a tensor of this model, whose data need not fit into memory.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="first">First row.</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="target">Room for them.</param>
    internal virtual void CopyRows(TensorInfo tensor, long first, int count, byte* target)
    {
        var bytes = TensorTypes.RowBytes(tensor.Type, tensor.Columns);
        Buffer.MemoryCopy(Pointer(tensor) + (first * bytes), target, count * bytes, count * bytes);
    }

    /// <summary>SHA-256 of what was opened, in lower-case hexadecimal.</summary>
    internal abstract string ComputeSha256();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Closes the files.</summary>
    protected abstract void Dispose(bool disposing);
}
