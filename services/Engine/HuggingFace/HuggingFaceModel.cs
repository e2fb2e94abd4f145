using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Slm.Engine.Formats;

namespace Slm.Engine.HuggingFace;

/// <summary>
/// A folder as Hugging Face has them: <c>config.json</c>, <c>*.safetensors</c> and the tokenizer's files, used without
/// conversion. It looks like a GGUF file: the same metadata keys and tensor names, so that all that reads models reads it.
/// </summary>
internal sealed unsafe class HuggingFaceModel : ModelSource
{
    /// <summary>The file that makes a folder a model.</summary>
    public const string ConfigName = "config.json";

    /// <summary>Files beside the weights that change what a model answers.</summary>
    public static readonly IReadOnlyList<string> SmallFiles = [ConfigName, SafetensorsSet.IndexName, SentencePooling.Name, .. TokenizerFiles.Names];

    private readonly SafetensorsSet _files;
    private readonly Dictionary<string, FolderTensor> _byName = new(StringComparer.Ordinal);

    private HuggingFaceModel(string folder, SafetensorsSet files)
    {
        _files = files;
        Path = folder;
        var model = ModelFamilies.Read(FolderConfig.Read(folder, ConfigName), files);
        foreach (var tensor in model.Tensors)
            _byName.Add(tensor.Info.Name, tensor);
        Tensors = [.. model.Tensors.Select(t => t.Info)];
        model.Metadata["general.name"] = Name;
        TokenizerFiles.Add(folder, model.Metadata);
        SentencePooling.Add(folder, model.Metadata);
        Metadata = model.Metadata;
        FileBytes = files.FileBytes + new FileInfo(System.IO.Path.Combine(folder, ConfigName)).Length;
    }

    /// <inheritdoc/>
    public override string Path { get; }

    /// <summary>The folder's name.</summary>
    public override string Name => FolderConfig.FolderName(Path);

    /// <inheritdoc/>
    public override long FileBytes { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, object> Metadata { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>Opens a folder.</summary>
    /// <exception cref="ModelFormatException">A file is missing or malformed, or the kind of model is not supported.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static new HuggingFaceModel Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ModelFamilies.Check(FolderConfig.Read(folder, ConfigName));
        var files = SafetensorsSet.Open(folder);
        try
        {
            return new HuggingFaceModel(folder, files);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override bool TryGetTensor(string name, [NotNullWhen(true)] out TensorInfo? tensor)
    {
        tensor = _byName.TryGetValue(name, out var found) ? found.Info : null;
        return tensor is not null;
    }

    /// <inheritdoc/>
    public override byte* Pointer(TensorInfo tensor) => Find(tensor).Pointer();

    /// <inheritdoc/>
    internal override byte* Matrix(TensorInfo tensor, int index) => Find(tensor).Matrix(index);

    /// <inheritdoc/>
    internal override void CopyRows(TensorInfo tensor, long first, int count, byte* target) => Find(tensor).CopyRows(first, count, target);

    /// <summary>Of <c>config.json</c> and the *.safetensors, each with its name and length before it.</summary>
    internal override string ComputeSha256()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        using (var config = File.OpenRead(System.IO.Path.Combine(Path, ConfigName)))
            Append(hash, ConfigName, config, buffer);
        foreach (var file in _files.Files)
        {
            using var content = file.OpenContent();
            Append(hash, System.IO.Path.GetFileName(file.Path), content, buffer);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        foreach (var tensor in _byName.Values)
            tensor.Dispose();
        _files.Dispose();
    }

    private static void Append(IncrementalHash hash, string name, Stream content, byte[] buffer)
    {
        hash.AppendData(Encoding.UTF8.GetBytes(name));
        BinaryPrimitives.WriteInt64LittleEndian(buffer, content.Length);
        hash.AppendData(buffer, 0, sizeof(long));
        for (var read = content.Read(buffer); read > 0; read = content.Read(buffer))
            hash.AppendData(buffer, 0, read);
    }

    private FolderTensor Find(TensorInfo tensor) => _byName.TryGetValue(tensor.Name, out var found) && ReferenceEquals(found.Info, tensor)
        ? found : throw new ArgumentException($"The tensor '{tensor.Name}' belongs to another model.", nameof(tensor));
}
