using System.Text;
using Slm.Tokenization;
using Slm.Training.Tokenizer;

namespace Slm.Training.Tests;

public sealed class BpeTrainerTests
{
    private const string Text = "the cat sat on the mat. the cat's hat, the bat! a mat that sat, that cat... Über öde Öfen 123 1234\n\n  the end";

    [Theory]
    [InlineData(270)]
    [InlineData(300)]
    [InlineData(400)]
    public void Merges_are_those_of_counting_everything_anew_each_time(int size)
    {
        string[] texts = [Text, string.Join(' ', TinyRun.Texts(20)), Text];
        Assert.Equal(Naive(texts, size), BpeTrainer.Train(texts, size).Merges);
    }

    [Fact]
    public void Text_comes_back_and_words_are_cut_as_the_merges_say()
    {
        var vocabulary = BpeTrainer.Train([Text], 300);
        var ids = new List<ushort>();
        foreach (var text in (string[])[Text, "", " ", "new wörds 😀 \t\r\n x"])
        {
            ids.Clear();
            vocabulary.CreateEncoder().Encode(text, ids);
            Assert.Equal(text, vocabulary.Decode(ids.Select(i => (int)i)));
        }
    }

    [Fact]
    public void Vocabulary_is_filled_up_with_unused_tokens_and_the_special_one_is_never_text()
    {
        var vocabulary = BpeTrainer.Train(["ab ab"], 272);
        Assert.Equal(272, vocabulary.Size);
        Assert.True(vocabulary.Merges.Count is > 0 and < 15);
        Assert.Equal(BpeVocabulary.EndOfText, vocabulary.Piece(vocabulary.EndOfTextId));
        Assert.Equal(272, Enumerable.Range(0, 272).Select(vocabulary.Piece).Distinct().Count());
        var ids = new List<ushort>();
        vocabulary.CreateEncoder().Encode(BpeVocabulary.EndOfText, ids);
        Assert.DoesNotContain((ushort)vocabulary.EndOfTextId, ids);
    }

    [Fact]
    public void Tokenizer_json_gives_the_platform_s_tokenizer_the_same_ids()
    {
        using var folder = new TemporaryFolder();
        var texts = TinyRun.Texts(60).Append(Text).ToArray();
        var vocabulary = BpeTrainer.Train(texts, 352);
        TokenizerJson.Write(vocabulary, folder.In("tokenizer.json"));
        Assert.Equal(vocabulary.Merges, TokenizerJson.Read(folder.In("tokenizer.json")).Merges);
        var tokenizer = TokenizerLoader.FromTokenizerJson(folder.In("tokenizer.json"));
        var encoder = vocabulary.CreateEncoder();
        foreach (var text in texts)
        {
            var ids = new List<ushort>();
            encoder.Encode(text, ids);
            Assert.Equal(ids.Select(i => (int)i), tokenizer.Encode(text, addSpecialTokens: false).Ids);
        }
    }

    private static List<(int, int)> Naive(string[] texts, int size)
    {
        var order = ByteAlphabet.Order.ToList();
        var words = texts.SelectMany(t => BpeVocabulary.Words.Matches(t)).Select(m => Encoding.UTF8.GetBytes(m.Value).Select(b => order.IndexOf(b)).ToList()).ToList();
        var merges = new List<(int, int)>();
        while (merges.Count < size - 257)
        {
            var counts = new Dictionary<(int, int), int>();
            foreach (var word in words)
                for (var i = 0; i + 1 < word.Count; i++)
                    counts[(word[i], word[i + 1])] = counts.GetValueOrDefault((word[i], word[i + 1])) + 1;
            if (counts.Count == 0 || counts.Values.Max() < 2)
                break;
            var best = counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key).First().Key;
            foreach (var word in words)
                for (var i = 0; i + 1 < word.Count; i++)
                    if ((word[i], word[i + 1]) == best)
                    {
                        word[i] = 256 + merges.Count;
                        word.RemoveAt(i + 1);
                    }

            merges.Add(best);
        }

        return merges;
    }
}
