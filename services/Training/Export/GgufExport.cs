using System.Globalization;
using System.Runtime.InteropServices;
using Slm.Engine.Formats;
using Slm.Training.Configuration;
using Slm.Training.Model;
using Slm.Training.Tokenizer;

namespace Slm.Training.Export;

/// <summary>Writes a trained model as a GGUF file of the architecture <c>llama</c>.</summary>
public static class GgufExport
{
    private static readonly string[] Languages = ["en"];
    private static readonly string[] Tags = ["text-generation"];

    private const int NormalToken = 1, ControlToken = 3, UnusedToken = 5;

    /// <summary>
    /// What a chat with a story model is: the last user message becomes the instructions of a story. Text that already
    /// has the form of instructions, or that opens a story, stays as it is; anything else is taken as a summary.
    /// System messages and earlier turns are left out, since the model was never trained on a conversation.
    /// </summary>
    public const string ChatTemplate =
        "{%- set ns = namespace(text='') -%}" +
        "{%- for message in messages -%}{%- if message['role'] == 'user' -%}{%- set ns.text = message['content'] | trim -%}{%- endif -%}{%- endfor -%}" +
        "{%- set first = ns.text.split(' ')[0] -%}" +
        "{{- bos_token -}}" +
        "{%- if 'Story:' in ns.text -%}{{- ns.text -}}" +
        "{%- elif first in ['Features:', 'Words:', 'Summary:', 'Random'] -%}{{- ns.text + '\\nStory:\\n' -}}" +
        "{%- elif first in ['Once', 'One', 'There', 'Long', 'In', 'Far,', 'Not', 'Every'] -%}{{- ns.text -}}" +
        "{%- else -%}{{- 'Summary: ' + ns.text + '\\nStory:\\n' -}}{%- endif -%}";

    /// <summary>Writes the file.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="config">Name, description, licence and type of the matrices.</param>
    /// <param name="layout">The weights' places.</param>
    /// <param name="weights">Flat F32 weights.</param>
    /// <param name="vocabulary">The tokenizer.</param>
    /// <param name="trainedTokens">Tokens trained on, for the description.</param>
    public static void Write(string path, PretrainConfig config, ParameterLayout layout, ReadOnlySpan<float> weights, BpeVocabulary vocabulary, long trainedTokens)
    {
        var type = config.Export.Type == "f32" ? TensorType.F32 : TensorType.F16;
        var writer = new GgufWriter();
        AddModel(writer, config, layout, type, trainedTokens);
        AddTokenizer(writer, vocabulary, config.Export.ChatTemplate is { } template ? File.ReadAllText(template) : ChatTemplate);
        foreach (var (name, parameter, firstRow, rows) in layout.GgufTensors())
            AddTensor(writer, name, parameter, weights, firstRow, rows, type);
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        writer.Write(path);
    }

    private static void AddModel(GgufWriter writer, PretrainConfig config, ParameterLayout layout, TensorType type, long trainedTokens)
    {
        var shape = layout.Shape;
        writer.Add("general.architecture", "llama");
        writer.Add("general.type", "model");
        writer.Add("general.name", config.Name);
        writer.Add("general.description", string.Create(CultureInfo.InvariantCulture, $"{config.Description} Trained {(config.StartFrom is { } start ? $"further from {Path.GetFileNameWithoutExtension(start)}" : "from nothing")} on {trainedTokens / 1e6:F1}M tokens of generated text."));
        writer.Add("general.license", config.License);
        writer.Add("general.size_label", string.Create(CultureInfo.InvariantCulture, $"{layout.Length / 1e6:F1}M"));
        writer.Add("general.languages", Languages);
        writer.Add("general.tags", Tags);
        writer.Add("general.file_type", type == TensorType.F32 ? 0u : 1u);
        writer.Add("general.quantization_version", 2u);
        writer.Add("general.parameter_count", (ulong)layout.Length);
        writer.Add("llama.vocab_size", (uint)shape.VocabSize);
        writer.Add("llama.context_length", (uint)shape.ContextLength);
        writer.Add("llama.embedding_length", (uint)shape.HiddenSize);
        writer.Add("llama.block_count", (uint)shape.LayerCount);
        writer.Add("llama.feed_forward_length", (uint)shape.FeedForwardSize);
        writer.Add("llama.attention.head_count", (uint)shape.HeadCount);
        writer.Add("llama.attention.head_count_kv", (uint)shape.KeyValueHeadCount);
        writer.Add("llama.attention.key_length", (uint)shape.HeadSize);
        writer.Add("llama.attention.value_length", (uint)shape.HeadSize);
        writer.Add("llama.attention.layer_norm_rms_epsilon", shape.NormEpsilon);
        writer.Add("llama.rope.dimension_count", (uint)shape.HeadSize);
        writer.Add("llama.rope.freq_base", shape.RopeBase);
    }

    private static void AddTokenizer(GgufWriter writer, BpeVocabulary vocabulary, string chatTemplate)
    {
        var ids = Enumerable.Range(0, vocabulary.Size).ToArray();
        writer.Add("tokenizer.ggml.model", "gpt2");
        writer.Add("tokenizer.ggml.pre", "gpt-2");
        writer.Add("tokenizer.ggml.tokens", ids.Select(vocabulary.Piece).ToArray());
        writer.Add("tokenizer.ggml.token_type", ids.Select(id => id == vocabulary.EndOfTextId ? ControlToken : id > vocabulary.EndOfTextId ? UnusedToken : NormalToken).ToArray());
        writer.Add("tokenizer.ggml.merges", vocabulary.Merges.Select(m => $"{vocabulary.Piece(m.Left)} {vocabulary.Piece(m.Right)}").ToArray());
        writer.Add("tokenizer.ggml.bos_token_id", (uint)vocabulary.EndOfTextId);
        writer.Add("tokenizer.ggml.eos_token_id", (uint)vocabulary.EndOfTextId);
        writer.Add("tokenizer.ggml.add_bos_token", true);
        writer.Add("tokenizer.ggml.add_eos_token", false);
        writer.Add("tokenizer.chat_template", chatTemplate);
    }

    /// <summary>Adds rows of a weight; gains are always F32.</summary>
    private static void AddTensor(GgufWriter writer, string name, Parameter parameter, ReadOnlySpan<float> weights, int firstRow, int rows, TensorType type)
    {
        var values = weights.Slice(parameter.Offset + firstRow * parameter.Columns, rows * parameter.Columns);
        if (!parameter.IsMatrix)
        {
            writer.AddTensor(name, TensorType.F32, [parameter.Columns], MemoryMarshal.AsBytes(values).ToArray());
            return;
        }

        byte[] data;
        if (type == TensorType.F32)
        {
            data = MemoryMarshal.AsBytes(values).ToArray();
        }
        else
        {
            var halves = new Half[values.Length];
            for (var i = 0; i < halves.Length; i++)
                halves[i] = (Half)values[i];
            data = MemoryMarshal.AsBytes(halves.AsSpan()).ToArray();
        }

        writer.AddTensor(name, type, [parameter.Columns, rows], data);
    }
}
