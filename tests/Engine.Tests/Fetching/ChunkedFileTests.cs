using System.Security.Cryptography;
using CsCheck;
using Slm.Engine.Fetching;

namespace Slm.Engine.Tests.Fetching;

public sealed class ChunkedFileTests
{
    private const int Chunk = 4096;
    private const int Count = 25;

    private static readonly byte[] Content = Random(Chunk * (Count - 1) + 100);
    private static readonly FileManifest Manifest = ManifestOf(Content);
    private static readonly int[] All = [.. Enumerable.Range(0, Count)];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_asked_for_arrives_and_the_rest_stays_a_hole()
    {
        using var folder = new TemporaryFolder();
        var source = new MemorySource(Content);
        var reports = new List<FetchProgress>();
        using (var file = ChunkedFile.Open(folder["m"], Manifest))
            await file.EnsureAsync([3, 7, Count - 1], [source], new Locked(reports), Cancelled);
        Assert.Equal([3 * Chunk, 7 * Chunk, (Count - 1) * Chunk], source.Reads.Order());
        var written = await File.ReadAllBytesAsync(folder["m"], Cancelled);
        Assert.Equal(Content.Length, written.Length);
        for (var chunk = 0; chunk < Count; chunk++)
            Assert.Equal(chunk is 3 or 7 or Count - 1 ? Part(Content, chunk) : new byte[Part(Content, chunk).Length], Part(written, chunk));
        Assert.Equal(new FetchProgress(0, (2 * Chunk) + 100), reports[0]);
        Assert.Contains(new FetchProgress((2 * Chunk) + 100, (2 * Chunk) + 100), reports);
    }

    [Fact]
    public async Task After_a_stop_at_any_chunk_it_goes_on_with_what_is_missing() => await Gen.Int[0, Count - 1].SampleAsync(
        async stop =>
        {
            using var folder = new TemporaryFolder();
            using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
            var given = 0;
            var first = new MemorySource(Content)
            {
                Before = (_, token) =>
                {
                    if (Interlocked.Increment(ref given) > stop)
                        cancel.Cancel();
                    token.ThrowIfCancellationRequested();
                    return Task.CompletedTask;
                },
            };
            using (var file = ChunkedFile.Open(folder["m"], Manifest))
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => file.EnsureAsync(All, [first], null, cancel.Token));
            var second = new MemorySource(Content);
            using (var file = ChunkedFile.Open(folder["m"], Manifest))
            {
                var present = file.PresentBytes;
                await file.EnsureAsync(All, [second], null, Cancelled);
                Assert.Equal(Content.Length - present, second.Reads.Sum(at => Math.Min(Chunk, Content.Length - at)));
            }

            Assert.Equal(Content, await File.ReadAllBytesAsync(folder["m"], Cancelled));
        },
        iter: 30);

    [Fact]
    public async Task A_chunk_that_was_written_but_not_marked_is_fetched_again()
    {
        using var folder = new TemporaryFolder();
        using (var file = ChunkedFile.Open(folder["m"], Manifest))
            await file.EnsureAsync(All, [new MemorySource(Content)], null, Cancelled);

        // As a crash between writing and marking leaves it: half of the chunk is there, and no mark.
        await using (var data = File.OpenWrite(folder["m"]))
        {
            data.Position = 5 * Chunk;
            data.Write(new byte[Chunk / 2]);
        }

        await using (var marks = File.OpenWrite(folder["m.chunks"]))
        {
            marks.Position = marks.Length - Count + 5;
            marks.WriteByte(0);
        }

        var source = new MemorySource(Content);
        using (var file = ChunkedFile.Open(folder["m"], Manifest))
            await file.EnsureAsync(All, [source], null, Cancelled);
        Assert.Equal([5L * Chunk], source.Reads);
        Assert.Equal(Content, await File.ReadAllBytesAsync(folder["m"], Cancelled));
    }

    [Fact]
    public async Task Marks_of_another_content_or_of_a_file_that_is_gone_do_not_count()
    {
        using var folder = new TemporaryFolder();
        using (var file = ChunkedFile.Open(folder["m"], Manifest))
            await file.EnsureAsync(All, [new MemorySource(Content)], null, Cancelled);
        var other = Random(Content.Length);
        using (var file = ChunkedFile.Open(folder["m"], ManifestOf(other)))
        {
            Assert.Equal(0, file.PresentBytes);
            await file.EnsureAsync(All, [new MemorySource(other)], null, Cancelled);
        }

        Assert.Equal(other, await File.ReadAllBytesAsync(folder["m"], Cancelled));
        File.Delete(folder["m"]);
        using (var file = ChunkedFile.Open(folder["m"], ManifestOf(other)))
            Assert.Equal(0, file.PresentBytes);
    }

    [Fact]
    public async Task A_chunk_that_is_damaged_on_its_way_once_is_read_again()
    {
        using var folder = new TemporaryFolder();
        var damaged = 0;
        var source = new MemorySource(Content)
        {
            Change = (at, bytes) =>
            {
                if (at == 2 * Chunk && Interlocked.Increment(ref damaged) == 1)
                    bytes.Span[77] ^= 4;
            },
        };
        using (var file = ChunkedFile.Open(folder["m"], Manifest))
            await file.EnsureAsync(All, [source], null, Cancelled);
        Assert.Equal(Content, await File.ReadAllBytesAsync(folder["m"], Cancelled));
        Assert.Equal(Count + 1, source.Reads.Count);
    }

    [Fact]
    public async Task A_source_with_another_file_is_refused_with_both_hashes_and_nothing_of_it_counts()
    {
        using var folder = new TemporaryFolder();
        var wrong = Random(Content.Length);
        using var file = ChunkedFile.Open(folder["m"], Manifest);
        var error = await Assert.ThrowsAsync<FetchException>(() => file.EnsureAsync([4], [new MemorySource(wrong, "silo 9")], null, Cancelled));
        Assert.StartsWith("silo 9: bytes 16384 to 20480 of 'm'", error.Message, StringComparison.Ordinal);
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(Part(wrong, 4))), error.Message, StringComparison.Ordinal);
        Assert.Contains(Convert.ToHexStringLower(SHA256.HashData(Part(Content, 4))), error.Message, StringComparison.Ordinal);
        Assert.Equal(0, file.PresentBytes);
        Assert.Equal(new byte[Content.Length], await File.ReadAllBytesAsync(folder["m"], Cancelled));
    }

    [Fact]
    public async Task A_source_that_is_cut_short_fails_and_another_one_helps_out()
    {
        using var folder = new TemporaryFolder();
        var cut = new MemorySource(Content[..(10 * Chunk)], "cut");
        using (var file = ChunkedFile.Open(folder["alone"], Manifest))
            Assert.Contains("cut ends at 40960", (await Assert.ThrowsAsync<FetchException>(() => file.EnsureAsync(All, [cut], null, Cancelled))).Message, StringComparison.Ordinal);
        var whole = new MemorySource(Content, "whole");
        using (var file = ChunkedFile.Open(folder["m"], Manifest))
            await file.EnsureAsync(All, [cut, whole], null, Cancelled);
        Assert.Equal(Content, await File.ReadAllBytesAsync(folder["m"], Cancelled));
        using (var file = ChunkedFile.Open(folder["none"], Manifest))
            Assert.Contains("no source", (await Assert.ThrowsAsync<FetchException>(() => file.EnsureAsync(All, [], null, Cancelled))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Callers_share_what_is_on_its_way_and_one_who_gives_up_does_not_stop_the_other()
    {
        using var folder = new TemporaryFolder();
        using var file = ChunkedFile.Open(folder["m"], Manifest);
        var (started, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        using var impatient = new CancellationTokenSource();
        var slow = new MemorySource(Content)
        {
            Before = async (_, token) =>
            {
                started.TrySetResult();
                await go.Task.WaitAsync(token);
            },
        };
        var quick = new MemorySource(Content);
        var first = file.EnsureAsync([0, 1], [slow], null, impatient.Token);
        await started.Task;
        var second = file.EnsureAsync([0, 1], [slow], null, Cancelled);
        var third = file.EnsureAsync([0, 1, 2], [quick], null, Cancelled);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        go.SetResult();
        await second;
        await third;
        Assert.Equal(Content[..(3 * Chunk)], (await File.ReadAllBytesAsync(folder["m"], Cancelled))[..(3 * Chunk)]);

        // Two chunks in flight were given up; each was then read once more, by either caller.
        Assert.InRange(slow.Reads.Count + quick.Reads.Count, 4, 5);
    }

    [Fact]
    public async Task No_more_chunks_are_under_way_than_the_source_can_use_or_memory_allows()
    {
        using var folder = new TemporaryFolder();
        foreach (var (allowed, expected) in new[] { (1, 1), (3, 3), (100, ChunkedFile.MaxInFlight) })
        {
            var (now, most) = (0, 0);
            var gate = new Lock();
            using var file = ChunkedFile.Open(folder[$"m{allowed}"], Manifest);
            await file.EnsureAsync(All, [new MemorySource(Content)
            {
                MaxReads = allowed,
                Before = async (_, _) =>
                {
                    lock (gate)
                        most = Math.Max(most, ++now);
                    await Task.Yield();
                    lock (gate)
                        now--;
                },
            }], null, Cancelled);
            Assert.InRange(most, 1, expected);
        }
    }

    private static byte[] Random(int length)
    {
        var bytes = new byte[length];
        System.Random.Shared.NextBytes(bytes);
        return bytes;
    }

    private static FileManifest ManifestOf(byte[] content)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["m"], content);
        return ManifestBuilder.Compute(folder["m"], 1, Chunk, progress: null, CancellationToken.None).Files[0];
    }

    private static byte[] Part(byte[] content, int chunk) => content[(chunk * Chunk)..Math.Min(content.Length, (chunk + 1) * Chunk)];

    private sealed class Locked(List<FetchProgress> reports) : IProgress<FetchProgress>
    {
        public void Report(FetchProgress value)
        {
            lock (reports)
                reports.Add(value);
        }
    }
}
