using Slm.Tokenization.Patterns;
using Slm.Tokenization.PreTokenizers;

namespace Slm.Tokenization.Gguf;

/// <summary>What a value of <c>tokenizer.ggml.pre</c> means for a byte-level BPE model.</summary>
/// <param name="Patterns">Applied one after the other, each isolating its matches.</param>
/// <param name="IgnoreMerges">Pieces that are tokens are not merged.</param>
/// <param name="AddsBos">Whether BOS is added when the file does not say.</param>
internal sealed record GgufPreTokenizer(string[] Patterns, bool IgnoreMerges = false, bool AddsBos = false)
{
    public IPreTokenizer Build() => new SequencePreTokenizer(
    [
        .. Patterns.Select(static p => new SplitPreTokenizer(new CodePointRegex(p), SplitBehavior.Isolated, invert: false)),
        new ByteLevelPreTokenizer(addPrefixSpace: false, useRegex: false),
    ]);
}

/// <summary>
/// The pre-tokenizer families of GGUF files by name. Names and patterns are those of the models' tokenizer.json
/// files and of llama.cpp, which gave the families their names.
/// </summary>
internal static class GgufPreTokenizers
{
    private const string Words = ByteLevelPreTokenizer.WordPattern;
    private const string Contractions = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Spaces = @"\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string OtherRuns = @" ?[^\s\p{L}\p{N}]+[\r\n]*";
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string Lead = @"[^\r\n\p{L}\p{N}]?";
    private const string Llama3 = Contractions + "|" + Lead + @"\p{L}+|\p{N}{1,3}|" + OtherRuns + "|" + Spaces;
    private const string Qwen2 = Contractions + "|" + Lead + @"\p{L}+|\p{N}|" + OtherRuns + "|" + Spaces;
    private const string Cased = Lead + Upper + "*" + Lower + "+" + Contractions + "?|" + Lead + Upper + "+" + Lower + "*" + Contractions + "?";
    private const string Gpt4o = Cased + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + Spaces;
    private const string AsciiPunctuationWord = @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+";
    private const string DeepSeek = AsciiPunctuationWord + @"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" + Spaces;
    private const string Bloom = @" ?[^(\s|.,!?…。，、।۔،)]+";
    private const string DeepSeekCjk = "[一-龥ࠀ-一가-\uD7FF]+";

    // The cased alphabets DeepSeek LLM lists letter by letter.
    private const string CasedLetters =
        "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-\u1F7Dᾀ-ᾴᾶ-ᾼ" +
        "\u1FBEῂ-ῄῆ-ῌῐ-\u1FD3ῖ-\u1FDBῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ" +
        "\U00010400-\U0001044F\U000104B0-\U000104D3\U000104D8-\U000104FB\U00010C80-\U00010CB2\U00010CC0-\U00010CF2\U000118A0-\U000118DF\U0001E900-\U0001E943";

    /// <summary>The family of a name.</summary>
    /// <exception cref="TokenizerFormatException">The name is not known.</exception>
    public static GgufPreTokenizer Find(string name) => name switch
    {
        "default" => new([@"[\p{P}\$\+<=>\^~\|]+", Words, @"\p{N}+", "[0-9][0-9][0-9]"]),
        "gpt-2" or "phi-2" or "mpt" or "olmo" or "jais" or "trillion" or "granite-docling" or "exaone4" or "jina-es" or "jina-de" or "jina-v2-es"
            or "jina-v2-de" or "jina-v1-en" or "jina-v2-code" or "roberta-bpe" or "gigachat" or "a.x-4.0" or "mellum" or "modern-bert" => new([Words]),
        "llama3" or "llama-v3" or "llama-bpe" or "falcon3" or "falcon-h1" or "pixtral" or "midm-2.0" or "lfm2" or "jina-v5-nano" =>
            new([Llama3], IgnoreMerges: true, AddsBos: true),
        "dbrx" or "smaug-bpe" or "glm4" or "chatglm-bpe" => new([Llama3]),
        "qwen2" or "deepseek-r1-qwen" or "stablelm2" or "hunyuan" or "solar-open" or "megrez" or "grok-2" or "kormo" or "f2llmv2" => new([Qwen2]),
        "qwen35" => new([Contractions + "|" + Lead + @"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + Spaces]),
        "deepseek-llm" => new(["[\r\n]", @"\s?[" + CasedLetters + "]+", @"\s?[!-/:-~！-／：-～‘-‟　-。]+", @"\s+$", DeepSeekCjk, @"\p{N}+"]),
        "deepseek-coder" => new(["[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", DeepSeekCjk, @"\p{N}"]),
        "deepseek-v3" or "hunyuan-dense" or "joyai-llm" => new([@"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DeepSeek]),
        "falcon" => new([@"[\p{P}\$\+<=>\^~\|`]+", Words, "[0-9][0-9][0-9]"]),
        "starcoder" or "refact" or "command-r" or "smollm" or "codeshell" or "exaone" or "minerva-7b" or "mellum2" => new([@"\p{N}", Words]),
        "gpt-4o" or "llama4" or "kanana2" or "talkie" or "minimax-m2" => new([Gpt4o]),
        "tekken" => new(
            [Lead + Upper + "*" + Lower + "+|" + Lead + Upper + "+" + Lower + @"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + Spaces],
            IgnoreMerges: true, AddsBos: true),
        "youtu" => new(
            ["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-ゟ゠-ヿ]+", Cased + @"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + Spaces],
            IgnoreMerges: true),
        "minicpm5" => new([@"\p{N}{1,3}", Contractions + "|" + Lead + @"\p{L}+|\p{N}+|" + OtherRuns + "|" + Spaces], IgnoreMerges: true),
        "seed-coder" => new([Contractions + "|" + Lead + @"\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + Spaces]),
        "bailingmoe" or "bailingmoe2" or "llada-moe" => new(
            [@"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"]),
        "bloom" or "poro-chat" or "gpt3-finnish" => new([Bloom]),
        "viking" => new([Bloom, @"\p{N}"]),
        "tiny_aya" or "cohere2moe" => new([@"\d{1,3}(?=(?:\d{3})*\b)", Gpt4o]),
        "superbpe" => new([@"\p{N}+", @"(?=(\d{3})+(?!\d))"]),
        "jais-2" => new([Contractions + "|" + Lead + @"\p{L}+|\p{N}{1,3}|" + OtherRuns + @"|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)"
            + @"|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}"]),
        "exaone-moe" => new([Contractions + "|" + Lead + @"(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"]),
        _ => throw new TokenizerFormatException($"tokenizer.ggml.pre = \"{name}\" is not a known pre-tokenizer"),
    };
}
