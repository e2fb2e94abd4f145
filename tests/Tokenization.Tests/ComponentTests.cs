using System.Text;
using System.Text.Json;
using CsCheck;
using Slm.Tokenization.HuggingFace;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.Tests;

/// <summary>Normalizers, pre-tokenizers and decoders one by one. Expected values follow the documented behaviour of Hugging Face tokenizers.</summary>
public sealed class ComponentTests
{
    private static JsonPart Part(string json)
    {
        using var document = JsonDocument.Parse(json);
        return new JsonPart(document.RootElement.Clone(), "test");
    }

    private static string Normalize(string json, string text) => NormalizerReader.Read(Part(json)).Normalize(TextBuffer.FromString(text)).ToString();

    private static IEnumerable<string> Split(string json, string text)
    {
        var buffer = TextBuffer.FromString(text);
        return PreTokenizerReader.Read(Part(json)).Split([new TextPiece(buffer, 0, buffer.Length)], true).Select(p => p.ToString());
    }

    private static string Decode(string json, params string[] pieces)
    {
        Decoders.DecoderStep Chain(StringBuilder to)
        {
            Decoders.DecoderStep next = new Decoders.TextSinkStep(to);
            foreach (var factory in DecoderReader.Read(Part(json)).AsEnumerable().Reverse())
            {
                var step = factory(true);
                step.Next = next;
                next = step;
            }

            return next;
        }

        var text = new StringBuilder();
        var chain = Chain(text);
        foreach (var p in pieces)
            chain.Push(p);
        chain.Flush();
        return text.ToString();
    }

    [Theory]
    [InlineData("""{"type":"NFC"}""", "e\u0301 \u1112\u1161\u11ab \u0958 \u212b q\u0307\u0323", "é 한 \u0915\u093c \u00c5 q\u0323\u0307")]
    [InlineData("""{"type":"NFD"}""", "é 한 \u01d5", "e\u0301 \u1112\u1161\u11ab U\u0308\u0304")]
    [InlineData("""{"type":"NFKC"}""", "ﬁ ² ① ｱ ㎏", "fi 2 1 ア kg")]
    [InlineData("""{"type":"NFKD"}""", "ﬃé", "ffie\u0301")]
    [InlineData("""{"type":"Lowercase"}""", "ÀΣİ𐐀", "àσi\u0307𐐨")]
    [InlineData("""{"type":"Strip","strip_left":true,"strip_right":false}""", "\t a ", "a ")]
    [InlineData("""{"type":"StripAccents"}""", "e\u0301a", "ea")]
    [InlineData("""{"type":"Replace","pattern":{"Regex":"a+"},"content":"<>"}""", "baab", "b<>b")]
    [InlineData("""{"type":"Replace","pattern":{"String":"."},"content":"!"}""", "a.b", "a!b")]
    [InlineData("""{"type":"Prepend","prepend":"▁"}""", "ab", "▁ab")]
    [InlineData("""{"type":"Prepend","prepend":"▁"}""", "", "")]
    [InlineData("""{"type":"Nmt"}""", "a\u0001\u200bb\tc", "a b c")]
    [InlineData("""{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}""", "É\u0000\t你好𠀀", "e  你  好  𠀀 ")]
    [InlineData("""{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":false,"lowercase":true}""", "É", "é")]
    [InlineData("""{"type":"ByteLevel"}""", " é", "ĠÃ©")]
    [InlineData("""{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"},{"type":"Lowercase"}]}""", "ÉA", "ea")]
    public void Normalizers(string json, string text, string expected) => Assert.Equal(expected, Normalize(json, text));

    [Fact]
    public void Normalization_forms_are_stable_and_ranges_cover_the_original()
    {
        var forms = new[] { "NFC", "NFD", "NFKC", "NFKD" }.Select(f => NormalizerReader.Read(Part($$"""{"type":"{{f}}"}"""))).ToArray();
        Gen.String.Sample(s =>
        {
            var text = TextBuffer.FromString(s);
            foreach (var form in forms)
            {
                var once = form.Normalize(text);
                Assert.Equal(once.CodePoints, form.Normalize(once).CodePoints);
                for (var i = 0; i < once.Length; i++)
                    Assert.True(once.Start(i) <= once.End(i) && once.End(i) <= Encoding.UTF8.GetByteCount(s));
            }

            // NFC after NFD is NFC (UAX #15).
            Assert.Equal(forms[0].Normalize(text).CodePoints, forms[0].Normalize(forms[1].Normalize(text)).CodePoints);
        }, iter: 3000);
    }

    [Theory]
    [InlineData("""{"type":"Whitespace"}""", "Hey, you_2! 😀", "Hey|,|you_2|!|😀")]
    [InlineData("""{"type":"WhitespaceSplit"}""", " a  b,c ", "a|b,c")]
    [InlineData("""{"type":"Punctuation"}""", "a,b..c", "a|,|b|.|.|c")]
    [InlineData("""{"type":"Punctuation","behavior":"Contiguous"}""", "a,b..c", "a|,|b|..|c")]
    [InlineData("""{"type":"Digits","individual_digits":true}""", "a12", "a|1|2")]
    [InlineData("""{"type":"Digits","individual_digits":false}""", "a12b", "a|12|b")]
    [InlineData("""{"type":"BertPreTokenizer"}""", "Hey friend!  How", "Hey|friend|!|How")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""", "Hey you", "▁Hey|▁you")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false}""", "Hey you", "Hey▁you")]
    [InlineData("""{"type":"CharDelimiterSplit","delimiter":"-"}""", "a-b", "a|b")]
    [InlineData("""{"type":"UnicodeScripts"}""", "どこで生れ。Yes", "どこで生れ|。|Yes")]
    [InlineData("""{"type":"FixedLength","length":2}""", "a😀bcd", "a😀|bc|d")]
    [InlineData("""{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}""", "é it's", "ĠÃ©|Ġit|'s")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"Removed","invert":false}""", "the-final--countdown", "the|final|countdown")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"Isolated","invert":false}""", "the-final--countdown", "the|-|final|-|-|countdown")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithPrevious","invert":false}""", "the-final--countdown", "the-|final-|-|countdown")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"MergedWithNext","invert":false}""", "the-final--countdown", "the|-final|-|-countdown")]
    [InlineData("""{"type":"Split","pattern":{"String":"-"},"behavior":"Contiguous","invert":false}""", "the-final--countdown", "the|-|final|--|countdown")]
    [InlineData("""{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Removed","invert":true}""", "a, b", "a|b")]
    [InlineData("""{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Digits","individual_digits":true}]}""", "a1 2", "a|1|2")]
    public void PreTokenizers(string json, string text, string expected) => Assert.Equal(expected, string.Join('|', Split(json, text)));

    [Theory]
    [InlineData("""{"type":"ByteLevel"}""", "Ã|©|Ġa|ð|Ł", "é a\uFFFD")]
    [InlineData("""{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}""", "▁Hey|▁you", "Hey you")]
    [InlineData("""{"type":"WordPiece","prefix":"##","cleanup":true}""", "un|##aff|,|do|n't", "unaff, don't")]
    [InlineData("""{"type":"BPEDecoder","suffix":"</w>"}""", "a</w>|b|c</w>", "a bc")]
    [InlineData("""{"type":"CTC","pad_token":"<pad>","word_delimiter_token":"|","cleanup":true}""", "h|h|<pad>|i", "hi")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""", "▁a|<0xC3>|<0xA9>|<0xFF>|▁b", "aé\uFFFD b")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Strip","content":"!","start":0,"stop":2}]}""", "a!|!|b|!|!", "a!!b")]
    [InlineData("""{"type":"Sequence","decoders":[{"type":"Fuse"},{"type":"Replace","pattern":{"String":"ab"},"content":"x"}]}""", "a|b|a", "xa")]
    [InlineData("""{"type":"Strip","content":"_","start":1,"stop":1}""", "_a_|__b", "a_b")]
    public void DecodersJoin(string json, string pieces, string expected) =>
        Assert.Equal(expected, Decode(json, pieces.Split('|')));

    [Theory]
    [InlineData("""{"type":"Weird"}""")]
    public void Unknown_components_are_named(string json)
    {
        Assert.Contains("Weird", Assert.Throws<TokenizerFormatException>(() => NormalizerReader.Read(Part(json))).Message, StringComparison.Ordinal);
        Assert.Contains("Weird", Assert.Throws<TokenizerFormatException>(() => PreTokenizerReader.Read(Part(json))).Message, StringComparison.Ordinal);
        Assert.Contains("Weird", Assert.Throws<TokenizerFormatException>(() => DecoderReader.Read(Part(json))).Message, StringComparison.Ordinal);
        Assert.Contains("Weird", Assert.Throws<TokenizerFormatException>(() => ModelReader.Read(Part(json))).Message, StringComparison.Ordinal);
        Assert.Contains("Weird", Assert.Throws<TokenizerFormatException>(() => new PostProcessorReader(static _ => 0).Read(Part(json))).Message, StringComparison.Ordinal);
    }
}
