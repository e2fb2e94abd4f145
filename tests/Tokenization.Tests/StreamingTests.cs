using System.Text;
using CsCheck;

namespace Slm.Tokenization.Tests;

public sealed class StreamingTests
{
    private static readonly ITokenizer Bytes = TokenizerLoader.FromGguf(ByteLevelVocabulary.Gguf([], ["<|end|>"]));
    private static readonly Dictionary<string, int> Ids = ByteLevelVocabulary.Alphabet().Select((p, b) => (p, b)).ToDictionary(x => x.p, x => x.b);

    private static IEnumerable<int> ToIds(IEnumerable<byte> bytes) => bytes.Select(b => Bytes.TokenToId(Ids.First(kv => kv.Value == b).Key)!.Value);

    [Fact]
    public void A_code_point_appears_when_its_last_byte_does()
    {
        var d = new StreamingTextDecoder(Bytes);
        Assert.Equal(["", "", "", "😀"], ToIds(Encoding.UTF8.GetBytes("😀")).Select(d.Append));
        Assert.Equal("", d.Flush());
    }

    [Fact]
    public void Invalid_and_unfinished_bytes_are_replacement_characters()
    {
        var d = new StreamingTextDecoder(Bytes);
        Assert.Equal("a\uFFFDb\uFFFD", string.Concat(ToIds([(byte)'a', 0xFF, (byte)'b', 0xE4, 0xBD]).Select(d.Append)) + d.Flush());
    }

    [Fact]
    public void Streaming_any_bytes_equals_decoding_them_at_once() => Gen.Byte.Array[0, 40].Sample(bytes =>
    {
        var ids = ToIds(bytes).ToArray();
        var d = new StreamingTextDecoder(Bytes);
        var parts = ids.Select(d.Append).ToArray();
        Assert.DoesNotContain(parts, static p => p.Length > 0 && char.IsHighSurrogate(p[^1]));
        Assert.Equal(Encoding.UTF8.GetString(bytes), string.Concat(parts) + d.Flush());
        Assert.Equal(Encoding.UTF8.GetString(bytes), Bytes.Decode(ids));
    }, iter: 3000);

    [Fact]
    public void Control_tokens_are_left_out_when_asked()
    {
        var end = Bytes.TokenToId("<|end|>")!.Value;
        Assert.Equal("<|end|>", new StreamingTextDecoder(Bytes).Append(end));
        Assert.Equal("", new StreamingTextDecoder(Bytes, skipSpecialTokens: true).Append(end));
    }

    [Fact]
    public void The_space_of_a_SentencePiece_word_goes_at_the_start_of_a_text_and_stays_in_a_continuation()
    {
        var t = TokenizerLoader.FromGguf(new Dictionary<string, object>
        {
            ["tokenizer.ggml.model"] = "llama",
            ["tokenizer.ggml.tokens"] = new[] { "<unk>", "<s>", "</s>", "▁", "a", "▁a", "<0xC3>", "<0xA9>" },
            ["tokenizer.ggml.scores"] = new float[8],
        });
        var a = t.TokenToId("▁a")!.Value;
        var start = new StreamingTextDecoder(t);
        Assert.Equal(["a", " a"], new[] { a, a }.Select(start.Append));
        Assert.Equal(" a", new StreamingTextDecoder(t, continuesText: true).Append(a));
        var bytes = new StreamingTextDecoder(t);
        Assert.Equal(["", "é"], new[] { t.TokenToId("<0xC3>")!.Value, t.TokenToId("<0xA9>")!.Value }.Select(bytes.Append));
        Assert.Equal([0xC3], t.TokenBytes(t.TokenToId("<0xC3>")!.Value).ToArray());
        Assert.Equal(" a"u8.ToArray(), t.TokenBytes(a).ToArray());
    }

    [Fact]
    public void Ids_outside_the_vocabulary_are_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => Bytes.Decode([100000]));

    [Fact]
    public void Stop_strings_end_the_text_before_them()
    {
        var f = new StopSequenceFilter(["\n\n", "END"]);
        Assert.Equal(("one", null), f.Append("one"));
        Assert.Equal((" two ", null), f.Append(" two E"));
        Assert.Equal(("Ex", null), f.Append("x"));
        Assert.Equal(("y", "END"), f.Append("yEND more"));
        Assert.Equal(("", "END"), f.Append("after"));
        Assert.Equal("", f.Flush());
    }

    [Fact]
    public void What_only_looked_like_a_stop_string_comes_out_at_the_end()
    {
        var f = new StopSequenceFilter(["END"]);
        Assert.Equal(("a", null), f.Append("aEN"));
        Assert.Equal("EN", f.Flush());
    }

    [Fact]
    public void How_the_text_is_cut_does_not_change_where_it_stops() =>
        Gen.Select(Gen.Char["abc"].List[0, 30].Select(c => string.Concat(c)), Gen.Char["abc"].List[1, 4].Select(c => string.Concat(c)).List[1, 3], Gen.Int[1, 5]).Sample((text, stops, size) =>
        {
            (string, string?) Run(int n)
            {
                var f = new StopSequenceFilter(stops);
                var shown = new StringBuilder();
                foreach (var chunk in text.Chunk(n))
                    shown.Append(f.Append(new string(chunk)).Text);
                shown.Append(f.Flush());
                return (shown.ToString(), f.Matched);
            }

            var whole = Run(Math.Max(1, text.Length));
            Assert.Equal(whole, Run(size));
            if (whole.Item2 is null)
                Assert.Equal(text, whole.Item1);
            else
                Assert.StartsWith(whole.Item1 + whole.Item2, text, StringComparison.Ordinal);
        }, iter: 3000);

    [Fact]
    public void Empty_stop_strings_are_refused() => Assert.Throws<ArgumentException>(() => new StopSequenceFilter([""]));
}
