using System.Text.Json;
using Slm.Tokenization.Models;

namespace Slm.Tokenization.HuggingFace;

/// <summary>The <c>model</c> of a tokenizer.json.</summary>
internal static class ModelReader
{
    private const int MaxId = 4_000_000;

    public static (string Kind, ITokenModel Model, Vocabulary Vocabulary, int? Unknown) Read(JsonPart part)
    {
        var type = part.OptionalString("type") ?? Guess(part);
        return type switch
        {
            "BPE" => ReadBpe(part),
            "Unigram" => ReadUnigram(part),
            "WordPiece" => ReadWordPiece(part),
            "WordLevel" => ReadWordLevel(part),
            _ => throw part.Require("type").Wrong("BPE, Unigram, WordPiece or WordLevel"),
        };
    }

    // Old files do not name the type.
    private static string Guess(JsonPart part) =>
        part.Get("merges") is not null ? "BPE"
        : part.Require("vocab").Element.ValueKind == JsonValueKind.Array ? "Unigram"
        : part.Get("continuing_subword_prefix") is not null ? "WordPiece" : "WordLevel";

    private static (string, ITokenModel, Vocabulary, int?) ReadBpe(JsonPart part)
    {
        var vocabulary = ReadVocabulary(part.Require("vocab"));
        var unknown = Unknown(part, vocabulary);
        var model = new BpeModel(vocabulary, Merges(part.Require("merges")), new BpeOptions
        {
            UnknownId = unknown,
            FuseUnknown = part.Bool("fuse_unk", false),
            ByteFallback = part.Bool("byte_fallback", false),
            IgnoreMerges = part.Bool("ignore_merges", false),
            Prefix = part.OptionalString("continuing_subword_prefix") ?? "",
            Suffix = part.OptionalString("end_of_word_suffix") ?? "",
        });
        return ("bpe", model, vocabulary, unknown);
    }

    private static List<(string, string)> Merges(JsonPart part)
    {
        if (part.Element.ValueKind != JsonValueKind.Array)
            throw part.Wrong("an array");
        var merges = new List<(string, string)>(part.Element.GetArrayLength());
        foreach (var item in part.Element.EnumerateArray())
        {
            if (item.ValueKind == JsonValueKind.Array && item.GetArrayLength() == 2
                && item[0].ValueKind == JsonValueKind.String && item[1].ValueKind == JsonValueKind.String)
            {
                merges.Add((item[0].GetString()!, item[1].GetString()!));
                continue;
            }

            var at = new JsonPart(item, $"{part.Path}[{merges.Count}]");
            var text = at.AsString();
            var space = text.IndexOf(' ', StringComparison.Ordinal);
            if (space <= 0 || space == text.Length - 1 || text.IndexOf(' ', space + 1) >= 0)
                throw at.Wrong("two tokens with a space between");
            merges.Add((text[..space], text[(space + 1)..]));
        }

        return merges;
    }

    private static (string, ITokenModel, Vocabulary, int?) ReadUnigram(JsonPart part)
    {
        var items = part.Require("vocab").AsArray();
        if (items.Count is 0 or > MaxId)
            throw new TokenizerFormatException($"{part.Path}.vocab has {items.Count} tokens, expected 1 to {MaxId}");
        var pieces = new string[items.Count];
        var scores = new double[items.Count];
        for (var i = 0; i < items.Count; i++)
        {
            var pair = items[i].AsArray();
            if (pair.Count != 2)
                throw items[i].Wrong("a token and its score");
            (pieces[i], scores[i]) = (pair[0].AsString(), pair[1].AsDouble());
        }

        var vocabulary = new Vocabulary(pieces);
        var unknown = part.Get("unk_id") is { } u ? u.AsInt() is var id && id >= 0 && id < pieces.Length ? id : throw u.Wrong($"an id below {pieces.Length}") : (int?)null;
        // The trie holds every token, the unknown one too, as in Hugging Face tokenizers.
        return ("unigram", new UnigramModel(vocabulary, scores, unknown, part.Bool("byte_fallback", false), static _ => true), vocabulary, unknown);
    }

    private static (string, ITokenModel, Vocabulary, int?) ReadWordPiece(JsonPart part)
    {
        var vocabulary = ReadVocabulary(part.Require("vocab"));
        var unknown = Unknown(part, vocabulary) ?? throw new TokenizerFormatException($"{part.Path}.unk_token is missing");
        var max = part.Int("max_input_chars_per_word", 100);
        return ("wordpiece", new WordPieceModel(vocabulary, unknown, "", part.OptionalString("continuing_subword_prefix") ?? "##", max), vocabulary, unknown);
    }

    private static (string, ITokenModel, Vocabulary, int?) ReadWordLevel(JsonPart part)
    {
        var vocabulary = ReadVocabulary(part.Require("vocab"));
        var unknown = Unknown(part, vocabulary);
        return ("wordlevel", new WordLevelModel(vocabulary, unknown), vocabulary, unknown);
    }

    private static int? Unknown(JsonPart part, Vocabulary vocabulary) => part.Get("unk_token") is not { } token ? null
        : vocabulary.TryGetId(token.AsString(), out var id) ? id : null;

    private static Vocabulary ReadVocabulary(JsonPart part)
    {
        if (!part.IsObject)
            throw part.Wrong("an object of token: id");
        var entries = new List<(string Piece, int Id)>();
        var max = -1;
        foreach (var property in part.Element.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.Number || !property.Value.TryGetInt32(out var id) || id is < 0 or >= MaxId)
                throw new JsonPart(property.Value, $"{part.Path}[\"{property.Name}\"]").Wrong($"an id from 0 to {MaxId - 1}");
            entries.Add((property.Name, id));
            max = Math.Max(max, id);
        }

        if (max < 0)
            throw new TokenizerFormatException($"{part.Path} is empty");
        var pieces = new string?[max + 1];
        foreach (var (piece, id) in entries)
            pieces[id] = piece;
        return new Vocabulary(pieces);
    }
}
