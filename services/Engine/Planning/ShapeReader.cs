using System.Globalization;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Kernels.Panels;
using Slm.Engine.Models;
using Slm.Engine.Quantization;

namespace Slm.Engine.Planning;

/// <summary>Reads a <see cref="ModelShape"/> from a model's hyper-parameters and tensor list: names say what a tensor belongs to.</summary>
internal static class ShapeReader
{
    private static readonly string[] ExpertParts = ["gate", "up", "down"];

    public static ModelShape Read(ModelFile file, KvType kvType)
    {
        var config = file.Config;
        var encoders = config.Encoder?.Layers ?? 0;
        var layers = new Sums[config.LayerCount];
        var (embedding, head, common) = (new Sums(), new Sums(), new Sums());
        foreach (var tensor in file.Source.Tensors)
        {
            if (LayerOf(tensor.Name, encoders) is { } layer)
            {
                // Layers that the configuration does not count, such as those for predicting several tokens, are not loaded.
                if (layer < layers.Length)
                    layers[layer].Add(tensor, IsShared(tensor.Name) ? Part.None : ExpertIn(tensor, config) is { } expert ? expert : Part.Dense);
                if (IsShared(tensor.Name))
                    common.Add(tensor, Part.Dense);
            }
            else if (IsEmbedding(tensor.Name))
            {
                embedding.Add(tensor, Part.Dense);
            }
            else if (IsCommon(tensor.Name, config))
            {
                common.Add(tensor, Part.Dense);
            }
            else if (tensor.Name == "enc.output_norm.weight" && encoders > 0)
            {
                layers[encoders - 1].Add(tensor, Part.Dense);
            }
            else if (IsHead(tensor.Name))
            {
                head.Add(tensor, Part.Dense);
            }
        }

        var table = file.Source.TryGetTensor("token_embd.weight", out var found) ? found
            : throw new ModelFormatException($"{Path.GetFileName(file.Source.Path)}: the tensor 'token_embd.weight' is missing; the architecture '{config.Architecture}' needs it.");
        var tied = config.IsCausal && !file.Source.TryGetTensor("output.weight", out _);
        if (tied)
            head.Add(table, Part.Dense);
        return new ModelShape
        {
            Name = file.Name,
            Layers = [.. layers.Select((sums, layer) => sums.ToLayer(config, layer, kvType, layer < encoders))],
            EmbeddingBytes = embedding.Stored,
            EmbeddingRowBytes = TensorTypes.RowBytes(table.Type, table.Columns),
            HeadBytes = head.Working,
            HeadStoredBytes = head.Stored,
            TiedBytes = tied && PanelLayout.Of(table.Type) is null ? table.ByteLength : 0,
            TiedStoredBytes = tied ? table.ByteLength : 0,
            HeadMultiplyAdds = head.MultiplyAdds,
            CommonBytes = common.Stored,
            HiddenSize = config.HiddenSize,
            VocabSize = config.IsCausal ? config.VocabSize : 0,
            ContextLength = config.ContextLength,
            ScratchBytesPerToken = ScratchBytes(config),
        };
    }

    /// <summary>Bytes of a matrix or vector as products read it: panels, or as stored.</summary>
    private static long WorkingBytes(TensorInfo tensor)
    {
        if (tensor.Shape.Count < 2)
            return tensor.Columns * sizeof(float);

        // Latent attention keeps copies of its heads' matrices that read float activations.
        if (tensor.Name.EndsWith("attn_kv_b.weight", StringComparison.Ordinal))
            return tensor.Elements * (tensor.Type is TensorType.F32 or TensorType.BF16 ? sizeof(float) : 2);
        if (PanelLayout.Of(tensor.Type) is not { } layout)
            return tensor.ByteLength;
        var panel = KernelSet.Best.PanelRows;
        var matrices = tensor.Shape.Skip(2).Aggregate(1L, (product, size) => product * size);
        return checked(layout.RowBytes(tensor.Columns) * ((tensor.Shape[1] + panel - 1) / panel * panel) * matrices);
    }

    /// <summary>The layer in <c>blk.N.</c>, or of an encoder-decoder in <c>enc.blk.N.</c> and <c>dec.blk.N.</c>; null for other tensors.</summary>
    private static int? LayerOf(string name, int encoders)
    {
        var (prefix, first) = name.StartsWith("blk.", StringComparison.Ordinal) ? ("blk.", 0)
            : name.StartsWith("enc.blk.", StringComparison.Ordinal) ? ("enc.blk.", 0)
            : ("dec.blk.", encoders);
        if (!name.StartsWith(prefix, StringComparison.Ordinal))
            return null;
        var number = name.AsSpan(prefix.Length);
        var dot = number.IndexOf('.');
        return dot > 0 && int.TryParse(number[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var layer) && layer <= int.MaxValue - first ? layer + first : null;
    }

    /// <summary>Whether the tensor holds all experts of a layer, or in older files one of them.</summary>
    private static Part? ExpertIn(TensorInfo tensor, ModelConfig config)
    {
        if (config.Experts is null)
            return null;
        foreach (var part in ExpertParts)
        {
            var at = tensor.Name.IndexOf($".ffn_{part}", StringComparison.Ordinal);
            if (at < 0)
                continue;
            var rest = tensor.Name.AsSpan(at + $".ffn_{part}".Length);
            if (rest is "_exps.weight" || (rest.Length > 1 && rest[0] == '.' && char.IsAsciiDigit(rest[1])))
                return Part.Expert;
        }

        return null;
    }

    /// <summary>Biases by relative position, which a stack's layers take from its first one.</summary>
    private static bool IsShared(string name) => name is "enc.blk.0.attn_rel_b.weight" or "dec.blk.0.attn_rel_b.weight";

    private static bool IsEmbedding(string name) =>
        name is "token_embd.weight" or "token_embd_norm.weight" or "token_embd_norm.bias" or "token_types.weight" or "position_embd.weight";

    private static bool IsCommon(string name, ModelConfig config)
    {
        var usesLong = config.ContextLength > config.Rope.OriginalContextLength;
        return name == "rope_freqs.weight"
            || (name == "rope_factors_long.weight" && usesLong)
            || (name == "rope_factors_short.weight" && !usesLong);
    }

    private static bool IsHead(string name) => name is "output.weight" or "output.bias" or "output_norm.weight" or "output_norm.bias" or "dec.output_norm.weight";

    /// <summary>What a stage reserves for each token of its largest step, as <see cref="StepContext"/> lays it out.</summary>
    private static long ScratchBytes(ModelConfig config)
    {
        const int Float = sizeof(float);
        var widths = new StepWidths(config);
        var feedForward = (long)Math.Max(config.FeedForwardSize, config.Experts?.SharedFeedForwardSize ?? 0);
        var pairs = config.Rope.Dimensions / 2 * (config.WindowRope is null ? 1L : 2);
        var bytes = (Float * ((2L * config.HiddenSize) + widths.Queries + widths.Keys + widths.Values + widths.Attended + (2 * feedForward) + (2 * pairs))) + Int8Bytes(widths.Input);
        if (config.Experts is { } experts)
        {
            bytes += experts.Count * (long)Float;
            bytes += experts.UsedCount * ((Float * 2L * (config.HiddenSize + experts.FeedForwardSize)) + Int8Bytes(config.HiddenSize) + Int8Bytes(experts.FeedForwardSize));
        }

        if (config.Latent is { } latent)
        {
            var perHead = Math.Max(latent.PlainSize + latent.RotatedSize, latent.ValueSize) + Math.Max(latent.PlainSize, latent.KeyValueRank) + Math.Max(latent.ValueSize, latent.KeyValueRank);
            bytes += Float * (latent.QueryRank + latent.KeyValueRank + latent.RotatedSize + ((long)config.HeadCount * perHead));
        }

        if (config.Ssm is { } ssm)
            bytes += Float * ((long)ssm.ProjectionSize + ssm.Channels + ssm.InnerSize);
        return bytes;
    }

    private static unsafe long Int8Bytes(long width) => width + (((width / 32) + 1) * sizeof(ActivationScale));

    /// <summary>Positions that a layer sees at most, as its architecture builds it; 0 for all.</summary>
    private static int WindowOf(ModelConfig config, int layer)
    {
        var seesAll = config.Architecture switch
        {
            "gemma3" => layer % GemmaConfig.Pattern == GemmaConfig.Pattern - 1,
            "smallthinker" => layer % SmallThinkerConfig.Pattern == 0,
            "modern-bert" => layer % BertConfig.Pattern == 0,
            _ => false,
        };
        return seesAll ? 0 : config.IsCausal ? config.Window : (2 * config.Window) + (config.Window == 0 ? 0 : 1);
    }

    private enum Part
    {
        /// <summary>Counted elsewhere.</summary>
        None,

        Dense,

        Expert,
    }

    /// <summary>What the tensors of a part come to.</summary>
    private struct Sums
    {
        public long Stored;
        public long Working;
        public long ExpertsWorking;
        public double MultiplyAdds;
        public double ExpertsMultiplyAdds;

        public void Add(TensorInfo tensor, Part part)
        {
            if (part == Part.None)
                return;
            Stored += tensor.ByteLength;
            var products = tensor.Shape.Count > 1 ? tensor.Elements : 0;
            if (part == Part.Expert)
            {
                ExpertsWorking += WorkingBytes(tensor);
                ExpertsMultiplyAdds += products;
            }
            else
            {
                Working += WorkingBytes(tensor);
                MultiplyAdds += products;
            }
        }

        public readonly LayerShape ToLayer(ModelConfig config, int layer, KvType kvType, bool encodes)
        {
            var state = config.StateOf(layer);
            var experts = ExpertsWorking > 0 ? config.Experts : null;
            return new LayerShape
            {
                StoredBytes = Stored,
                DenseBytes = Working,
                DenseMultiplyAdds = MultiplyAdds,
                ExpertCount = experts?.Count ?? 0,
                ExpertsUsed = experts?.UsedCount ?? 0,
                ExpertBytes = experts is null ? 0 : ExpertsWorking / experts.Count,
                ExpertMultiplyAdds = experts is null ? 0 : ExpertsMultiplyAdds / experts.Count,
                KvBytesPerPosition = KvCache.TileBytes(state.Attention, kvType) / AttentionState.TilePositions,
                AttentionMultiplyAdds = state.Attention is { } shape ? shape.Heads * (double)(shape.KeySize + shape.ValueSize) : 0,
                Window = state.Attention is null ? 0 : WindowOf(config, layer),
                StateBytes = RecurrentCache.Bytes(state),
                Encodes = encodes,
            };
        }
    }
}
