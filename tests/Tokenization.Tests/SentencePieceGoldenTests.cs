using System.Text.Json;

namespace Slm.Tokenization.Tests;

/// <summary>Ids recorded from SentencePiece itself (golden/README.md).</summary>
public sealed class SentencePieceGoldenTests
{
    public sealed record Sentence(string text, int[] ids, string decoded);

    public sealed record Model(string kind, string[] pieces, float[] scores, int[] types, string charsmap, bool add_dummy_prefix, bool remove_extra_whitespaces, Sentence[] cases);

    private static Model Read(string name) => JsonSerializer.Deserialize<Dictionary<string, Model>>(
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "golden", "sentencepiece.json")))![name];

    // Around user-defined tokens GGUF follows llama.cpp, which adds the leading space to every stretch of text.
    private static IEnumerable<Sentence> Cases(Model m) => m.cases.Where(static c => !c.text.Contains("<tool>", StringComparison.Ordinal));

    [Theory]
    [InlineData("unigram", "t5")]
    [InlineData("bpe", "llama")]
    public void Gguf_form_gives_sentencepiece_ids_and_text(string name, string ggufModel)
    {
        var m = Read(name);
        var t = TokenizerLoader.FromGguf(new Dictionary<string, object>
        {
            ["tokenizer.ggml.model"] = ggufModel,
            ["tokenizer.ggml.tokens"] = m.pieces,
            ["tokenizer.ggml.scores"] = m.scores,
            ["tokenizer.ggml.token_type"] = m.types,
            ["tokenizer.ggml.precompiled_charsmap"] = Convert.FromBase64String(m.charsmap),
            ["tokenizer.ggml.add_space_prefix"] = m.add_dummy_prefix,
            ["tokenizer.ggml.remove_extra_whitespaces"] = m.remove_extra_whitespaces,
            ["tokenizer.ggml.unknown_token_id"] = 0u,
            ["tokenizer.ggml.bos_token_id"] = 1u,
            ["tokenizer.ggml.eos_token_id"] = 2u,
        });
        Assert.True(Cases(m).Count() > 80);
        foreach (var c in Cases(m))
        {
            var ids = t.Encode(c.text, false).Ids;
            Assert.Equal(c.ids.Select(t.Piece), ids.Select(t.Piece));
            if (!ids.Contains(0))
                Assert.Equal(c.decoded, t.Decode(ids));
        }
    }

    [Fact]
    public void Tokenizer_json_form_of_a_unigram_model_gives_sentencepiece_ids()
    {
        var m = Read("unigram");
        var json = JsonSerializer.Serialize(new
        {
            added_tokens = Array.Empty<object>(),
            normalizer = new
            {
                type = "Sequence",
                normalizers = new object[]
                {
                    new { type = "Precompiled", precompiled_charsmap = m.charsmap },
                    new { type = "Replace", pattern = new { Regex = @"\A +| +\z" }, content = "" },
                    new { type = "Replace", pattern = new { Regex = " {2,}" }, content = " " },
                },
            },
            pre_tokenizer = new { type = "Metaspace", replacement = "▁", prepend_scheme = "always", split = true },
            decoder = new { type = "Metaspace", replacement = "▁", prepend_scheme = "always" },
            model = new { type = "Unigram", unk_id = 0, byte_fallback = false, vocab = m.pieces.Zip(m.scores, static (p, s) => new object[] { p, s }).ToArray() },
        });
        var t = TokenizerJson.Load(json);
        foreach (var c in Cases(m))
            Assert.Equal(c.ids.Select(t.Piece), t.Encode(c.text, false).Ids.Select(t.Piece));
    }
}
