using System.Text;
using Slm.Tokenization.Decoders;
using Slm.Tokenization.Patterns;
using Slm.Tokenization.PreTokenizers;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.HuggingFace;

/// <summary>The <c>decoder</c> of a tokenizer.json. Stages behind a Fuse see one text instead of tokens.</summary>
internal sealed class DecoderReader
{
    private readonly List<DecoderFactory> _steps = [];
    private bool _fused;

    public static List<DecoderFactory> Read(JsonPart? part)
    {
        if (part is not { } decoder)
            return [static start => new JoinDecoder(start)];
        var reader = new DecoderReader();
        reader.Add(decoder);
        return reader._steps;
    }

    private void Add(JsonPart part)
    {
        var type = part.String("type");
        switch (type)
        {
            case "Sequence":
                foreach (var step in part.Require("decoders").AsArray())
                    Add(step);
                break;
            case "ByteLevel":
                _steps.Add(static _ => new ByteLevelDecoder());
                _fused = true;
                break;
            case "ByteFallback":
                _steps.Add(static _ => new ByteFallbackDecoder());
                break;
            case "Fuse":
                _fused = true;
                break;
            case "Metaspace":
                var replacement = char.ConvertFromUtf32(PreTokenizerReader.Replacement(part));
                var prepends = PreTokenizerReader.Scheme(part) != PrependScheme.Never;
                _steps.Add(start => new MetaspaceDecoder(replacement, prepends, start));
                break;
            case "WordPiece":
                var prefix = part.OptionalString("prefix") ?? "##";
                var cleanup = part.Bool("cleanup", true);
                _steps.Add(start => new WordPieceDecoder(prefix, cleanup, start));
                break;
            case "BPEDecoder":
                var suffix = part.OptionalString("suffix") is { Length: > 0 } s ? s : "</w>";
                _steps.Add(_ => new SuffixDecoder(suffix));
                break;
            case "CTC":
                var (pad, delimiter) = (part.OptionalString("pad_token") ?? "<pad>", part.OptionalString("word_delimiter_token") ?? "|");
                var clean = part.Bool("cleanup", true);
                _steps.Add(_ => new CtcDecoder(pad, delimiter, clean));
                break;
            case "Strip":
                AddStrip(part);
                break;
            case "Replace":
                var replace = Replacement(PatternReader.Read(part.Require("pattern")), part.String("content"));
                if (_fused)
                    _steps.Add(_ => new ReplaceTextDecoder(replace));
                else
                    _steps.Add(_ => new ReplaceDecoder(replace));
                break;
            default:
                throw part.Require("type").Wrong("a known decoder");
        }
    }

    private void AddStrip(JsonPart part)
    {
        var content = part.String("content");
        if (content.Length != 1)
            throw part.Require("content").Wrong("one character");
        var (start, stop) = (part.Int("start", 0), part.Int("stop", 0));
        if (!_fused)
        {
            _steps.Add(_ => new StripTokenDecoder(content[0], start, stop));
            return;
        }

        if (start > 0)
            _steps.Add(isStart => new StripTextStartDecoder(content[0], isStart ? start : 0));
        if (stop > 0)
            _steps.Add(_ => new StripTextEndDecoder(content[0], stop));
    }

    private static Func<string, string> Replacement(CodePointRegex pattern, string content) => text =>
    {
        var points = CodePointStrings.ToCodePoints(text);
        var matches = pattern.Matches(points);
        if (matches.Count == 0)
            return text;
        var output = new StringBuilder();
        var at = 0;
        foreach (var (start, end) in matches)
        {
            AppendTo(output, points.AsSpan(at..start));
            output.Append(content);
            at = end;
        }

        AppendTo(output, points.AsSpan(at));
        return output.ToString();
    };

    private static void AppendTo(StringBuilder output, ReadOnlySpan<int> points)
    {
        foreach (var c in points)
            output.Append(new Rune(c).ToString());
    }
}
