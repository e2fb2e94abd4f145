using Slm.Tokenization.Patterns;
using Slm.Tokenization.PreTokenizers;

namespace Slm.Tokenization.HuggingFace;

/// <summary>The <c>pre_tokenizer</c> of a tokenizer.json.</summary>
internal static class PreTokenizerReader
{
    public static IPreTokenizer Read(JsonPart part)
    {
        var type = part.String("type");
        switch (type)
        {
            case "Sequence":
                return new SequencePreTokenizer([.. part.Require("pretokenizers").AsArray().Select(Read)]);
            case "ByteLevel":
                return new ByteLevelPreTokenizer(part.Bool("add_prefix_space", true), part.Bool("use_regex", true));
            case "Split":
                return new SplitPreTokenizer(PatternReader.Read(part.Require("pattern")), Behavior(part.Require("behavior")), part.Bool("invert", false));
            case "Whitespace":
                return new SplitPreTokenizer(new CodePointRegex(@"\w+|[^\w\s]+"), SplitBehavior.Removed, invert: true);
            case "WhitespaceSplit":
                return new SplitPreTokenizer(new CodePointRegex(@"\s"), SplitBehavior.Removed, invert: false);
            case "Punctuation":
                return Punctuation(part.Get("behavior") is { } b ? Behavior(b) : SplitBehavior.Isolated);
            case "Digits":
                return new SplitPreTokenizer(new CodePointRegex(@"\p{N}"), part.Bool("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous, invert: false);
            case "BertPreTokenizer":
                return new SequencePreTokenizer([new SplitPreTokenizer(new CodePointRegex(@"\s"), SplitBehavior.Removed, invert: false), Punctuation(SplitBehavior.Isolated)]);
            case "CharDelimiterSplit":
                return new SplitPreTokenizer(new CodePointRegex(CodePointRegex.Escape(part.String("delimiter"))), SplitBehavior.Removed, invert: false);
            case "Metaspace":
                return new MetaspacePreTokenizer(Replacement(part), Scheme(part), part.Bool("split", true));
            case "UnicodeScripts":
                return new UnicodeScriptsPreTokenizer();
            case "FixedLength":
                return new FixedLengthPreTokenizer(Math.Max(1, part.Int("length", 5)));
            default:
                throw part.Require("type").Wrong("a known pre-tokenizer");
        }
    }

    /// <summary>The character that stands for a space.</summary>
    public static int Replacement(JsonPart part)
    {
        var text = part.OptionalString("replacement") ?? "\u2581";
        var points = Text.CodePointStrings.ToCodePoints(text);
        return points.Length == 1 ? points[0] : throw part.Require("replacement").Wrong("one character");
    }

    public static PrependScheme Scheme(JsonPart part)
    {
        var scheme = part.OptionalString("prepend_scheme");
        return scheme switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            null => part.Bool("add_prefix_space", true) ? PrependScheme.Always : PrependScheme.Never,
            _ => throw part.Require("prepend_scheme").Wrong("always, first or never"),
        };
    }

    private static SplitPreTokenizer Punctuation(SplitBehavior behavior) =>
        new(new CodePointRegex(@"[!-/:-@\[-`{-~\p{P}]"), behavior, invert: false);

    private static SplitBehavior Behavior(JsonPart part) => part.AsString() switch
    {
        "Removed" or "removed" => SplitBehavior.Removed,
        "Isolated" or "isolated" => SplitBehavior.Isolated,
        "MergedWithPrevious" or "merged_with_previous" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" or "merged_with_next" => SplitBehavior.MergedWithNext,
        "Contiguous" or "contiguous" => SplitBehavior.Contiguous,
        _ => throw part.Wrong("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous"),
    };
}
