using System.Text;
using System.Text.Json;

namespace Slm.Tokenization.Tests;

/// <summary>Real vocabularies against reference encoders: identical ids on every string, none left out.</summary>
public sealed class RealVocabularyTests
{
    public static TheoryData<string> Models => new("llama3", "qwen3", "gemma3", "deepseek_v3", "llama2", "gpt4o", "bert");

    [Theory]
    [MemberData(nameof(Models))]
    public void Ids_and_text_are_those_of_the_reference_encoders(string model)
    {
        var texts = RealVocabularies.Strings();
        Assert.True(texts.Length >= 2000);
        var t = TokenizerLoader.FromTokenizerJson(Path.Combine(RealVocabularies.Folder, model, "tokenizer.json"));
        var expected = RealVocabularies.Read<Dictionary<string, JsonElement>>(model, "expected.json");
        var encodings = texts.Select(x => t.Encode(x, addSpecialTokens: false, parseSpecialTokens: true)).ToArray();

        foreach (var (reference, lists) in expected.Where(e => e.Key != "text"))
        {
            var ids = lists.Deserialize<int[][]>()!;
            Assert.Equal(texts.Length, ids.Length);
            for (var i = 0; i < texts.Length; i++)
            {
                if (!CutsElsewhere(model, reference, texts[i]))
                    Assert.True(ids[i].AsSpan().SequenceEqual(encodings[i].Ids), $"{model} against {reference}: {JsonSerializer.Serialize(texts[i])}");
            }
        }

        var decoded = expected["text"].Deserialize<string[]>()!;
        for (var i = 0; i < texts.Length; i++)
        {
            var text = t.Decode(encodings[i].Ids);
            // The JavaScript WordPiece decoder trims the text; ours keeps what the tokens say.
            if (!CutsElsewhere(model, "hf", texts[i]))
                Assert.Equal(decoded[i], model == "bert" ? text.Trim() : text);
            var stream = new StreamingTextDecoder(t);
            Assert.Equal(text, string.Concat(encodings[i].Ids.Select(stream.Append)) + stream.Flush());
            AssertRanges(encodings[i], texts[i], ordered: model != "qwen3");
        }
    }

    // JavaScript's \s has U+FEFF and not U+0085. Two of the references hand \s to JavaScript; hf (which translates
    // patterns to Oniguruma's meaning) and kitoken (Rust) agree with each other and with Unicode on these strings.
    // And the JavaScript BERT normalizer reads UTF-16 units, so it puts no spaces around ideographs above U+FFFF;
    // kitoken does, and must agree on every string.
    private static bool CutsElsewhere(string model, string reference, string text) =>
        (reference is "lenml" or "gpt" && text.AsSpan().IndexOfAny('\u0085', '\uFEFF') >= 0)
        || (model == "bert" && reference == "hf" && text.EnumerateRunes().Any(static r => r.Value is >= 0x20000 and <= 0x2FA1F));

    [Theory]
    [InlineData("llama3")]
    [InlineData("deepseek_v3")]
    [InlineData("gpt4o")]
    public void Byte_level_vocabularies_give_every_string_back(string model)
    {
        var texts = RealVocabularies.Strings();
        var t = TokenizerLoader.FromTokenizerJson(Path.Combine(RealVocabularies.Folder, model, "tokenizer.json"));
        foreach (var text in texts)
        {
            var e = t.Encode(text, addSpecialTokens: false);
            Assert.Equal(text, t.Decode(e.Ids));
            var bytes = Encoding.UTF8.GetBytes(text);
            for (var i = 0; i < e.Ids.Length; i++)
                Assert.Equal(bytes.AsSpan(e.StartBytes[i]..e.EndBytes[i]), t.TokenBytes(e.Ids[i]).Span);
        }
    }

    [Fact]
    public void Llama3_loads_from_gguf_keys_with_the_same_ids()
    {
        var texts = RealVocabularies.Strings();
        var path = Path.Combine(RealVocabularies.Folder, "llama3", "tokenizer.json");
        var t = TokenizerLoader.FromTokenizerJson(path);
        using var json = JsonDocument.Parse(File.ReadAllText(path));
        var merges = json.RootElement.GetProperty("model").GetProperty("merges").EnumerateArray().Select(m => m.ValueKind == JsonValueKind.String ? m.GetString()! : $"{m[0]} {m[1]}").ToArray();
        var gguf = TokenizerLoader.FromGguf(new Dictionary<string, object>
        {
            ["tokenizer.ggml.model"] = "gpt2",
            ["tokenizer.ggml.pre"] = "llama-bpe",
            ["tokenizer.ggml.tokens"] = Enumerable.Range(0, t.VocabSize).Select(t.Piece).ToArray(),
            ["tokenizer.ggml.token_type"] = Enumerable.Range(0, t.VocabSize).Select(i => t.IsSpecial(i) ? 3 : 1).ToArray(),
            ["tokenizer.ggml.merges"] = merges,
            ["tokenizer.ggml.bos_token_id"] = 128000u,
            ["tokenizer.ggml.eos_token_id"] = 128009u,
        });
        foreach (var text in texts)
            Assert.Equal(t.Encode(text, false).Ids, gguf.Encode(text, false).Ids);
        Assert.Equal(128000, gguf.Encode("a", addSpecialTokens: true).Ids[0]);
        Assert.Equal("<|begin_of_text|>", gguf.Info.BosText);
        Assert.Superset(new HashSet<int> { 128001, 128009 }, gguf.Special.EndTokens.ToHashSet());
    }

    [Theory]
    [InlineData("qwen3", "qwen2")]
    [InlineData("deepseek_v3", "deepseek-v3")]
    [InlineData("gpt4o", "gpt-4o")]
    public void Gguf_pre_tokenizer_families_cut_like_the_tokenizer_json(string model, string pre)
    {
        var texts = RealVocabularies.Strings();
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(RealVocabularies.Folder, model, "tokenizer.json")));
        var fromJson = HuggingFace.PreTokenizerReader.Read(new HuggingFace.JsonPart(json.RootElement.GetProperty("pre_tokenizer"), ""));
        var fromGguf = Gguf.GgufPreTokenizers.Find(pre).Build();
        foreach (var text in texts.Where(static x => x.Length > 0))
        {
            var buffer = Text.TextBuffer.FromString(text);
            Text.TextPiece whole = new(buffer, 0, buffer.Length);
            Assert.Equal(fromJson.Split([whole], true).Select(p => p.ToString()), fromGguf.Split([whole], true).Select(p => p.ToString()));
        }
    }

    [Fact]
    public void Bert_in_gguf_form_gives_the_ids_of_its_tokenizer_json()
    {
        var texts = RealVocabularies.Strings();
        var t = TokenizerLoader.FromTokenizerJson(Path.Combine(RealVocabularies.Folder, "bert", "tokenizer.json"));
        var pieces = RealVocabularies.Read<string[]>("bert", "gguf_pieces.json");
        var gguf = TokenizerLoader.FromGguf(new Dictionary<string, object>
        {
            ["tokenizer.ggml.model"] = "bert",
            ["tokenizer.ggml.tokens"] = pieces,
            ["tokenizer.ggml.token_type"] = pieces.Select((p, i) => p.StartsWith('[') && p.EndsWith(']') && p.Length > 2 ? (i == 100 ? 2 : 3) : 1).ToArray(),
            ["tokenizer.ggml.bos_token_id"] = 101u,
            ["tokenizer.ggml.seperator_token_id"] = 102u,
            ["tokenizer.ggml.unknown_token_id"] = 100u,
        });
        // GGUF has no limit of 100 characters a word.
        foreach (var text in texts.Where(static x => x.Length < 100))
            Assert.Equal(t.Encode(text, true).Ids, gguf.Encode(text, true).Ids);
    }

    [Fact]
    public void O200k_agrees_with_Microsoft_ML_Tokenizers()
    {
        var texts = RealVocabularies.Strings();
        var t = TokenizerLoader.FromTokenizerJson(Path.Combine(RealVocabularies.Folder, "gpt4o", "tokenizer.json"));
        using var ranks = new MemoryStream();
        using (var writer = new StreamWriter(ranks, leaveOpen: true))
        {
            for (var id = 0; id < 199998; id++)
                writer.Write($"{Convert.ToBase64String(t.TokenBytes(id).Span)} {id}\n");
        }

        ranks.Position = 0;
        var words = new Microsoft.ML.Tokenizers.RegexPreTokenizer(new System.Text.RegularExpressions.Regex(
            @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"), null);
        var other = Microsoft.ML.Tokenizers.TiktokenTokenizer.Create(ranks, words, null);
        // Its patterns see UTF-16 units, so only text without astral characters can agree.
        foreach (var text in texts.Where(static x => !x.Any(char.IsSurrogate)))
            Assert.Equal(other.EncodeToIds(text), t.Encode(text, false).Ids);
    }

    private static void AssertRanges(TokenEncoding e, string text, bool ordered)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        for (var i = 0; i < e.Ids.Length; i++)
        {
            Assert.InRange(e.StartBytes[i], 0, e.EndBytes[i]);
            Assert.InRange(e.EndBytes[i], e.StartBytes[i], length);
            // Normalization (qwen3: NFC) may swap combining marks.
            if (i > 0 && ordered)
                Assert.True(e.StartBytes[i] >= e.StartBytes[i - 1]);
        }
    }
}
