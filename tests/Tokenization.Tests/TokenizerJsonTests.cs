using CsCheck;

namespace Slm.Tokenization.Tests;

public sealed class TokenizerJsonTests
{
    private const string BytePairs = """
        {"added_tokens":[
           {"id":8,"content":"<s>","special":true},{"id":9,"content":"</s>","special":true},
           {"id":10,"content":"<mask>","special":true,"lstrip":true},{"id":11,"content":"<r>","special":false,"rstrip":true},
           {"id":12,"content":"word","special":false,"single_word":true},{"id":13,"content":"NORM","special":false,"normalized":true}],
         "normalizer":{"type":"Lowercase"},
         "pre_tokenizer":{"type":"WhitespaceSplit"},
         "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],
            "pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[8],"tokens":["<s>"]},"</s>":{"id":"</s>","ids":[9],"tokens":["</s>"]}}},
         "model":{"type":"BPE","unk_token":"?","fuse_unk":FUSE,"vocab":{"?":0,"a":1,"b":2,"c":3,"ab":4,"bc":5,"abc":6,"aa":7},
            "merges":["a b","b c",["ab","c"],"a a"]}}
        """;

    private static ITokenizer Bpe(bool fuse = false, params (string, string)[] beside) =>
        TokenizerJson.Load(BytePairs.Replace("FUSE", fuse ? "true" : "false", StringComparison.Ordinal), beside);

    private static string Pieces(ITokenizer t, string text, bool special = false, bool parse = true) =>
        string.Join('|', t.Encode(text, special, parse).Ids.Select(t.Piece));

    [Theory]
    [InlineData("abc", "abc")]
    [InlineData("bcab", "bc|ab")]
    [InlineData("aaa", "aa|a")]
    [InlineData("ABC", "abc")]
    [InlineData("axyb", "a|?|?|b")]
    [InlineData("a <mask> b", "a|<mask>|b")]
    [InlineData("a<r>  b", "a|<r>|b")]
    [InlineData("a word b", "a|word|b")]
    [InlineData("swords", "?|?|?|?|?|?")]
    [InlineData("a nOrM b", "a|NORM|b")]
    public void Bpe_with_added_tokens(string text, string expected) => Assert.Equal(expected, Pieces(Bpe(), text));

    [Fact]
    public void Unknown_characters_fuse_when_asked() => Assert.Equal("a|?|b", Pieces(Bpe(fuse: true), "axyb"));

    [Fact]
    public void Stripping_tokens_cover_the_white_space_they_swallow()
    {
        var e = Bpe().Encode("a <mask> b<r>  c", false, true);
        Assert.Equal([0, 1, 9, 10, 15], e.StartBytes);
        Assert.Equal([1, 8, 10, 15, 16], e.EndBytes);
    }

    [Fact]
    public void Special_tokens_surround_the_text_and_are_told()
    {
        var t = Bpe(false, ("tokenizer_config.json", """{"bos_token":"<s>","eos_token":{"content":"</s>"},"chat_template":[{"name":"default","template":"D"},{"name":"tool_use","template":"T"}]}"""));
        Assert.Equal("<s>|a|</s>", Pieces(t, "a", special: true));
        Assert.Equal((8, 9), (t.Special.Bos, t.Special.Eos));
        Assert.True(t.Special.AddsBos && t.Special.AddsEos);
        Assert.Contains(9, t.Special.EndTokens);
        Assert.Equal(("<s>", "</s>", "D", "T"), (t.Info.BosText, t.Info.EosText, t.Info.ChatTemplate, t.Info.ChatTemplates["tool_use"]));
    }

    [Fact]
    public void Tokenizer_config_overrules_the_template_and_template_files_win()
    {
        var t = Bpe(false, ("tokenizer_config.json", """{"bos_token":"<s>","eos_token":"</s>","add_eos_token":false,"chat_template":"old"}"""),
            ("chat_template.jinja", "new"), ("generation_config.json", """{"eos_token_id":[9,10]}"""));
        Assert.Equal("<s>|a", Pieces(t, "a", special: true));
        Assert.Equal("new", t.Info.ChatTemplate);
        Assert.Superset(new HashSet<int> { 9, 10 }, t.Special.EndTokens.ToHashSet());
    }

    [Fact]
    public void Without_parsing_a_special_token_in_the_text_is_text() =>
        Assert.DoesNotContain(8, Bpe().Encode("a<s>b", false).Ids);

    [Fact]
    public void Byte_fallback_spells_unknown_characters()
    {
        var bytes = string.Concat(Enumerable.Range(0, 256).Select(b => $",\"<0x{b:X2}>\":{b + 2}"));
        var t = TokenizerJson.Load("""{"decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"}]},"model":{"type":"BPE","byte_fallback":true,"vocab":{"a":0,"?":1BYTES},"merges":[]}}""".Replace("BYTES", bytes, StringComparison.Ordinal));
        var e = t.Encode("aé", false);
        Assert.Equal("a|<0xC3>|<0xA9>", string.Join('|', e.Ids.Select(t.Piece)));
        Assert.Equal([0, 1, 2], e.StartBytes);
        Gen.String.Sample(s => Assert.Equal(System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(s)), t.Decode(t.Encode(s, false).Ids)), iter: 500);
    }

    [Fact]
    public void Ignore_merges_takes_whole_pieces()
    {
        const string Json = """{"pre_tokenizer":{"type":"WhitespaceSplit"},"model":{"type":"BPE","ignore_merges":IGNORE,"vocab":{"a":0,"b":1,"c":2,"ab":3,"abc":4},"merges":["a b"]}}""";
        Assert.Equal("abc", Pieces(TokenizerJson.Load(Json.Replace("IGNORE", "true", StringComparison.Ordinal)), "abc"));
        Assert.Equal("ab|c", Pieces(TokenizerJson.Load(Json.Replace("IGNORE", "false", StringComparison.Ordinal)), "abc"));
    }

    [Fact]
    public void Word_suffix_and_prefix_mark_the_ends_of_words()
    {
        var clip = TokenizerJson.Load("""{"pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":{"type":"BPEDecoder","suffix":"</w>"},"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{"a":0,"b</w>":1,"ab</w>":2,"a</w>":3},"merges":["a b</w>"]}}""");
        Assert.Equal("ab</w>|a</w>", Pieces(clip, "ab a"));
        Assert.Equal("ab a", clip.Decode(clip.Encode("ab a", false).Ids));
        var prefix = TokenizerJson.Load("""{"model":{"type":"BPE","continuing_subword_prefix":"##","vocab":{"a":0,"##b":1,"ab":2,"##c":3},"merges":["a ##b"]}}""");
        Assert.Equal("ab|##c", Pieces(prefix, "abc"));
    }

    [Fact]
    public void WordPiece_takes_the_longest_parts_or_the_unknown_token()
    {
        var t = TokenizerJson.Load("""
            {"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},"post_processor":{"type":"BertProcessing","cls":["[CLS]",1],"sep":["[SEP]",2]},
             "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
             "model":{"type":"WordPiece","unk_token":"[UNK]","max_input_chars_per_word":10,"vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"un":3,"##aff":4,"##able":5,"##a":6,"!":7}}}
            """);
        Assert.Equal("[CLS]|un|##aff|##able|!|[SEP]", Pieces(t, "Unaffable!", special: true));
        Assert.Equal("[UNK]|[UNK]", Pieces(t, "unx unaaaaaaaaaa"));
        Assert.Equal("unaffable!", t.Decode(t.Encode("UNAFFABLE!", false).Ids));
    }

    [Fact]
    public void Unigram_finds_the_best_segmentation()
    {
        var t = TokenizerJson.Load("""{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-3],["b",-3],["ab",-5],["abc",-9.5],["c",-4.4],["bc",-7]]}}""");
        Assert.Equal("ab|c", Pieces(t, "abc"));
        Assert.Equal("a|<unk>|b", Pieces(t, "axyb"));
        var e = t.Encode("axyb", false);
        Assert.Equal([0, 1, 3], e.StartBytes);
    }

    [Theory]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0},"merges":["a b"]}}""", "\"b\" is not a token")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}}""", "\"ab\" is not a token")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}""", "-1")]
    [InlineData("""{"model":{"type":"BPE","vocab":{"a":2000000000},"merges":[]}}""", "2000000000")]
    [InlineData("""{"model":{"type":"BPE","vocab":{},"merges":[]}}""", "empty")]
    [InlineData("""{"model":{"type":"Magic"}}""", "Magic")]
    [InlineData("""{"model":{"type":"WordLevel","vocab":{"a":0}},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated"}}""", "not closed")]
    [InlineData("""{"model":{"type":"WordLevel","vocab":{"a":0}},"normalizer":{"type":"Precompiled","precompiled_charsmap":"////"}}""", "precompiled_charsmap")]
    [InlineData("""{"model":{"type":"WordLevel","vocab":{"a":0}},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{"x":{"ids":[7]}}}}""", "7")]
    [InlineData("""{"model":{"type":"Unigram","unk_id":5,"vocab":[["a",0]]}}""", "unk_id")]
    [InlineData("""{"model":{"type":"Unigram","vocab":[["a",1e999]]}}""", "vocab[0]")]
    [InlineData("""{"added_tokens":[{"id":99999999,"content":"x"}],"model":{"type":"WordLevel","vocab":{"a":0}}}""", "added_tokens[0].id")]
    [InlineData("{", "not valid JSON")]
    [InlineData("{}", "model is missing")]
    [InlineData("[]", "an object")]
    public void Broken_files_are_refused_and_say_what_is_wrong(string json, string message) =>
        Assert.Contains(message, Assert.Throws<TokenizerFormatException>(() => TokenizerJson.Load(json)).Message, StringComparison.Ordinal);
}
