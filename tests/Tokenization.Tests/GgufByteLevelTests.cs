using CsCheck;

namespace Slm.Tokenization.Tests;

public sealed class GgufByteLevelTests
{
    private static readonly string[] Merges = ["h e", "Ġ t", "Ġt he", "l l", "he ll", "Ġ Ġ"];

    [Fact]
    public void Merges_apply_in_order_of_rank_inside_words_only()
    {
        var t = TokenizerLoader.FromGguf(ByteLevelVocabulary.Gguf(Merges));
        var e = t.Encode("hello the", addSpecialTokens: false);
        Assert.Equal(["hell", "o", "Ġthe"], e.Ids.Select(t.Piece));
        Assert.Equal([0, 4, 5], e.StartBytes);
        Assert.Equal([4, 5, 9], e.EndBytes);
    }

    [Fact]
    public void Special_tokens_are_text_unless_asked_for()
    {
        var t = TokenizerLoader.FromGguf(ByteLevelVocabulary.Gguf(Merges, ["<|im_end|>"]));
        Assert.DoesNotContain(t.Encode("a<|im_end|>b", false).Ids, t.IsSpecial);
        var e = t.Encode("a<|im_end|>b", false, parseSpecialTokens: true);
        Assert.Equal(["a", "<|im_end|>", "b"], e.Ids.Select(t.Piece));
        Assert.Equal("ab", t.Decode(e.Ids, skipSpecialTokens: true));
        Assert.Equal("a<|im_end|>b", t.Decode(e.Ids));
        Assert.Contains(t.TokenToId("<|im_end|>")!.Value, t.Special.EndTokens);
    }

    [Fact]
    public void Any_string_comes_back_with_lone_surrogates_as_replacement_characters()
    {
        var t = TokenizerLoader.FromGguf(ByteLevelVocabulary.Gguf(Merges));
        Gen.String.Sample(s =>
        {
            var e = t.Encode(s, false);
            var expected = System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(s));
            Assert.Equal(expected, t.Decode(e.Ids));
            var decoder = new StreamingTextDecoder(t);
            Assert.Equal(expected, string.Concat(e.Ids.Select(decoder.Append)) + decoder.Flush());
            Assert.Equal(System.Text.Encoding.UTF8.GetByteCount(s), e.Ids.Length == 0 ? 0 : e.EndBytes[^1]);
            for (var i = 1; i < e.Ids.Length; i++)
                Assert.Equal(e.EndBytes[i - 1], e.StartBytes[i]);
        }, iter: 2000);
    }
}
