using Slm.Engine.Execution;
using Slm.Engine.Fetching;
using Slm.Engine.Models;
using Slm.Engine.Tests.Formats;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Fetching;

/// <summary>What becomes of copies of models where their folder has a limit.</summary>
public sealed class WeightCacheTests
{
    private static readonly string[] Models = ["llama-untied-f32", "qwen3moe-q8_0", "gemma3-f32"];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_used_least_recently_makes_room()
    {
        using var folder = new TemporaryFolder();
        var sizes = Models.Select(SizeOf).ToArray();
        var limit = sizes.Sum() - (sizes.Min() / 2);
        using var fetcher = new ModelFetcher(folder.Path, limit);
        var first = await FetchAsync(fetcher, Models[0]);
        var second = await FetchAsync(fetcher, Models[1]);
        Assert.True(File.Exists(first) && File.Exists(second));

        // Used again, so that it is not the oldest any more.
        using (await HoldAsync(fetcher, Models[0]))
        {
        }

        var third = await FetchAsync(fetcher, Models[2]);
        Assert.True(File.Exists(first) && File.Exists(third));
        Assert.False(File.Exists(second));
        using var file = ModelFile.Open(third);

        // What was deleted comes again, as if it had never been there.
        Assert.Equal(second, await FetchAsync(fetcher, Models[1]));
        Assert.False(File.Exists(first));
        using var again = ModelFile.Open(second);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_in_use_stays_and_what_does_not_fit_beside_it_is_refused(bool byAnother)
    {
        using var folder = new TemporaryFolder();
        var limit = SizeOf(Models[1]) + (SizeOf(Models[0]) / 2);
        using var fetcher = new ModelFetcher(folder.Path, limit);
        using var other = new ModelFetcher(folder.Path, limit);
        var path = await FetchAsync(fetcher, Models[0]);
        using (await HoldAsync(byAnother ? other : fetcher, Models[0]))
        {
            var error = await Assert.ThrowsAsync<WeightCacheFullException>(() => FetchAsync(fetcher, Models[1]));
            Assert.Equal((limit, true), (error.LimitBytes, error.UsedBytes + error.NeededBytes > limit));
            Assert.Contains(Models[1], error.Message, StringComparison.Ordinal);
            Assert.True(File.Exists(path));
        }

        await FetchAsync(fetcher, Models[1]);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task Several_fetch_and_delete_at_a_time()
    {
        using var folder = new TemporaryFolder();
        var sizes = Models.Select(SizeOf).ToArray();
        var limit = sizes.Sum() - (sizes.Min() / 2);
        using var one = new ModelFetcher(folder.Path, limit);
        using var two = new ModelFetcher(folder.Path, limit);
        await Parallel.ForEachAsync(Enumerable.Range(0, 60), new ParallelOptions { MaxDegreeOfParallelism = 2, CancellationToken = Cancelled }, async (i, _) =>
        {
            // Two at a time, each in use while it is opened: they always fit, the third may have to go.
            var fetcher = i % 2 == 0 ? one : two;
            var model = Models[i % Models.Length];
            using var hold = await HoldAsync(fetcher, model);
            using var file = ModelFile.Open(await FetchAsync(fetcher, model));
            Assert.Equal(model, file.Name);
        });
    }

    private static WeightSelection All(string model)
    {
        using var file = ReferenceModel.Open(model);
        return new WeightSelection { Layers = new LayerRange(0, file.Config.LayerCount) };
    }

    /// <summary>In whole chunks, as the cache counts.</summary>
    private static long SizeOf(string model) => (new FileInfo(ReferenceModels.Path(model)).Length + SparseModelTests.Chunk - 1) / SparseModelTests.Chunk * SparseModelTests.Chunk;

    private static Task<IDisposable> HoldAsync(ModelFetcher fetcher, string model) => fetcher.HoldAsync(SparseModelTests.Original(model).Manifest.Root, Cancelled);

    private static Task<string> FetchAsync(ModelFetcher fetcher, string model)
    {
        var (manifest, source) = SparseModelTests.Original(model);
        return fetcher.FetchAsync(model, manifest, All(model), [source], null, Cancelled);
    }
}
