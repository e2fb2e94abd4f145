using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Slm.Tokenization;
using Slm.V1;

namespace Slm.Inference.Engines;

/// <summary>What a model's file says, read without loading any weights.</summary>
/// <param name="Model">Figures of the file; the state is not set.</param>
/// <param name="Description">Sizes and metadata; memory, stages and load are not set.</param>
internal sealed record ModelFacts(Model Model, ModelDescription Description)
{
    private const string TemplateKey = "tokenizer.chat_template";

    /// <summary>Reads a mapped file.</summary>
    public static ModelFacts From(ModelLease lease)
    {
        var (entry, file) = (lease.Entry, lease.File);
        var config = file.Config;
        var model = new Model
        {
            Model_ = entry.Name,
            Architecture = config.Architecture,
            Quantization = file.QuantizationName,
            Parameters = file.ParameterCount,
            FileBytes = entry.FileBytes,
            ContextLength = config.ContextLength,
            Modified = Timestamp.FromDateTimeOffset(entry.Modified),
        };
        var description = new ModelDescription
        {
            Layers = config.LayerCount,
            HiddenSize = config.HiddenSize,
            AttentionHeads = config.HeadCount,
            KeyValueHeads = config.KeyValueHeadCount,
            HeadSize = config.HeadSize,
            FeedForwardSize = config.FeedForwardSize,
            VocabSize = config.VocabSize,
            Tokenizer = TokenizerLoader.KindOf(file.Source.Metadata),
            HasChatTemplate = file.Source.Metadata.GetValueOrDefault(TemplateKey) is string { Length: > 0 },
        };
        foreach (var (key, value) in file.Source.Metadata)
            if (key.StartsWith("general.", StringComparison.Ordinal) && value is not Array)
                description.Metadata[key] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        return new ModelFacts(model, description);
    }
}
