using Slm.Tokenization.Normalizers;
using Slm.Tokenization.Patterns;

namespace Slm.Tokenization.HuggingFace;

/// <summary>The <c>normalizer</c> of a tokenizer.json.</summary>
internal static class NormalizerReader
{
    public static ITextNormalizer Read(JsonPart part)
    {
        var type = part.String("type");
        return type switch
        {
            "Sequence" => new SequenceNormalizer([.. part.Require("normalizers").AsArray().Select(Read)]),
            "NFC" => new UnicodeNormalizer(compatibility: false, compose: true),
            "NFD" => new UnicodeNormalizer(compatibility: false, compose: false),
            "NFKC" => new UnicodeNormalizer(compatibility: true, compose: true),
            "NFKD" => new UnicodeNormalizer(compatibility: true, compose: false),
            "Lowercase" => new LowercaseNormalizer(),
            "Strip" => new StripNormalizer(part.Bool("strip_left", true), part.Bool("strip_right", true)),
            "StripAccents" => new FilterNormalizer(static c => !CharClass.IsMark(c)),
            "Replace" => new ReplaceNormalizer(PatternReader.Read(part.Require("pattern")), part.String("content")),
            "Prepend" => new PrependNormalizer(part.String("prepend")),
            "Nmt" => new NmtNormalizer(),
            "BertNormalizer" => new BertNormalizer(
                part.Bool("clean_text", true),
                part.Bool("handle_chinese_chars", true),
                part.Get("strip_accents")?.AsBool() ?? part.Bool("lowercase", true),
                part.Bool("lowercase", true)),
            "Precompiled" => new CharsMapNormalizer(CharsMap.Parse(Base64(part.Require("precompiled_charsmap"))), byGrapheme: true),
            "ByteLevel" => new ByteLevelNormalizer(),
            _ => throw part.Require("type").Wrong("a known normalizer"),
        };
    }

    private static byte[] Base64(JsonPart part) => part.Element.TryGetBytesFromBase64(out var bytes) ? bytes : throw part.Wrong("base64");
}

/// <summary>A <c>pattern</c>: a literal string or a regular expression.</summary>
internal static class PatternReader
{
    public static CodePointRegex Read(JsonPart part) =>
        part.Get("Regex") is { } regex ? new CodePointRegex(regex.AsString())
        : part.Get("String") is { } literal ? new CodePointRegex(CodePointRegex.Escape(literal.AsString()))
        : throw part.Wrong("{\"String\": …} or {\"Regex\": …}");
}
