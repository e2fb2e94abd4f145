using Slm.Training.Data;
using Slm.Training.Tokenizer;

namespace Slm.Training.Tests;

public sealed class BatchSequenceTests
{
    private static readonly BpeVocabulary Vocabulary = BpeTrainer.Train(TinyRun.Texts(50), 300);
    private static readonly TokenStore Store = TokenStore.Encode(TinyRun.Texts(90), Vocabulary);

    [Fact]
    public void An_epoch_holds_each_target_of_each_document_once_behind_its_predecessor()
    {
        var sequence = new BatchSequence(Store, 128, 48, 7);
        var pairs = sequence.WholeEpoch().SelectMany(Pairs).Order().ToArray();
        var expected = Enumerable.Range(0, Store.Count).SelectMany(d =>
        {
            var ids = Store[d].ToArray();
            return ids.Select((target, i) => (i == 0 ? Store.EndOfText : ids[i - 1], (int)target));
        }).Order().ToArray();
        Assert.Equal(expected, pairs);
    }

    [Fact]
    public void Segments_do_not_overlap_and_padding_has_no_targets()
    {
        var padding = 0;
        var count = 0;
        foreach (var batch in new BatchSequence(Store, 128, 48, 7).WholeEpoch())
        {
            var owner = new int[128];
            foreach (var segment in batch.Segments)
                for (var i = segment.Start; i < segment.Start + segment.Length; i++)
                    Assert.Equal(1, ++owner[i]);
            for (var i = 0; i < 128; i++)
                Assert.Equal(owner[i] == 1, batch.Targets[i] >= 0);
            padding += owner.Count(o => o == 0);
            count += 128;
        }

        Assert.InRange((double)padding / count, 0, 0.15);
    }

    [Fact]
    public void Batches_are_the_same_however_they_are_reached_and_differ_between_epochs_and_seeds()
    {
        var forward = new BatchSequence(Store, 128, 48, 7);
        var length = forward.WholeEpoch().Count();
        var all = Enumerable.Range(0, 3 * length).Select(i => forward[i].Tokens).ToArray();
        var jump = new BatchSequence(Store, 128, 48, 7);
        foreach (var index in (int[])[2 * length - 1, 3, length, 0])
            Assert.Equal(all[index], jump[index].Tokens);
        Assert.NotEqual(all[0], all[length]);
        Assert.NotEqual(all[0], new BatchSequence(Store, 128, 48, 8)[0].Tokens);
    }

    [Fact]
    public void Encoded_documents_survive_the_file()
    {
        using var folder = new TemporaryFolder();
        Store.Save(folder.In("a.bin"));
        var read = TokenStore.Load(folder.In("a.bin"));
        Assert.Equal(Store.Tokens, read.Tokens);
        Assert.Equal((Store.Count, Store.TextBytes, Store.EndOfText, Store.VocabSize), (read.Count, read.TextBytes, read.EndOfText, read.VocabSize));
        Assert.Equal(Store[17].ToArray(), read[17].ToArray());
        File.WriteAllBytes(folder.In("b.bin"), new byte[40]);
        Assert.Throws<InvalidDataException>(() => TokenStore.Load(folder.In("b.bin")));
    }

    private static IEnumerable<(int, int)> Pairs(PackedBatch batch)
        => batch.Targets.Select((target, i) => (batch.Tokens[i], target)).Where(p => p.target >= 0);
}
