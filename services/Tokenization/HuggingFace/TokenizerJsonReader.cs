using Slm.Tokenization.Gguf;
using Slm.Tokenization.Models;

namespace Slm.Tokenization.HuggingFace;

/// <summary>Builds a tokenizer from a Hugging Face tokenizer.json and the files beside it.</summary>
internal static class TokenizerJsonReader
{
    private const int MaxId = 4_000_000;

    public static ITokenizer Read(TokenizerTexts texts)
    {
        var root = TokenizerConfig.Parse(texts.Name, texts.Tokenizer);
        var config = new TokenizerConfig(texts);
        var (kind, model, modelVocabulary, unknown) = ModelReader.Read(root.Require("model"));
        var added = root.Get("added_tokens") is { } list ? list.AsArray().ConvertAll(AddedToken) : [];
        var vocabulary = WithAdded(modelVocabulary, added);
        int? Find(string? text) => text is not null && vocabulary.TryGetId(text, out var id) ? id : null;

        var (before, after) = new PostProcessorReader(Find).Read(root.Get("post_processor"));
        var (bos, eos) = (Find(config.Token("bos")), Find(config.Token("eos")));
        Surround(before, bos, config.Flag("add_bos_token"), first: true);
        Surround(after, eos, config.Flag("add_eos_token"), first: false);
        foreach (var id in before.Concat(after))
        {
            if (id < 0 || id >= vocabulary.Size)
                throw new TokenizerFormatException($"{root.Path}.post_processor: id {id} is outside the vocabulary of {vocabulary.Size} tokens");
        }

        var isAdded = added.Select(static t => t.Id).ToHashSet();
        var named = config.EndIds().Where(id => id >= 0 && id < vocabulary.Size).Select(static id => (int?)id).Append(eos);
        return new ModelTokenizer(new TokenizerParts
        {
            Vocabulary = vocabulary,
            Model = model,
            AddedTokens = added,
            Normalizer = root.Get("normalizer") is { } n ? NormalizerReader.Read(n) : null,
            PreTokenizer = root.Get("pre_tokenizer") is { } p ? PreTokenizerReader.Read(p) : null,
            Before = [.. before],
            After = [.. after],
            Decoders = DecoderReader.Read(root.Get("decoder")),
            Special = new SpecialTokens
            {
                Bos = bos,
                Eos = eos,
                Pad = Find(config.Token("pad")),
                Unk = unknown ?? Find(config.Token("unk")),
                AddsBos = bos is { } b && before.Contains(b),
                AddsEos = eos is { } e && after.Contains(e),
                EndTokens = EndTokenTexts.Find(vocabulary, named, isAdded.Contains),
            },
            Info = new TokenizerInfo
            {
                Model = kind,
                BosText = config.Token("bos"),
                EosText = config.Token("eos"),
                PadText = config.Token("pad"),
                UnkText = unknown is { } u ? vocabulary.Piece(u) : config.Token("unk"),
                ChatTemplates = config.ChatTemplates(),
            },
        });
    }

    // add_bos_token and add_eos_token of tokenizer_config.json overrule the template of tokenizer.json.
    private static void Surround(List<int> ids, int? id, bool? wanted, bool first)
    {
        if (id is not { } token || wanted is not { } want || ids.Contains(token) == want)
            return;
        if (!want)
            ids.RemoveAll(i => i == token);
        else if (first)
            ids.Insert(0, token);
        else
            ids.Add(token);
    }

    private static AddedToken AddedToken(JsonPart part)
    {
        var id = part.Require("id").AsInt();
        if (id is < 0 or >= MaxId)
            throw part.Require("id").Wrong($"an id from 0 to {MaxId - 1}");
        return new AddedToken(id, part.String("content"), part.Bool("special", false), part.Bool("lstrip", false), part.Bool("rstrip", false),
            part.Bool("single_word", false), part.Bool("normalized", false));
    }

    private static Vocabulary WithAdded(Vocabulary model, List<AddedToken> added)
    {
        var size = Math.Max(model.Size, added.Count == 0 ? 0 : added.Max(static t => t.Id) + 1);
        var pieces = new string?[size];
        for (var id = 0; id < model.Size; id++)
            pieces[id] = model.Piece(id);
        foreach (var token in added)
            pieces[token.Id] = token.Content;
        return new Vocabulary(pieces);
    }
}
