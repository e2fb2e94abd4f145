using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Models;
using Slm.Engine.Scheduling;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Experts;

public sealed class ExpertMetricsTests
{
    [Fact]
    public async Task Hits_misses_and_bytes_are_published_under_the_models_name()
    {
        var name = $"{Guid.NewGuid():n}";
        var path = Path.Combine(AppContext.BaseDirectory, name + ".gguf");
        File.Copy(ReferenceModels.Path("smallthinker-f32"), path);
        try
        {
            using var measured = new Measurements(EngineMetrics.MeterName);
            using var file = ModelFile.Open(path);
            ExpertCacheStats stats;
            await using (var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 2, KvCacheBytes = 32 << 20, ExpertMemory = ExpertSizes.Of(file)!.LeastBytes }))
            {
                StepRunner.Logits(pipeline, [1, 2, 3, 4, 5, 6, 7, 8], [0], 1);
                stats = pipeline.Stages[0].Experts!;
            }

            Assert.True(stats.Misses > 0);
            Assert.Equal(stats.Misses, Sum(ExpertMetrics.Misses));
            Assert.Equal(stats.Hits, Sum(ExpertMetrics.Hits));
            Assert.Equal(stats.BytesRead, Sum(ExpertMetrics.Read));
            // A TimeSpan counts in 100 ns.
            Assert.Equal(stats.Stalled.TotalSeconds, Sum(ExpertMetrics.Stall), 1.01e-7);

            double Sum(string instrument) => measured.Sum(instrument, (ExpertMetrics.ModelTag, name));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
