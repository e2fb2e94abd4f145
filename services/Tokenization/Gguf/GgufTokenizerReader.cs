using Slm.Tokenization.Decoders;
using Slm.Tokenization.Models;
using Slm.Tokenization.Normalizers;
using Slm.Tokenization.Patterns;
using Slm.Tokenization.PreTokenizers;

namespace Slm.Tokenization.Gguf;

/// <summary>Builds a tokenizer from the <c>tokenizer.*</c> keys of a GGUF file.</summary>
internal sealed class GgufTokenizerReader
{
    private const int MaxVocabulary = 4_000_000;
    private readonly IReadOnlyDictionary<string, object> _metadata;
    private readonly GgufTokenizerKeys _keys;
    private readonly string[] _tokens;
    private readonly int[]? _types;
    private readonly Vocabulary _vocabulary;

    // Values of tokenizer.ggml.token_type.
    private const int Unknown = 2;
    private const int Control = 3;
    private const int UserDefined = 4;

    public GgufTokenizerReader(IReadOnlyDictionary<string, object> metadata)
    {
        _metadata = metadata;
        _keys = new GgufTokenizerKeys(metadata);
        _tokens = _keys.Strings("tokens") ?? throw new TokenizerFormatException("tokenizer.ggml.tokens is missing");
        if (_tokens.Length is 0 or > MaxVocabulary)
            throw new TokenizerFormatException($"tokenizer.ggml.tokens has {_tokens.Length} tokens, expected 1 to {MaxVocabulary}");
        _types = _keys.Integers("token_type", _tokens.Length);
        _vocabulary = new Vocabulary(_tokens);
    }

    public ITokenizer Read()
    {
        var model = _keys.String("model") ?? throw new TokenizerFormatException("tokenizer.ggml.model is missing");
        return model switch
        {
            "gpt2" => ReadByteLevelBpe(),
            "llama" => ReadSentencePiece(),
            "t5" => ReadUnigram(),
            "bert" => ReadWordPiece(),
            _ => throw new TokenizerFormatException($"tokenizer.ggml.model = \"{model}\" is not supported: expected gpt2, llama, t5 or bert"),
        };
    }

    private ModelTokenizer ReadByteLevelBpe()
    {
        var pre = GgufPreTokenizers.Find(_keys.String("pre") is { Length: > 0 } name ? name : "default");
        var merges = _keys.Strings("merges") ?? throw new TokenizerFormatException("tokenizer.ggml.merges is missing");
        var pairs = new (string, string)[merges.Length];
        for (var i = 0; i < merges.Length; i++)
        {
            var space = merges[i].Length > 0 ? merges[i].IndexOf(' ', 1) : -1;
            if (space < 0 || space == merges[i].Length - 1)
                throw new TokenizerFormatException($"tokenizer.ggml.merges[{i}] = \"{merges[i]}\" is not two tokens with a space between");
            pairs[i] = (merges[i][..space], merges[i][(space + 1)..]);
        }

        var special = Special(null, null, null, pre.AddsBos, false);
        return Build("bpe", special, new TokenizerParts
        {
            Vocabulary = _vocabulary,
            Model = new BpeModel(_vocabulary, pairs, new BpeOptions { UnknownId = special.Unk, IgnoreMerges = pre.IgnoreMerges }),
            PreTokenizer = pre.Build(),
            Decoders = [static _ => new ByteLevelDecoder()],
            Special = special,
            Info = TokenizerInfo.Empty,
        });
    }

    private ModelTokenizer ReadSentencePiece()
    {
        var scores = _keys.Scores("scores", _tokens.Length) ?? throw new TokenizerFormatException("tokenizer.ggml.scores is missing");
        var special = Special(1, 2, 0, true, false);
        var prefix = _keys.Bool("add_space_prefix") ?? true;
        return Build("spm", special, new TokenizerParts
        {
            Vocabulary = _vocabulary,
            Model = new ScoredMergeModel(TextVocabulary(), scores, special.Unk),
            Normalizer = SpaceNormalizer(null, prefix, _keys.Bool("remove_extra_whitespaces") ?? false),
            Decoders = SentencePieceDecoders(prefix),
            Special = special,
            Info = TokenizerInfo.Empty,
        });
    }

    private ModelTokenizer ReadUnigram()
    {
        var scores = _keys.Scores("scores", _tokens.Length) ?? throw new TokenizerFormatException("tokenizer.ggml.scores is missing");
        var special = Special(null, 1, 2, false, true);
        var prefix = _keys.Bool("add_space_prefix") ?? false;
        var charsMap = _keys.Bytes("precompiled_charsmap") is { Length: > 0 } bytes ? new CharsMapNormalizer(CharsMap.Parse(bytes), byGrapheme: false) : null;
        return Build("unigram", special, new TokenizerParts
        {
            Vocabulary = _vocabulary,
            Model = new UnigramModel(_vocabulary, Array.ConvertAll(scores, static s => (double)s), special.Unk, byteFallback: false, id => !IsControl(id)),
            Normalizer = SpaceNormalizer(charsMap, prefix, _keys.Bool("remove_extra_whitespaces") ?? false),
            Decoders = SentencePieceDecoders(prefix),
            Special = special,
            Info = TokenizerInfo.Empty,
        });
    }

    // GGUF writes a word's first part with "▁" before it and the others bare.
    private ModelTokenizer ReadWordPiece()
    {
        var special = Special(101, null, 100, true, false);
        var unknown = special.Unk ?? throw new TokenizerFormatException("tokenizer.ggml.unknown_token_id is missing");
        var lowercase = _keys.Bool("normalizer.lowercase") ?? true;
        int? separator = _keys.Id("seperator_token_id", _tokens.Length) ?? _keys.Id("separator_token_id", _tokens.Length) ?? special.Eos ?? Find("[SEP]");
        return Build("wordpiece", special, new TokenizerParts
        {
            Vocabulary = _vocabulary,
            Model = new WordPieceModel(TextVocabulary(), unknown, "\u2581", "", int.MaxValue),
            Normalizer = new BertNormalizer(true, true, _keys.Bool("normalizer.strip_accents") ?? lowercase, lowercase),
            PreTokenizer = new SequencePreTokenizer(
            [
                new SplitPreTokenizer(new CodePointRegex(@"\s"), SplitBehavior.Removed, invert: false),
                new SplitPreTokenizer(new CodePointRegex(@"[!-/:-@\[-`{-~\p{P}]"), SplitBehavior.Isolated, invert: false),
            ]),
            Decoders = [static _ => new ReplaceDecoder(static s => s.Replace('\u2581', ' ')), static start => new StripTextStartDecoder(' ', start ? 1 : 0)],
            Special = special,
            After = (_keys.Bool("add_sep_token") ?? true) && separator is { } s ? [s] : [],
            Info = TokenizerInfo.Empty,
        });
    }

    private int? Find(string text) => _vocabulary.TryGetId(text, out var id) ? id : null;

    private bool IsControl(int id) => _types is not null && _types[id] is Control or Unknown;

    // Control tokens cannot be spelled in text: a model that finds tokens by their text must not find them.
    private Vocabulary TextVocabulary() => new([.. _tokens.Select((t, id) => IsControl(id) ? null : t)]);

    private static SequenceNormalizer SpaceNormalizer(ITextNormalizer? first, bool prefix, bool removeExtra)
    {
        var steps = new List<ITextNormalizer>();
        if (first is not null)
            steps.Add(first);
        if (removeExtra)
            steps.Add(new CollapseSpacesNormalizer());
        if (prefix)
            steps.Add(new PrependNormalizer(" "));
        steps.Add(new ReplaceCodePointNormalizer(' ', 0x2581));
        return new SequenceNormalizer(steps);
    }

    private static List<DecoderFactory> SentencePieceDecoders(bool prefix)
    {
        List<DecoderFactory> decoders =
        [
            static _ => new ByteFallbackDecoder(),
            static _ => new ReplaceDecoder(static s => s.Replace('\u2581', ' ')),
        ];
        if (prefix)
            decoders.Add(static start => new StripTextStartDecoder(' ', start ? 1 : 0));
        return decoders;
    }

    private SpecialTokens Special(int? bos, int? eos, int? unk, bool addBos, bool addEos)
    {
        int? Id(string key, int? fallback) =>
            _metadata.ContainsKey("tokenizer.ggml." + key) ? _keys.Id(key, _tokens.Length) : fallback < _tokens.Length ? fallback : null;
        var (bosId, eosId) = (Id("bos_token_id", bos), Id("eos_token_id", eos));
        var special = new SpecialTokens
        {
            Bos = bosId,
            Eos = eosId,
            Pad = Id("padding_token_id", null),
            Unk = Id("unknown_token_id", unk),
            AddsBos = (_keys.Bool("add_bos_token") ?? addBos) && bosId is not null,
            AddsEos = (_keys.Bool("add_eos_token") ?? addEos) && eosId is not null,
        };
        return special with
        {
            EndTokens = EndTokenTexts.Find(_vocabulary, [eosId, Id("eot_token_id", null), Id("eom_token_id", null)], static _ => true),
        };
    }

    private ModelTokenizer Build(string kind, SpecialTokens special, TokenizerParts parts) => new(parts with
    {
        AddedTokens = [.. AddedTokens(special)],
        Before = special.AddsBos ? [special.Bos!.Value] : [],
        After = parts.After.Length > 0 ? parts.After : special.AddsEos ? [special.Eos!.Value] : [],
        Info = new TokenizerInfo
        {
            Model = kind,
            BosText = Text(special.Bos),
            EosText = Text(special.Eos),
            PadText = Text(special.Pad),
            UnkText = Text(special.Unk),
            ChatTemplates = ChatTemplates(),
        },
    });

    private string? Text(int? id) => id is { } i ? _tokens[i] : null;

    // Without types only BOS, EOS and their like are known to be control tokens. What ends a turn is one even where a
    // file calls it normal text: a converter's mistake that would let a model talk on forever.
    private IEnumerable<AddedToken> AddedTokens(SpecialTokens special)
    {
        for (var id = 0; id < _tokens.Length; id++)
        {
            var type = special.EndTokens.Contains(id) ? Control
                : _types is not null ? _types[id]
                : id == special.Bos || id == special.Pad ? Control
                : id == special.Unk ? Unknown : 1;
            if (type is Control or Unknown or UserDefined && _tokens[id].Length > 0)
                yield return new AddedToken(id, _tokens[id], type != UserDefined);
        }
    }

    private Dictionary<string, string> ChatTemplates()
    {
        const string Key = "tokenizer.chat_template";
        var templates = new Dictionary<string, string>();
        foreach (var (key, value) in _metadata)
        {
            if (value is string source && key.StartsWith(Key, StringComparison.Ordinal) && (key.Length == Key.Length || key[Key.Length] == '.'))
                templates[key.Length == Key.Length ? "default" : key[(Key.Length + 1)..]] = source;
        }

        return templates;
    }
}
