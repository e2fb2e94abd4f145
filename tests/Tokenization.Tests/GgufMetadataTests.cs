using CsCheck;

namespace Slm.Tokenization.Tests;

/// <summary>GGUF metadata is untrusted: whatever is wrong is named.</summary>
public sealed class GgufMetadataTests
{
    private static Dictionary<string, object> Valid() => ByteLevelVocabulary.Gguf(["h e"], ["<s>", "</s>"]);

    public static TheoryData<string, object?, string> Broken => new()
    {
        { "tokenizer.ggml.model", null, "tokenizer.ggml.model" },
        { "tokenizer.ggml.model", "magic", "magic" },
        { "tokenizer.ggml.model", 7, "tokenizer.ggml.model" },
        { "tokenizer.ggml.pre", "brand-new", "brand-new" },
        { "tokenizer.ggml.tokens", null, "tokenizer.ggml.tokens" },
        { "tokenizer.ggml.tokens", Array.Empty<string>(), "0 tokens" },
        { "tokenizer.ggml.tokens", new[] { 1, 2 }, "array of strings" },
        { "tokenizer.ggml.token_type", new[] { 1 }, "has 1 values" },
        { "tokenizer.ggml.token_type", "x", "token_type" },
        { "tokenizer.ggml.merges", null, "merges" },
        { "tokenizer.ggml.merges", new[] { "h" }, "merges[0]" },
        { "tokenizer.ggml.merges", new[] { "h " }, "merges[0]" },
        { "tokenizer.ggml.merges", new[] { "h zz" }, "\"zz\"" },
        { "tokenizer.ggml.merges", new[] { "h h" }, "\"hh\"" },
        { "tokenizer.ggml.bos_token_id", 100000u, "100000" },
        { "tokenizer.ggml.eos_token_id", -5, "-5" },
        { "tokenizer.ggml.eos_token_id", 1.5f, "eos_token_id" },
        { "tokenizer.ggml.add_bos_token", 1, "add_bos_token" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void Broken_metadata_is_refused_and_says_what_is_wrong(string key, object? value, string message)
    {
        var metadata = Valid();
        if (value is null)
            metadata.Remove(key);
        else
            metadata[key] = value;
        Assert.Contains(message, Assert.Throws<TokenizerFormatException>(() => TokenizerLoader.FromGguf(metadata)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new[] { 1f }, "has 1 values")]
    [InlineData(new[] { 1f, float.NaN, 0f }, "scores[1]")]
    public void Scores_are_checked(float[] scores, string message) =>
        Assert.Contains(message, Assert.Throws<TokenizerFormatException>(() => TokenizerLoader.FromGguf(SentencePiece(["<unk>", "a", "b"], scores))).Message, StringComparison.Ordinal);

    [Fact]
    public void Every_known_pre_tokenizer_family_loads_and_gives_text_back()
    {
        string[] names =
        [
            "default", "gpt-2", "llama-bpe", "llama3", "dbrx", "qwen2", "qwen35", "deepseek-llm", "deepseek-coder", "deepseek-v3", "falcon", "starcoder", "smollm", "gpt-4o",
            "tekken", "youtu", "minicpm5", "seed-coder", "bailingmoe", "bloom", "viking", "tiny_aya", "superbpe", "jais-2", "exaone-moe", "command-r", "olmo", "glm4",
        ];
        foreach (var name in names)
        {
            var t = TokenizerLoader.FromGguf(ByteLevelVocabulary.Gguf(["h e", "Ġ t"], pre: name));
            const string Text = "It's 12345 the  CAFÉ\r\n\n 你好 한국어!?…𝒜😀 ' 'S\t";
            Assert.Equal(Text, t.Decode(t.Encode(Text, false).Ids));
        }
    }

    [Fact]
    public void Ids_of_all_bits_set_mean_none()
    {
        var metadata = Valid();
        metadata["tokenizer.ggml.bos_token_id"] = uint.MaxValue;
        metadata["tokenizer.ggml.add_bos_token"] = true;
        var t = TokenizerLoader.FromGguf(metadata);
        Assert.Null(t.Special.Bos);
        Assert.False(t.Special.AddsBos);
    }

    [Fact]
    public void Bos_eos_end_tokens_and_templates_are_read()
    {
        var metadata = ByteLevelVocabulary.Gguf([], ["<s>", "</s>", "<|im_end|>", "<|eom_id|>"]);
        metadata["tokenizer.ggml.bos_token_id"] = 256u;
        metadata["tokenizer.ggml.eos_token_id"] = 257u;
        metadata["tokenizer.ggml.add_bos_token"] = true;
        metadata["tokenizer.ggml.add_eos_token"] = true;
        metadata["tokenizer.chat_template"] = "{{ x }}";
        metadata["tokenizer.chat_template.tool_use"] = "{{ y }}";
        var t = TokenizerLoader.FromGguf(metadata);
        Assert.Equal([256, 'a' - '!', 257], t.Encode("a", addSpecialTokens: true).Ids.Select(i => t.Piece(i) == "a" ? 'a' - '!' : i));
        Assert.Equal([257, 258, 259], t.Special.EndTokens.Order());
        Assert.Equal(("{{ x }}", "{{ y }}", "<s>", "</s>"), (t.Info.ChatTemplate, t.Info.ChatTemplates["tool_use"], t.Info.BosText, t.Info.EosText));
    }

    [Fact]
    public void A_turn_end_typed_as_normal_text_still_ends_the_turn()
    {
        var metadata = ByteLevelVocabulary.Gguf([], ["<|im_end|>"]);
        ((int[])metadata["tokenizer.ggml.token_type"])[^1] = 1;
        var t = TokenizerLoader.FromGguf(metadata);
        Assert.Equal([256], t.Special.EndTokens);
        Assert.True(t.IsSpecial(256));
    }

    [Fact]
    public void Short_and_long_pieces_merge_alike()
    {
        // A piece of 60 characters takes the heap, the same text in pieces of up to 24 the scan; merges never cross a space here.
        var t = TokenizerLoader.FromGguf(ByteLevelVocabulary.Gguf(["a b", "b a", "ab a", "a a", "ab ab", "ba ba"]));
        Gen.Char["ab"].Array[25, 60].Select(c => new string(c)).Sample(text =>
        {
            var ids = t.Encode(text, false).Ids;
            Assert.Equal(Naive(text), ids.Select(t.Piece));
            var few = text[..20];
            Assert.Equal(Naive(few), t.Encode(few, false).Ids.Select(t.Piece));
        }, iter: 1000);
    }

    private static List<string> Naive(string text)
    {
        string[] merges = ["a b", "b a", "ab a", "a a", "ab ab", "ba ba"];
        var parts = text.Select(c => c.ToString()).ToList();
        for (; ; )
        {
            var best = Enumerable.Range(0, parts.Count - 1).Select(i => (Rank: Array.IndexOf(merges, $"{parts[i]} {parts[i + 1]}"), I: i)).Where(x => x.Rank >= 0).DefaultIfEmpty((Rank: -1, I: -1)).Min();
            if (best.I < 0)
                return parts;
            parts[best.I] += parts[best.I + 1];
            parts.RemoveAt(best.I + 1);
        }
    }

    [Fact]
    public void SentencePiece_merges_by_score_and_cannot_spell_control_tokens()
    {
        var t = TokenizerLoader.FromGguf(SentencePiece(["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "<", "s", ">", "s>", "▁ab"], [0, 0, 0, -9, -9, -9, -1, -2, -9, -9, -9, -1, -3], [2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
        Assert.Equal("▁ab", string.Join('|', t.Encode("ab", false).Ids.Select(t.Piece)));
        Assert.Equal("▁|<|s>", string.Join('|', t.Encode("<s>", false).Ids.Select(t.Piece)));
        Assert.Equal(1, t.Encode("<s>", false, parseSpecialTokens: true).Ids[0]);
    }

    private static Dictionary<string, object> SentencePiece(string[] tokens, float[] scores, int[]? types = null)
    {
        var metadata = new Dictionary<string, object> { ["tokenizer.ggml.model"] = "llama", ["tokenizer.ggml.tokens"] = tokens, ["tokenizer.ggml.scores"] = scores };
        if (types is not null)
            metadata["tokenizer.ggml.token_type"] = types;
        return metadata;
    }

    // n log n: at n² these would take hours.
    [Theory]
    [InlineData("gpt2")]
    [InlineData("llama")]
    [InlineData("t5")]
    [InlineData("bert")]
    public void A_megabyte_of_one_character_is_encoded(string model)
    {
        string[] merges = ["a a", "aa aa", "aaaa aaaa"];
        var metadata = ByteLevelVocabulary.Gguf(merges);
        var tokens = ((string[])metadata["tokenizer.ggml.tokens"]).ToList();
        tokens.AddRange(["<unk>", "▁", "▁aa"]);
        metadata["tokenizer.ggml.tokens"] = tokens.ToArray();
        metadata["tokenizer.ggml.token_type"] = Enumerable.Repeat(1, tokens.Count).ToArray();
        metadata["tokenizer.ggml.scores"] = Enumerable.Range(0, tokens.Count).Select(i => -(float)i).ToArray();
        metadata["tokenizer.ggml.unknown_token_id"] = (uint)(tokens.Count - 3);
        metadata["tokenizer.ggml.model"] = model;
        var t = TokenizerLoader.FromGguf(metadata);
        foreach (var c in new[] { 'a', ' ', '!', '\n', '你' })
        {
            var e = t.Encode(new string(c, 1_000_000), false);
            if (model == "gpt2" && c == 'a')
                Assert.Equal(125_000, e.Ids.Length);
        }
    }
}
