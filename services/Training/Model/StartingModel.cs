using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Training.Tokenizer;

namespace Slm.Training.Model;

/// <summary>
/// A model file that is trained further: sizes, vocabulary and weights of a llama with tied embedding and a byte-level BPE vocabulary
/// in the order of <see cref="BpeVocabulary"/>, in floats. Files that were trained here are such.
/// </summary>
internal sealed class StartingModel : IDisposable
{
    private static readonly TensorType[] Floats = [TensorType.F32, TensorType.F16, TensorType.BF16];

    private readonly ModelFile _file;

    private StartingModel(ModelFile file, ModelShape shape) => (_file, Shape) = (file, shape);

    /// <summary>The sizes.</summary>
    public ModelShape Shape { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="ModelFormatException">It is no such model; the message says why.</exception>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    public static StartingModel Open(string path)
    {
        var file = ModelFile.Open(path);
        try
        {
            var config = file.Config;
            if (config.Architecture != "llama" || config.Experts is not null || config.Window != 0)
                throw Error(file, $"its architecture is '{config.Architecture}'{(config.Experts is null ? "" : " with experts")}; only a dense llama without windows can be trained further");
            if (file.Source.TryGetTensor("output.weight", out _))
                throw Error(file, "it has a head of its own ('output.weight'); only models with a tied embedding can be trained further");
            if (config.Rope.Scaling != RopeScaling.None || config.Rope.NeoX || config.Rope.Dimensions != config.HeadSize || config.HeadSize * config.HeadCount != config.HiddenSize || config.HeadSize % 32 != 0)
                throw Error(file, "it has scaled or partial rotary positions, or heads that do not divide its width into multiples of 32; such models cannot be trained further");
            return new StartingModel(file, new ModelShape
            {
                VocabSize = config.VocabSize,
                HiddenSize = config.HiddenSize,
                LayerCount = config.LayerCount,
                HeadCount = config.HeadCount,
                KeyValueHeadCount = config.KeyValueHeadCount,
                FeedForwardSize = config.FeedForwardSize,
                ContextLength = config.ContextLength,
                RopeBase = config.Rope.Base,
                NormEpsilon = config.NormEpsilon,
            });
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The vocabulary.</summary>
    /// <exception cref="ModelFormatException">Its ids are in another order than those of vocabularies that are trained here.</exception>
    public BpeVocabulary ReadVocabulary()
    {
        if (_file.Source.Metadata.GetValueOrDefault("tokenizer.ggml.tokens") is not string[] tokens || _file.Source.Metadata.GetValueOrDefault("tokenizer.ggml.merges") is not string[] merges)
            throw Error(_file, "it has no byte-level BPE vocabulary");
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var id = 0; id < tokens.Length; id++)
            ids.TryAdd(tokens[id], id);
        var pairs = new List<(int, int)>();
        foreach (var merge in merges)
        {
            var parts = merge.Split(' ');
            if (parts.Length != 2 || !ids.TryGetValue(parts[0], out var left) || !ids.TryGetValue(parts[1], out var right))
                throw Error(_file, $"the merge '{merge}' is not of two of its tokens");
            pairs.Add((left, right));
        }

        if (tokens.Length < 257 + pairs.Count || tokens.Length > ushort.MaxValue)
            throw Error(_file, $"its vocabulary of {tokens.Length} has no room for 256 bytes and {pairs.Count} merges, or is above {ushort.MaxValue}");
        var vocabulary = new BpeVocabulary(pairs, tokens.Length);
        for (var id = 0; id < tokens.Length; id++)
        {
            if (vocabulary.Piece(id) != tokens[id])
                throw Error(_file, $"token {id} is '{tokens[id]}' where a vocabulary that was trained here has '{vocabulary.Piece(id)}'");
        }

        return vocabulary;
    }

    /// <summary>Copies the weights.</summary>
    /// <param name="layout">Their places, of <see cref="Shape"/>.</param>
    /// <param name="weights">The flat vector.</param>
    /// <exception cref="ModelFormatException">A tensor is missing, of another shape, or not in floats.</exception>
    public void CopyTo(ParameterLayout layout, Span<float> weights)
    {
        foreach (var (name, parameter, firstRow, rows) in layout.GgufTensors())
            Copy(name, parameter, firstRow, rows, weights);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void Copy(string name, Parameter parameter, int firstRow, int rows, Span<float> weights)
    {
        var tensor = _file.Require(name, Floats, parameter.Columns, rows);
        var target = weights.Slice(parameter.Offset + (firstRow * parameter.Columns), rows * parameter.Columns);
        var bytes = _file.Source.Bytes(tensor);
        for (var i = 0; i < target.Length; i++)
        {
            target[i] = tensor.Type switch
            {
                TensorType.F32 => BitConverter.ToSingle(bytes[(4 * i)..]),
                TensorType.F16 => (float)BitConverter.ToHalf(bytes[(2 * i)..]),
                _ => BitConverter.Int32BitsToSingle(BitConverter.ToUInt16(bytes[(2 * i)..]) << 16),
            };
        }
    }

    private static ModelFormatException Error(ModelFile file, string what) => new($"{Path.GetFileName(file.Source.Path)}: {what}.");
}
