using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Slm.Training.Tokenizer;

/// <summary>Writes and reads a vocabulary as a Hugging Face <c>tokenizer.json</c>.</summary>
public static class TokenizerJson
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes <paramref name="path"/>.</summary>
    public static void Write(BpeVocabulary vocabulary, string path)
    {
        var tokens = new JsonObject();
        for (var id = 0; id < vocabulary.Size; id++)
            tokens.Add(vocabulary.Piece(id), id);
        var root = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray(new JsonObject
            {
                ["id"] = vocabulary.EndOfTextId,
                ["content"] = BpeVocabulary.EndOfText,
                ["single_word"] = false,
                ["lstrip"] = false,
                ["rstrip"] = false,
                ["normalized"] = false,
                ["special"] = true,
            }),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(),
            ["post_processor"] = null,
            ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["vocab"] = tokens,
                ["merges"] = new JsonArray([.. vocabulary.Merges.Select(m => (JsonNode)$"{vocabulary.Piece(m.Left)} {vocabulary.Piece(m.Right)}")]),
            },
        };
        File.WriteAllText(path, root.ToJsonString(Indented));
    }

    /// <summary>Reads a file that <see cref="Write"/> wrote.</summary>
    public static BpeVocabulary Read(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(path));
        var model = document.RootElement.GetProperty("model");
        var ids = model.GetProperty("vocab").EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetInt32());
        var merges = new List<(int, int)>();
        foreach (var merge in model.GetProperty("merges").EnumerateArray())
        {
            var parts = merge.GetString()!.Split(' ');
            merges.Add((ids[parts[0]], ids[parts[1]]));
        }

        return new BpeVocabulary(merges, ids.Count);
    }

    private static JsonObject ByteLevel() => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true };
}
